"""What is said by hand and meets others is asked about before it is sent, as a schedule is, and in the same words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.areas.schemas import AreaOut
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut, ReplayIn
from controller.people.actor import Actor
from controller.plays import service as plays
from controller.schedules.conflicts import ScheduleConflictError
from edge_agent.protocol.states import Outcome, PlayState, Reason
from tests.controller.factories import Centre, play_event
from tests.controller.schedules.village import scheduled

FIVE = datetime(2026, 3, 9, 22, 0, tzinfo=UTC)
"""By the clock of Hanoi, the next morning."""
MINUTE = timedelta(minutes=1)


async def wish(here: Centre, area: AreaOut, start_at: datetime | None, **given: Any) -> BroadcastIn:
    recording = await here.recording(length_ms=120_000, area_id=area.id)
    said = {"title": "Mất điện", "recordings": (recording,), "targets": (area.scope,), "start_at": start_at}
    return BroadcastIn(**{**said, "confirm_unusual": True, **given})


async def send(here: Centre, wanted: BroadcastIn, who: Actor | None = None) -> BroadcastOut:
    return await here.services.broadcasts.create(who or here.actor, wanted)


async def refused(here: Centre, wanted: BroadcastIn, who: Actor | None = None) -> list[dict[str, Any]]:
    """What it meets, when it is not confirmed."""
    with pytest.raises(ScheduleConflictError) as asked:
        await send(here, wanted, who)
    found: list[dict[str, Any]] = asked.value.fields["conflicts"]
    return found


async def test_onto_a_session_it_is_asked_about_and_sent_only_when_that_is_meant(lite: Centre) -> None:
    area = await lite.area("Xã", kind="commune")
    await lite.node(await lite.area("Thôn", area))
    session = await scheduled(lite, area, 10)
    wanted = await wish(lite, area, FIVE + 4 * MINUTE)
    [met] = await refused(lite, wanted)
    assert (met["title"], met["schedule_id"], met["broadcast_id"]) == (session.title, session.id, None)
    assert (met["overlap_ms"], met["node_count"], met["first"]) == (120_000, 1, "other")
    found = await lite.services.broadcasts.preview(lite.actor, wanted)
    assert [each.model_dump(mode="json") for each in found.conflicts] == [met]
    assert (await send(lite, wanted.model_copy(update={"confirm_conflicts": True}))).start_at == FIVE + 4 * MINUTE
    assert await send(lite, await wish(lite, area, FIVE + 11 * MINUTE))  # behind both, nothing is asked


async def test_a_session_of_above_is_met_too_and_has_no_name_for_who_does_not_see_it(lite: Centre) -> None:
    district = await lite.area("Huyện", kind="district")
    commune = await lite.area("Xã", district, kind="commune")
    await lite.node(commune)
    await scheduled(lite, district, 10, title="Của huyện")
    operator = Actor((await lite.somebody("hoa", "operator", commune)).id, "tests")
    [met] = await refused(lite, await wish(lite, commune, FIVE), operator)
    assert (met["title"], met["schedule_id"], met["node_count"]) == (None, None, 1)


async def test_an_edit_meets_others_but_not_what_it_takes_the_place_of(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    first = await send(lite, await wish(lite, area, FIVE))
    other = await send(lite, await wish(lite, area, FIVE + 30 * MINUTE))
    later = await wish(lite, area, FIVE + MINUTE)
    assert (await lite.services.broadcasts.preview(lite.actor, later, edits=first.id)).conflicts == ()
    edited = await lite.services.broadcasts.change(lite.actor, first.id, later)
    with pytest.raises(ScheduleConflictError) as asked:
        await lite.services.broadcasts.change(lite.actor, edited.id, await wish(lite, area, FIVE + 31 * MINUTE))
    assert [each["broadcast_id"] for each in asked.value.fields["conflicts"]] == [other.id]


async def test_now_it_is_asked_about_only_where_it_would_not_be_heard(lite: Centre) -> None:
    area = await lite.area()
    node = await lite.node(area)
    lite.clock.now = FIVE
    assert await send(lite, await wish(lite, area, None))  # nothing sounds there
    lite.clock.now = FIVE + 5 * MINUTE
    recording = await lite.recording(length_ms=600_000, area_id=area.id)
    running = await send(lite, await wish(lite, area, lite.clock(), title="Buổi sáng", recordings=(recording,)))
    async with lite.database.transaction() as tx:
        began = play_event(running.id, 1, lite.clock(), state=PlayState.PLAYING, item=0)
        await plays.apply_many(tx, [(node.id, began)], lite.clock())
    lite.clock.step(minutes=1)
    [met] = await refused(lite, await wish(lite, area, None))
    assert (met["title"], met["broadcast_id"], met["first"]) == ("Buổi sáng", running.id, "other")
    assert await send(lite, await wish(lite, area, None, during="fade"))  # that says what becomes of the session
    assert await send(lite, await wish(lite, area, None, confirm_conflicts=True))


async def test_a_replay_onto_a_session_is_asked_about(lite: Centre) -> None:
    area = await lite.area()
    node = await lite.node(area)
    missed = await send(lite, await wish(lite, area, FIVE))
    await scheduled(lite, area, 10, starts="2026-03-10T06:00:00")
    lite.clock.now = FIVE + 30 * MINUTE
    async with lite.database.transaction() as tx:
        said = play_event(missed.id, 1, lite.clock(), outcome=Outcome.MISSED, reason=Reason.NO_FILE)
        await plays.apply_many(tx, [(node.id, said)], lite.clock())
    again = ReplayIn(start_at=FIVE + 61 * MINUTE, confirm_unusual=True)
    with pytest.raises(ScheduleConflictError):
        await lite.services.replays.create(lite.actor, missed.id, again)
    meant = again.model_copy(update={"confirm_conflicts": True})
    assert (await lite.services.replays.create(lite.actor, missed.id, meant)).replays_id == missed.id
