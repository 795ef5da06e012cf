"""What is said now while a session is on air: after its item or by fading it, and what the preview says of that."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.areas.schemas import AreaOut
from controller.broadcasts.during import free_at
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut, PreviewOut
from controller.errors import InvalidError
from controller.nodes.schemas import NodeOut
from controller.plays import service as plays
from edge_agent.protocol.states import Outcome, PlayState, StartMode
from tests.controller.factories import Centre, play_event

TEN = datetime(2026, 3, 9, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


async def session(here: Centre, area: AreaOut, *minutes: float, **given: Any) -> BroadcastOut:
    """One at ten, of items of so many minutes."""
    recordings = tuple([await here.recording(length_ms=int(each * 60_000), area_id=area.id) for each in minutes])
    said: dict[str, Any] = {"title": "Buổi sáng", "recordings": recordings, "targets": (area.scope,), "start_at": TEN}
    return await here.services.broadcasts.create(here.actor, BroadcastIn(**said, **given))


async def plays_item(here: Centre, node: NodeOut, broadcast: BroadcastOut, item: int, at: datetime) -> None:
    """The node says that an item began; the clock is at that instant."""
    here.clock.now = max(here.clock.now, at)
    event = play_event(broadcast.id, item + 1, at, state=PlayState.PLAYING, item=item)
    async with here.database.transaction() as tx:
        await plays.apply(tx, node.id, event, at)


async def on_air(here: Centre, *minutes: float, **given: Any) -> tuple[AreaOut, BroadcastOut]:
    """Two nodes that began a session at ten; it is half a minute later."""
    area = await here.area()
    nodes = [await here.node(area, f"Cụm {number}") for number in range(2)]
    running = await session(here, area, *minutes, **given)
    for node in nodes:
        await plays_item(here, node, running, 0, TEN)
    here.clock.now = TEN + 30 * SECOND
    return area, running


async def notice(here: Centre, area: AreaOut, **given: Any) -> BroadcastIn:
    recording = await here.recording(length_ms=20_000, area_id=area.id)
    return BroadcastIn(title="Mất điện", recordings=(recording,), targets=(area.scope,), **given)


async def preview(here: Centre, wanted: BroadcastIn) -> PreviewOut:
    return await here.services.broadcasts.preview(here.actor, wanted)


async def row_of(here: Centre, sent: BroadcastOut) -> Broadcast:
    async with here.database.reading() as opened:
        return await opened.get_one(Broadcast, sent.id)


async def test_without_a_word_it_waits_two_minutes_for_the_session_and_is_missed(lite: Centre) -> None:
    area, _ = await on_air(lite, 2, 3)
    found = await preview(lite, await notice(lite, area))
    assert (found.played_count, found.cuts) == (0, ())
    assert {each.outcome for each in found.forecasts} == {Outcome.MISSED}


async def test_after_the_item_it_is_heard_between_two_items_and_nothing_is_lost(lite: Centre) -> None:
    area, running = await on_air(lite, 2, 3)
    wanted = await notice(lite, area, during="after_item")
    found = await preview(lite, wanted)
    assert (found.start_at, found.played_count, found.late_count) == (TEN + 2 * MINUTE, 2, 0)
    [cut] = found.cuts
    assert (cut.broadcast_id, cut.title, cut.node_count) == (running.id, "Buổi sáng", 2)
    assert (cut.at, cut.lost_ms, cut.resumes_at) == (TEN + 2 * MINUTE, 0, TEN + 2 * MINUTE + 20 * SECOND)
    sent = await lite.services.broadcasts.create(lite.actor, wanted)
    row = await row_of(lite, sent)
    assert (row.urgent, row.start_mode, row.start_at) == (True, StartMode.HARD, TEN + 2 * MINUTE)


async def test_faded_it_is_heard_at_once_and_the_rest_of_the_item_is_lost(lite: Centre) -> None:
    area, _ = await on_air(lite, 2, 3)
    found = await preview(lite, await notice(lite, area, during="fade"))
    now = lite.clock() + timedelta(milliseconds=lite.services.config.lead_ms)
    [cut] = found.cuts
    assert (found.start_at, cut.at, cut.lost_ms) == (now, now, (TEN + 2 * MINUTE - now) // timedelta(milliseconds=1))
    assert cut.resumes_at == TEN + 2 * MINUTE  # its next item, at that item's time
    assert found.played_count == 2


async def test_what_is_faded_in_its_last_item_does_not_come_back(lite: Centre) -> None:
    area, running = await on_air(lite, 2)
    found = await preview(lite, await notice(lite, area, during="fade"))
    [cut] = found.cuts
    assert (cut.broadcast_id, cut.at, cut.resumes_at) == (running.id, found.start_at, None)
    assert cut.lost_ms == (TEN + 2 * MINUTE - found.start_at) // timedelta(milliseconds=1)


async def test_where_nothing_sounds_both_begin_now(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    for during in ("after_item", "fade"):
        found = await preview(lite, await notice(lite, area, during=during))
        assert found.start_at == lite.clock() + timedelta(milliseconds=lite.services.config.lead_ms)
        assert found.cuts == ()


async def test_the_last_item_is_waited_for_to_its_end(lite: Centre) -> None:
    area, _ = await on_air(lite, 2)
    found = await preview(lite, await notice(lite, area, during="after_item"))
    assert (found.start_at, found.played_count, found.cuts) == (TEN + 2 * MINUTE, 2, ())


async def test_a_session_of_a_higher_level_is_waited_for_as_long_as_it_takes(lite: Centre) -> None:
    """The latest start follows from the forecast: two minutes would not do."""
    area, _ = await on_air(lite, 2, 30, level="priority")
    for during in ("after_item", "fade"):
        found = await preview(lite, await notice(lite, area, during=during))
        assert (found.played_count, found.cuts) == (2, ())
        [told] = found.forecasts
        assert told.begins_at == TEN + 32 * MINUTE
        assert found.latest_start_at == TEN + 33 * MINUTE


async def test_what_is_asked_for_stays_within_the_latest_start_that_was_named(lite: Centre) -> None:
    area, _ = await on_air(lite, 2, 3)
    found = await preview(lite, await notice(lite, area, during="after_item", latest_start_at=TEN + MINUTE))
    assert found.start_at == found.latest_start_at == TEN + MINUTE
    assert found.cuts[0].lost_ms == 60_000


async def test_a_node_that_is_a_moment_ahead_decides(lite: Centre) -> None:
    """Else it would have begun the next item, and lose it."""
    area = await lite.area()
    ahead, behind = await lite.node(area, "Cụm 1"), await lite.node(area, "Cụm 2")
    running = await session(lite, area, 2, 3)
    await plays_item(lite, ahead, running, 0, TEN)
    await plays_item(lite, behind, running, 0, TEN + SECOND)
    lite.clock.now = TEN + 30 * SECOND
    found = await preview(lite, await notice(lite, area, during="after_item"))
    assert found.start_at == TEN + 2 * MINUTE
    assert sorted(each.lost_ms for each in found.cuts) == [0, 1000]


async def test_it_goes_with_now_only(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    with pytest.raises(InvalidError) as caught:
        await preview(lite, await notice(lite, area, during="fade", start_at=TEN + MINUTE))
    assert caught.value.fields["field"] == "during"


def test_where_nobody_plays_the_start_stays() -> None:
    assert free_at(TEN, (), {}) == TEN
