"""The check before the key, on real rows: what slips through elsewhere is caught, and silences nothing else."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from controller.alarms.models import Alarm
from controller.alarms.service import Alarms
from controller.approvals.models import Approval
from controller.broadcasts.models import Broadcast, BroadcastItem, BroadcastTarget
from controller.broadcasts.schemas import BroadcastIn
from controller.emergencies.models import Emergency
from controller.emergencies.rules import CANCEL_WINDOW
from controller.emergencies.schemas import MessageIn
from controller.emergencies.states import EmergencyState, MessageKind
from controller.ids import new_id
from controller.plans.build import Stamp, build_hold, build_plan
from controller.plans.models import PlanBody
from controller.signing.desk import OwnDesk
from controller.signing.rules import RefusedError
from controller.wire.signer import REFUSED
from edge_agent.protocol.content import unpack_body
from edge_agent.protocol.documents import Plan
from edge_agent.protocol.states import Level
from tests.controller.signing.test_rules import VOICE
from tests.controller.wire.test_dispatcher import Desk, desk
from tests.edge_agent.centre import broadcast


async def planned(made: Desk) -> tuple[str, str, str]:
    """Two broadcasts of tomorrow for one area; gives its scope and them."""
    area = await made.centre.area(quiet_hours=[])
    await made.centre.node(area)
    recording = await made.centre.recording("Thông báo")
    at = made.centre.clock() + timedelta(days=1)
    ids = [
        (
            await made.centre.services.broadcasts.create(
                made.centre.actor,
                BroadcastIn(
                    title="Thông báo",
                    recordings=(recording,),
                    targets=(f"areas/{area.id}",),
                    start_at=at + timedelta(hours=hours),
                    confirm_unusual=True,
                ),
            )
        ).id
        for hours in (0, 1)
    ]
    return f"areas/{area.id}", ids[0], ids[1]


async def listed(made: Desk, scope: str) -> set[str]:
    """What the plan lists that is published now."""
    plan = made.last(scope, "plan")
    assert isinstance(plan, Plan)
    async with made.centre.database.reading() as session:
        body = await session.get_one(PlanBody, plan.body_sha256)
    return {each.broadcast_id for each in unpack_body(body.packed, sha256=body.sha256, scope=scope).broadcasts}


async def touch(made: Desk, scope: str) -> None:
    async with made.centre.database.transaction() as tx:
        await made.centre.services.documents.touch(tx, scope, "plan")
    await made.settle()


async def test_what_was_edited_behind_the_yes_is_left_out_and_told(tmp_path: Path) -> None:
    """By a write to the rows: the wire form brings the old yes along, and only the check looks."""
    async with desk(tmp_path) as made:
        made.signer._alarms = Alarms(made.centre.database, made.centre.clock)
        scope, first, second = await planned(made)
        await made.settle()
        assert await listed(made, scope) == {first, second}
        async with made.centre.database.transaction() as tx:
            louder = update(BroadcastItem).where(BroadcastItem.broadcast_id == first).values(gain_mb=600)
            await tx.session.execute(louder)
        await touch(made, scope)
        assert await listed(made, scope) == {second}
        async with made.centre.database.reading() as session:
            alarm = (await session.scalars(select(Alarm).where(Alarm.kind == REFUSED))).one()
        assert alarm.subject == f"broadcasts/{first}"
        assert alarm.area_id == scope.removeprefix("areas/")


@pytest.mark.parametrize("what", ["voided", "awaits", "elsewhere", "person"])
async def test_without_a_yes_nothing_is_signed(tmp_path: Path, what: str) -> None:
    async with desk(tmp_path) as made:
        scope, first, second = await planned(made)
        subject = f"broadcasts/{first}"
        async with made.centre.database.transaction() as tx:
            yes = update(Approval).where(Approval.subject == subject)
            if what == "voided":
                await tx.session.execute(yes.values(voided_at=made.centre.clock()))
            elif what == "elsewhere":
                await tx.session.execute(yes.values(scopes=["areas/elsewhere"]))
            elif what == "awaits":
                await tx.session.execute(yes.values(not_after_at=made.centre.clock()))
            else:
                await tx.session.execute(yes.values(subject=f"broadcasts/{second}"))
        await touch(made, scope)
        assert await listed(made, scope) == {second}


async def test_an_emergency_by_one_row_is_not_signed(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        scope, first, second = await planned(made)
        async with made.centre.database.transaction() as tx:
            await tx.session.execute(update(Broadcast).where(Broadcast.id == first).values(level="emergency"))
        await touch(made, scope)
        assert await listed(made, scope) == {second}


async def emergency(made: Desk, broadcast_id: str, **said: Any) -> str:
    """Lift a broadcast to an emergency, as the room that decides them would write it; gives the id of its row."""
    here = made.centre
    async with here.database.transaction() as tx:
        row = await tx.session.get_one(Broadcast, broadcast_id)
        row.level = Level.EMERGENCY
        common: dict[str, Any] = {"scopes": [], "slots": [], "release_holds": [], "title": "Lũ", "area_id": row.area_id}
        decided = {"state": EmergencyState.SENT, "proposed_by": here.person.id, "proposed_at": here.clock()}
        fields = {"kind": MessageKind.ALERT, "broadcast_id": broadcast_id, **common, **decided, **said}
        made_of = Emergency(id=new_id(), **fields)
        tx.session.add(made_of)
    return made_of.id


async def test_one_who_broke_the_glass_is_enough_when_the_cancel_window_is_over(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        scope, first, second = await planned(made)
        here = made.centre
        glass = {"break_glass_by": here.person.id, "break_glass_reason": "Không gọi được ai"}
        await emergency(made, first, **glass, fires_at=here.clock() + CANCEL_WINDOW)
        await touch(made, scope)
        assert await listed(made, scope) == {second}
        here.clock.step(seconds=CANCEL_WINDOW.total_seconds())
        await touch(made, scope)
        assert await listed(made, scope) == {first, second}


@pytest.mark.parametrize("lacking", ["follows_id", "message_id", "kind"])
async def test_one_person_ends_an_emergency_by_a_ready_message_alone(tmp_path: Path, lacking: str) -> None:
    async with desk(tmp_path) as made:
        scope, first, second = await planned(made)
        here = made.centre
        voices = [{"language": "vi", "text": "Hết lũ", "recording_id": await here.recording("Hết lũ")}]
        area_id = scope.removeprefix("areas/")
        said = {"area_id": area_id, "kind": "all_clear", "title": "Hết lũ", "voices": voices}
        message = await here.services.messages.create(here.actor, MessageIn.model_validate(said))
        how: dict[str, Any] = {"message_id": message.id, "kind": MessageKind.ALL_CLEAR}
        how["follows_id"] = await emergency(made, second)
        about = await emergency(made, first, **how | {lacking: MessageKind.ALERT if lacking == "kind" else None})
        await touch(made, scope)
        assert await listed(made, scope) == set()
        async with here.database.transaction() as tx:
            await tx.session.execute(update(Emergency).where(Emergency.id == about).values(**{lacking: how[lacking]}))
        await touch(made, scope)
        assert await listed(made, scope) == {first}


async def test_a_target_that_was_added_behind_the_yes_hears_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        _, first, _ = await planned(made)
        other = await made.centre.area("Thôn Tây")
        async with made.centre.database.transaction() as tx:
            tx.session.add(BroadcastTarget(broadcast_id=first, scope=f"areas/{other.id}"))
        await touch(made, f"areas/{other.id}")
        assert await listed(made, f"areas/{other.id}") == set()


async def test_a_plan_is_checked_by_its_body_and_not_by_what_is_said_of_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        own, now = OwnDesk(made.keys), made.centre.clock()
        stamp = Stamp("areas/a1", 1, 1, now)
        day = timedelta(days=1)
        soon = broadcast("b-1", now + timedelta(hours=1), VOICE, scopes=("areas/a1",))
        plan, body = build_plan(stamp, [soon], covers_until=now + day, lease_until=now + day)
        with pytest.raises(RefusedError, match="no_yes"):
            await own.sign(plan, made.keys.dispatch.kid, body=body.packed, facts={})
        _, empty = build_plan(stamp, [], covers_until=now + day, lease_until=now + day)
        with pytest.raises(ValueError, match="hash"):
            await own.sign(plan, made.keys.dispatch.kid, body=empty.packed, facts={})
        with pytest.raises(ValueError, match="without its body"):
            await own.sign(plan, made.keys.dispatch.kid, body=None, facts={})


async def test_a_stop_needs_no_yes(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        hold = build_hold(Stamp("areas/a1", 1, 1, made.centre.clock()), [])
        assert await OwnDesk(made.keys).sign(hold, made.keys.dispatch.kid, body=None, facts={})
