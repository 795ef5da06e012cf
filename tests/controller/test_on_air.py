"""How far a node is, by its reports: a session that was cut and came back counts from where it came back."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from sqlalchemy import update

from controller.areas.schemas import AreaOut
from controller.broadcasts.models import Broadcast
from controller.broadcasts.on_air import OnAir, progress_of, sounding
from controller.broadcasts.rules import During
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.nodes.schemas import NodeOut
from controller.plays import service as plays
from controller.plays.rules import PlayFacts, advance
from edge_agent.protocol.states import PlayState
from tests.controller.factories import Centre, play_event

TEN = datetime(2026, 3, 9, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


async def send(here: Centre, area: AreaOut, title: str, at: datetime, *minutes: float) -> BroadcastOut:
    recordings = tuple([await here.recording(length_ms=int(each * 60_000), area_id=area.id) for each in minutes])
    asked = BroadcastIn(title=title, recordings=recordings, targets=(area.scope,), start_at=at, confirm_conflicts=True)
    return await here.services.broadcasts.create(here.actor, asked)


async def begins(here: Centre, node: NodeOut, broadcast: BroadcastOut, item: int, at: datetime) -> None:
    here.clock.now = at
    event = play_event(broadcast.id, item + 1, at, state=PlayState.PLAYING, item=item)
    async with here.database.transaction() as tx:
        await plays.apply(tx, node.id, event, at)


async def cut(here: Centre) -> tuple[AreaOut, NodeOut, BroadcastOut, BroadcastOut]:
    """A session of three items, cut at 10:01 by an emergency of one minute."""
    area = await here.area()
    node = await here.node(area)
    session = await send(here, area, "Buổi sáng", TEN, 2, 2, 2)
    emergency = await send(here, area, "Lũ", TEN + MINUTE, 1)
    async with here.database.transaction() as tx:
        await tx.session.execute(update(Broadcast).where(Broadcast.id == emergency.id).values(level="emergency"))
    await begins(here, node, session, 0, TEN)
    await begins(here, node, emergency, 0, TEN + MINUTE)
    return area, node, session, emergency


async def test_what_an_emergency_cut_is_foreseen_to_come_back_with_its_next_item(lite: Centre) -> None:
    _, node, session, emergency = await cut(lite)
    lite.clock.step(seconds=10)
    day = {each.broadcast_id: each for each in (await lite.services.days.of(lite.actor, node.id)).entries}
    assert [each.begins_at for each in day[emergency.id].sounds] == [TEN + MINUTE]
    assert [(each.item, each.begins_at) for each in day[session.id].sounds] == [
        (1, TEN + 2 * MINUTE),
        (2, TEN + 4 * MINUTE),
    ]
    told = await lite.services.whys.of(lite.actor, node.id, session.id)
    assert told.blocker == "node_free"


async def test_what_is_said_after_the_item_counts_from_where_the_session_came_back(here: Centre) -> None:
    """Its second item begins ten seconds late, and ends so."""
    area, node, session, emergency = await cut(here)
    late = TEN + 2 * MINUTE + 10 * SECOND
    async with here.database.transaction() as tx:
        event = play_event(emergency.id, 9, late, outcome="played")
        await plays.apply(tx, node.id, event, late)
    await begins(here, node, session, 1, late)
    recording = await here.recording(length_ms=20_000, area_id=area.id)
    wanted = BroadcastIn(title="Tin", recordings=(recording,), targets=(area.scope,), during=During.AFTER_ITEM)
    found = await here.services.broadcasts.preview(here.actor, wanted)
    assert found.start_at == late + 2 * MINUTE
    assert [each.lost_ms for each in found.cuts] == [0]


def test_the_last_item_and_its_instant_do_not_depend_on_the_order_of_reports() -> None:
    events = [
        play_event("b", 1, TEN, state=PlayState.PLAYING, item=0),
        play_event("b", 2, TEN + MINUTE, state=PlayState.PLAYING, item=1),
        play_event("b", 3, TEN + 3 * MINUTE, state=PlayState.PLAYING, item=1),  # repeated after a crash
        play_event("b", 4, TEN + 3 * MINUTE, state=PlayState.ARMED),
    ]
    for order in permutations(events):
        facts = PlayFacts(PlayState.PLANNED)
        for event in order:
            facts = advance(facts, event)
        assert (facts.item, facts.item_at, facts.started_at) == (1, TEN + 3 * MINUTE, TEN)


def test_of_what_is_not_known_nothing_is_said() -> None:
    assert sounding([]) is None
    assert progress_of([OnAir("gone", 0, TEN, None)], {}, ("vi",)) == {}
