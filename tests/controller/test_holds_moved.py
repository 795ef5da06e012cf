"""A node that was moved obeys the hold of where it came from: everywhere that is said, and nobody elsewhere ends it."""

from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import update

from controller.areas.move_schemas import MoveIn, MoveOut, MoveSeenIn
from controller.errors import ForbiddenError, NotFoundError
from controller.events import Event, Topic
from controller.holds.schemas import HoldOut
from controller.http import audience
from controller.nodes.models import Node
from controller.people import rights
from controller.people.actor import Actor
from tests.controller.approving import Commune, commune
from tests.controller.factories import Centre, made_once


class Moved:
    """A node of the first commune that was silenced there and stands in the second."""

    def __init__(self, here: Centre, first: Commune, second: Commune, hold: HoldOut, shown: MoveOut) -> None:
        self.here, self.first, self.second, self.hold, self.shown = here, first, second, hold, shown


@pytest_asyncio.fixture
@made_once
async def moved(here: Centre) -> Moved:
    province = await here.area("Tỉnh", kind="province")
    first, second = await commune(here, "Xã A", province), await commune(here, "Xã B", province)
    (hold,) = await here.services.holds.order(first.leader, [first.area.scope])
    here.hears(first.node.id, holds=[hold.id])
    wanted = MoveIn(nodes=(first.node.id,))
    shown = await here.services.moves.preview(here.actor, second.area.id, wanted)
    seen = MoveSeenIn(**wanted.model_dump(), seen_sha256=shown.sha256)
    await here.services.moves.move(here.actor, second.area.id, seen)
    return Moved(here, first, second, hold, shown)


async def test_the_move_says_that_the_hold_stays_with_the_node(moved: Moved) -> None:
    (said,) = [each for each in moved.shown.heard if each.kind == "hold"]
    assert (said.id, said.title, said.stays, said.node_count) == (moved.hold.id, "Xã A", True, 1)


async def test_who_sees_the_node_sees_the_hold_and_whose_it_is(moved: Moved) -> None:
    holds = moved.here.services.holds
    (found,) = await holds.active(moved.second.leader)
    assert (found.id, found.scope_name, found.node_count, found.confirmed_count) == (moved.hold.id, "Xã A", 1, 1)
    assert (await holds.get(moved.second.leader, moved.hold.id)).ordered_by == moved.hold.ordered_by
    moved.here.hears(moved.first.node.id, holds=[])
    assert await holds.active(moved.second.leader) == []
    with pytest.raises(NotFoundError):
        await holds.get(moved.second.leader, moved.hold.id)


async def test_only_where_it_was_ordered_is_it_released_and_the_node_with_it(moved: Moved) -> None:
    holds = moved.here.services.holds
    with pytest.raises(ForbiddenError) as refused:
        await holds.release(moved.second.leader, moved.hold.id)
    assert refused.value.fields["area_id"] == moved.first.area.id
    (stands,) = await holds.active(moved.here.actor)
    assert stands.node_count == 1
    await holds.release(moved.first.leader, moved.hold.id)
    (waiting,) = (await holds.get(moved.here.actor, moved.hold.id)).not_yet
    assert waiting.node_id == moved.first.node.id, "it is told, and has not said yet that it is free"


async def test_it_is_foreseen_explained_and_shown_in_the_day(moved: Moved) -> None:
    here, second, node = moved.here, moved.second, moved.first.node
    sent = await second.say(second.leader)
    preview = await here.services.broadcasts.preview(
        second.leader, second.wish(start_at=here.clock() + timedelta(hours=3))
    )
    assert {(each.reason, tuple(at.name for at in each.nodes)) for each in preview.forecasts} == {
        ("held", (node.name,)),
        (None, (second.node.name,)),
    }
    why = await here.services.whys.of(second.leader, node.id, sent.id)
    (rule,) = [each for each in why.rules if each.by is not None]
    assert (why.blocker, rule.by and rule.by.id, rule.by and rule.by.name) == ("not_held", moved.hold.id, "Xã A")
    (entry,) = (await here.services.days.of(second.leader, node.id)).entries
    assert (entry.outcome, entry.reason) == ("missed", "held")


async def test_people_are_reminded_of_it(moved: Moved) -> None:
    moved.here.clock.step(hours=2)
    await moved.here.services.lasting_holds.remind()
    assert [each.kind for each in await moved.here.services.alarms.list(moved.first.leader)] == ["holds.lasting"]


async def test_whoever_looks_after_a_silenced_node_is_told_and_who_ordered_it_acknowledges(moved: Moved) -> None:
    here, alarms = moved.here, moved.here.services.alarms
    async with here.database.transaction() as tx:
        said = update(Node).where(Node.id == moved.first.node.id).values(health={"holds": [moved.hold.id]})
        await tx.session.execute(said)
    here.clock.step(hours=2)
    await here.services.lasting_holds.remind()
    (alarm,) = await alarms.list(moved.second.leader, waiting=True)
    assert (alarm.subject, alarm.may_acknowledge) == (f"holds/{moved.hold.id}", False)
    with pytest.raises(ForbiddenError):
        await alarms.acknowledge(moved.second.leader, alarm.id)
    events = [Event(Topic.HOLD, moved.hold.id), Event(Topic.ALARM, alarm.id)]
    assert await heard(here, moved.second.leader, events) == events
    assert await heard(here, moved.second.operator, events) == events[:1], "alarms are for who looks after the place"
    assert (await alarms.acknowledge(moved.first.leader, alarm.id)).may_acknowledge
    await here.services.holds.release(moved.first.leader, moved.hold.id)
    assert await alarms.list(moved.second.leader) == [], "it was theirs as long as it stood"


async def test_silence_from_above_that_lasts_is_told_below_and_not_beside(here: Centre) -> None:
    """That of one node is told to nobody below the place in which it stands."""
    province = await here.area("Tỉnh", kind="province")
    beside, below = await commune(here, "Xã B"), await commune(here, "Xã A", province)
    node = await here.node(province, "Cụm tỉnh")
    of_all, of_one = await here.services.holds.order(here.actor, [province.scope]) + (
        await here.services.holds.order(here.actor, [node.scope])
    )
    here.clock.step(hours=2)
    await here.services.lasting_holds.remind()
    told = {each.subject: each.id for each in await here.services.alarms.list(here.actor)}
    assert told.keys() == {f"holds/{of_all.id}", f"holds/{of_one.id}"}
    assert [each.subject for each in await here.services.alarms.list(below.leader)] == [f"holds/{of_all.id}"]
    assert await here.services.alarms.list(beside.leader) == []
    events = [
        Event(Topic.HOLD, of_one.id),
        Event(Topic.HOLD, of_all.id),
        Event(Topic.ALARM, told[f"holds/{of_all.id}"]),
    ]
    assert await heard(here, below.leader, events) == events[1:]
    assert await heard(here, beside.leader, events) == []


async def heard(here: Centre, who: Actor, events: list[Event]) -> list[Event]:
    """Those of some events that a person hears of."""
    async with here.database.reading() as session:
        return await audience.heard(session, who, await rights.sight(session, who), events)
