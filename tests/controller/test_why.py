"""Why a node sounds or does not: the rules in order, the first that blocks marked, past and to come."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from controller.areas.schemas import AreaOut, QuietWindow
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.nodes.rules import NodeKind
from controller.nodes.schemas import NodeOut
from controller.plans.models import Document
from controller.plays.verdicts import BY_THE_CENTRE, ORDER, RULE_OF, ended, stopped_at
from controller.plays.why_schemas import CentreRule, DeviceRule, WhyOut
from controller.receipts import service as receipts
from controller.schedules.schemas import ScheduleChange
from edge_agent.protocol.reports import Receipts
from edge_agent.protocol.rules import RuleName, Verdict
from edge_agent.protocol.states import Outcome, PlayState, Reason
from edge_agent.protocol.why import blocker_of, explain
from tests.controller.factories import Centre, made_once, play_event
from tests.controller.schedules import village
from tests.edge_agent.protocol.scenarios import evening
from tests.edge_agent.protocol.walks import walk

MINUTE = timedelta(minutes=1)
TEN = datetime(2026, 3, 9, 3, 0, tzinfo=UTC)
"""10:00 in Hanoi, an hour after ``MORNING``."""
TOO_LATE = {RuleName.IN_TIME, RuleName.NOT_OVER}
"""Whether its latest start or its latest end had gone by when the node came to look is not reported."""


@made_once
async def place(here: Centre, **area: Any) -> tuple[AreaOut, NodeOut]:
    made = await here.area(**area)
    return made, await here.node(made)


async def send(
    here: Centre, scope: str, *, minutes: float = 1, at: datetime | None = TEN, **given: Any
) -> BroadcastOut:
    recording = await here.recording(length_ms=int(minutes * 60_000))
    said: dict[str, Any] = {
        "title": "Thông báo",
        "recordings": (recording,),
        "targets": (scope,),
        "start_at": at,
        **given,
    }
    return await here.services.broadcasts.create(
        here.actor, BroadcastIn(**said, confirm_unusual=True, confirm_conflicts=True)
    )


async def why(here: Centre, node: NodeOut, broadcast: BroadcastOut | str) -> WhyOut:
    key = broadcast if isinstance(broadcast, str) else broadcast.id
    return await here.services.whys.of(here.actor, node.id, key)


async def says(here: Centre, node: NodeOut, broadcast: BroadcastOut, *events: dict[str, Any]) -> None:
    """The node reports, through the room that stores its receipts."""
    told = tuple(
        play_event(broadcast.id, number, here.clock(), **event) for number, event in enumerate(events, start=1)
    )
    said = Receipts(iss=node.id, iat=int(here.clock().timestamp()), store_id="store", kept_from_seq=1, events=told)
    async with here.database.transaction() as tx:
        await receipts.store(tx, [said], here.clock())


def notes(found: WhyOut) -> list[str]:
    return [str(each.code) for each in found.notes]


async def test_what_will_sound_passes_every_rule(lite: Centre) -> None:
    area, node = await place(lite)
    found = await why(lite, node, await send(lite, area.scope))
    assert (found.blocker, found.at, found.is_past) == (None, TEN, False)
    assert [each.name for each in found.rules] == list(ORDER)
    asked = [each.verdict for each in found.rules]
    assert asked == [Verdict.PASSED] * (len(ORDER) - 1) + [Verdict.NOT_REACHED]  # the device: who knows?


async def test_quiet_hours_that_came_later_are_named_with_their_hours(lite: Centre) -> None:
    area, node = await place(lite)
    sent = await send(lite, area.scope)
    quiet = [QuietWindow(start="09:30", until="11:00")]
    await lite.services.areas.change(lite.actor, area.id, quiet_hours=quiet)
    found = await why(lite, node, sent)
    assert found.blocker is RuleName.QUIET_HOURS
    [rule] = [each for each in found.rules if each.verdict is Verdict.BLOCKS]
    assert (rule.reason, rule.values) == (Reason.QUIET_HOURS, {"hours": ["09:30–11:00"]})
    assert found.rules[list(ORDER).index(RuleName.FILE)].verdict is Verdict.NOT_REACHED


async def test_a_hold_is_named_by_its_place(lite: Centre) -> None:
    area, node = await place(lite, name="Thôn Lặng")
    sent = await send(lite, area.scope)
    (hold,) = await lite.services.holds.order(lite.actor, [area.scope])
    found = await why(lite, node, sent)
    [rule] = [each for each in found.rules if each.verdict is Verdict.BLOCKS]
    assert rule.name is RuleName.NOT_HELD
    assert rule.by is not None
    assert (rule.by.kind, rule.by.id, rule.by.name) == ("hold", hold.id, "Thôn Lặng")


async def test_what_another_broadcast_leaves_no_time_for_comes_too_late(lite: Centre) -> None:
    """The day's preview and the answer have one truth."""
    area, node = await place(lite)
    await send(lite, area.scope, minutes=30, title="Dài", at=TEN - MINUTE)
    late = await send(lite, area.scope, title="Ngắn")
    found = await why(lite, node, late)
    assert (found.blocker, found.at) == (RuleName.IN_TIME, late.latest_start_at + timedelta(microseconds=1))
    day = await lite.services.days.of(lite.actor, node.id)
    for each in day.entries:
        told = await why(lite, node, each.broadcast_id or "")
        assert (told.blocker is None) is bool(each.sounds), each.title


async def test_who_cancelled_is_told_and_that_the_node_may_not_know(lite: Centre) -> None:
    area, node = await place(lite)
    sent = await send(lite, area.scope)
    await lite.services.broadcasts.cancel(lite.actor, sent.id)
    found = await why(lite, node, sent)
    [rule] = [each for each in found.rules if each.verdict is Verdict.BLOCKS]
    assert rule.name is CentreRule.NOT_CANCELLED
    assert rule.by is not None
    assert rule.by.name == lite.person.name
    assert "cancel_unconfirmed" in notes(found)
    await says(lite, node, sent, {"outcome": Outcome.CANCELLED, "reason": Reason.STOPPED})
    told = await why(lite, node, sent)
    assert (told.blocker, told.is_past, notes(told)) == (CentreRule.NOT_CANCELLED, True, [])


async def test_a_date_of_an_edited_schedule_names_what_took_its_place(here: Centre) -> None:
    area, node = await place(here, quiet_hours=[])
    made = await village.scheduled(here, area, 10, confirm_unusual=True)
    old = (await village.broadcasts(here, made.id))[0]
    wanted = village.wish(area, made.programme_id, title="Tên mới", confirm_unusual=True).model_dump()
    await here.services.schedules.change(here.actor, made.id, ScheduleChange(**wanted, version=made.version))
    new = (await village.broadcasts(here, made.id))[0]
    found = await why(here, node, old.id)
    [rule] = [each for each in found.rules if each.verdict is Verdict.BLOCKS]
    assert rule.name is CentreRule.CURRENT
    assert rule.by is not None
    assert (rule.by.id, rule.by.name) == (new.id, "Tên mới")


async def test_what_awaits_a_yes_is_blocked_by_that(lite: Centre) -> None:
    area, node = await place(lite)
    sent = await send(lite, area.scope)
    async with lite.database.transaction() as tx:
        await tx.session.execute(update(Broadcast).values(awaits_approval=True))
    assert (await why(lite, node, sent)).blocker is CentreRule.SIGNED_OFF


async def test_a_node_that_is_not_meant_is_told_so(lite: Centre) -> None:
    area, _ = await place(lite)
    other = await lite.node(await lite.area("Thôn Tây"), "Cụm 2")
    found = await why(lite, other, await send(lite, area.scope))
    assert (found.blocker, found.outcome) == (CentreRule.AIMED, None)


async def test_a_play_of_yesterday_is_told_by_the_nodes_own_word(here: Centre) -> None:
    area, node = await place(here)
    cut, whole = await send(here, area.scope), await send(here, area.scope, at=TEN + 30 * MINUTE)
    here.clock.now = TEN + MINUTE
    playing = {"state": PlayState.PLAYING, "item": 0}
    await says(here, node, cut, playing, {"outcome": Outcome.INTERRUPTED, "reason": Reason.PREEMPTED, "by": whole.id})
    here.clock.step(days=1)
    found = await why(here, node, cut)
    assert (found.is_past, found.outcome, found.blocker) == (True, Outcome.INTERRUPTED, RuleName.NODE_FREE)
    assert (found.at, [each.state for each in found.said]) == (TEN + MINUTE, [PlayState.PLAYING, None])
    [rule] = [each for each in found.rules if each.by is not None]
    assert rule.by is not None
    assert (rule.by.kind, rule.by.name) == ("broadcast", "Thông báo")
    silent = await why(here, node, whole)
    assert silent.blocker is None
    assert notes(silent) == ["no_word", "offline"]
    assert {each.verdict for each in silent.rules if each.name in set(RuleName)} == {Verdict.NOT_REACHED}


async def test_a_node_with_an_older_plan_and_no_link_is_doubted(lite: Centre) -> None:
    area, node = await place(lite)
    sent = await send(lite, area.scope)
    async with lite.database.transaction() as tx:
        query = update(Document).where(Document.scope == area.scope, Document.word == "plan")
        await tx.session.execute(query.values(dirty_since=None, epoch=1, version=7))
    held = {area.scope: {"plan": {"epoch": 1, "version": 6}}}
    lite.hears(node.id, held=held, clock={"state": "untrusted"})
    found = await why(lite, node, sent)
    assert notes(found) == ["not_received", "clock_untrusted", "older_plan"]
    assert found.notes[-1].values == {"scope": area.scope, "word": "plan", "held": 6, "newest": 7}
    lite.clock.step(minutes=5)
    assert "offline" in notes(await why(lite, node, sent))
    assert found.blocker is None  # doubts block nothing


async def test_a_wired_cluster_is_known_by_its_schedule_only(lite: Centre) -> None:
    area, _ = await place(lite)
    wired = await lite.services.nodes.create(lite.actor, kind=NodeKind.WIRED, area_id=area.id, name="Cụm có dây")
    found = await why(lite, wired, await send(lite, area.scope))
    assert (found.blocker, notes(found)) == (None, ["reports_nothing"])


async def test_of_a_broadcast_from_above_a_commune_is_not_told_what_it_may_not_see(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    east, west = await lite.area("Xã Đông", province), await lite.area("Xã Tây", province)
    node, other = await lite.node(east), await lite.node(west, "Cụm 2")
    above = await send(lite, province.scope)
    theirs = await send(lite, west.scope)
    clerk = await lite.somebody("dong", "operator", east)
    async with lite.client(who=clerk) as client:
        path = "/api/v1/nodes/{}/broadcasts/{}/why"
        assert (await client.get(path.format(node.id, above.id))).status_code == 200
        assert (await client.get(path.format(other.id, above.id))).status_code == 404
        assert (await client.get(path.format(node.id, theirs.id))).status_code == 404
        assert (await client.get(path.format("nobody", "nothing"))).status_code == 404


def test_every_reason_of_a_node_has_its_rule() -> None:
    assert set(RULE_OF) == set(Reason)
    assert set(Reason) >= BY_THE_CENTRE
    for outcome in (Outcome.MISSED, Outcome.INTERRUPTED):
        assert ended(outcome, None) is DeviceRule.DEVICE
    assert ended(Outcome.PLAYED, None) is None
    assert {each.verdict for each in stopped_at(None, {})} == {Verdict.PASSED}


def test_the_rule_behind_a_report_is_the_one_that_the_timeline_blocked_by() -> None:
    """What the centre says of the past is what the node's function said when it happened."""
    met: set[Reason] = set()
    for seed in range(200):
        for moment in walk(evening(seed)).moments:
            for end in moment.step.conclusions:
                found = blocker_of(explain(moment.view, end.broadcast_id, moment.step.at))
                before = moment.view.progress.get(end.broadcast_id)
                if end.reason is None or found is None or (before is not None and before.cut_by):
                    continue  # played to its end, or the node reports what took something away first
                told = ended(end.outcome, end.reason)
                if found.name in TOO_LATE:  # the reason tells what made it late, and that is the rule behind it
                    assert told in TOO_LATE or end.reason is Reason.CLOCK_UNTRUSTED, end
                elif found.name is not RuleName.OPEN:  # there the timeline says no more than that it is over
                    assert told is found.name, end
                met.add(end.reason)
    assert len(met) > 8, met
