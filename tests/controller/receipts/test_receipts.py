"""Receipts in rows: each event once, known without gaps, plays moved on."""

from sqlalchemy import select

from controller.broadcasts.schemas import BroadcastIn
from controller.events import Event, Topic
from controller.plays.models import Play
from controller.receipts import service
from controller.receipts.models import Receipt, ReceiptStore
from controller.receipts.service import Stored
from edge_agent.protocol.reports import PlayEvent, Receipts
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason
from tests.controller import factories
from tests.controller.factories import MORNING


def message(node_id: str, *seqs: int, store: str = "s-1", broadcast: str = "b-1", kept_from: int = 1) -> Receipts:
    events = tuple(PlayEvent(seq=seq, at=MORNING, broadcast_id=broadcast, state=PlayState.RECEIVED) for seq in seqs)
    return Receipts(iss=node_id, iat=1, store_id=store, kept_from_seq=kept_from, events=events)


async def store(centre: factories.Centre, *batch: Receipts) -> list[Stored]:
    async with centre.database.transaction() as tx:
        return await service.store(tx, batch, centre.clock())


async def stored(centre: factories.Centre) -> list[tuple[str, int]]:
    async with centre.database.reading() as session:
        rows = await session.execute(select(Receipt.store_id, Receipt.seq).order_by(Receipt.store_id, Receipt.seq))
        return [(row.store_id, row.seq) for row in rows]


async def test_what_comes_twice_is_stored_once_and_acknowledged_twice(here: factories.Centre) -> None:
    node = await here.node(await here.area())
    expected = [Stored(node.id, "s-1", 3, gap=False)]
    assert await store(here, message(node.id, 1, 2, 3)) == expected
    assert await store(here, message(node.id, 2, 3), message(node.id, 1)) == expected
    assert await stored(here) == [("s-1", 1), ("s-1", 2), ("s-1", 3)]


async def test_a_gap_is_closed_whatever_the_order(here: factories.Centre) -> None:
    node = await here.node(await here.area())
    assert await store(here, message(node.id, 5, 3)) == [Stored(node.id, "s-1", 0, gap=True)]
    assert await store(here, message(node.id, 1)) == [Stored(node.id, "s-1", 1, gap=True)]
    assert await store(here, message(node.id, 2)) == [Stored(node.id, "s-1", 3, gap=True)]
    assert await store(here, message(node.id, 4)) == [Stored(node.id, "s-1", 5, gap=False)]


async def test_what_a_node_keeps_no_longer_is_not_waited_for(here: factories.Centre) -> None:
    node = await here.node(await here.area())
    assert await store(here, message(node.id, 1)) == [Stored(node.id, "s-1", 1, gap=False)]
    assert await store(here, message(node.id, 5, 8, kept_from=4)) == [Stored(node.id, "s-1", 3, gap=True)]
    assert await store(here, message(node.id, 8, kept_from=6)) == [Stored(node.id, "s-1", 5, gap=True)]
    assert await store(here, message(node.id, 9, kept_from=8)) == [Stored(node.id, "s-1", 9, gap=False)]
    assert await store(here, message(node.id, 10, kept_from=2**53 - 1)) == [Stored(node.id, "s-1", 10, gap=False)]
    assert await stored(here) == [("s-1", seq) for seq in (1, 5, 8, 9, 10)]


async def test_every_store_of_every_node_counts_for_itself(here: factories.Centre) -> None:
    area = await here.area()
    first, second = await here.node(area), await here.node(area, "Cụm 2")
    found = await store(
        here,
        message(first.id, 1, 2),
        message(second.id, 1),
        message(first.id, 1, store="s-2"),
        message(first.id, 3),
    )
    assert found == [
        Stored(first.id, "s-1", 3, gap=False),
        Stored(second.id, "s-1", 1, gap=False),
        Stored(first.id, "s-2", 1, gap=False),
    ]
    async with here.database.reading() as session:
        assert sorted(await session.scalars(select(ReceiptStore.through_seq))) == [1, 1, 3]


async def test_the_largest_number_of_the_wire_fits(here: factories.Centre) -> None:
    node = await here.node(await here.area())
    assert await store(here, message(node.id, 2**53 - 1)) == [Stored(node.id, "s-1", 0, gap=True)]
    assert await stored(here) == [("s-1", 2**53 - 1)]


async def test_a_play_goes_its_way_within_one_batch(here: factories.Centre) -> None:
    area = await here.area(quiet_hours=[])
    node, other = await here.node(area), await here.node(area, "Cụm 2")
    sent = await here.services.broadcasts.create(
        here.actor,
        BroadcastIn(title="Thông báo", recordings=(await here.recording(),), targets=(f"areas/{area.id}",)),
    )
    events = (
        PlayEvent(seq=1, at=MORNING, broadcast_id=sent.id, state=PlayState.CACHED),
        PlayEvent(seq=2, at=MORNING, broadcast_id=sent.id, state=PlayState.RECEIVED),
        PlayEvent(seq=3, at=MORNING, broadcast_id=sent.id, outcome=Outcome.REFUSED, reason=Reason.TOO_LONG),
        PlayEvent(seq=4, at=MORNING, broadcast_id="not-ours", state=PlayState.PLAYING),
    )
    with here.bus.listen() as told:
        await store(here, Receipts(iss=node.id, iat=1, store_id="s-1", events=events))
        here.bus.publish(Event(Topic.MISSED))
        assert [await anext(told), await anext(told)] == [Event(Topic.PLAY, sent.id, node.id), Event(Topic.MISSED)]
    async with here.database.reading() as session:
        plays = {play.node_id: play for play in await session.scalars(select(Play))}
    assert (plays[node.id].state, plays[node.id].outcome, plays[node.id].reason) == (
        "cached",
        "refused",
        "too_long",
    )
    assert (plays[other.id].state, plays[other.id].outcome) == ("planned", None)
    assert len(plays) == 2
    assert len(await stored(here)) == 4


async def test_the_largest_figures_of_the_wire_fit_into_a_play(here: factories.Centre) -> None:
    """A node may claim anything that the wire allows; a database that refuses it would stop the ingest of all."""
    area = await here.area(quiet_hours=[])
    node = await here.node(area)
    sent = await here.services.broadcasts.create(
        here.actor,
        BroadcastIn(title="Thông báo", recordings=(await here.recording(),), targets=(f"areas/{area.id}",)),
    )
    most = 2**53 - 1
    claim = PlayEvent(
        seq=1,
        at=MORNING,
        broadcast_id=sent.id,
        outcome=Outcome.PLAYED,
        grade=Grade.E1,
        requested_ms=most,
        played_ms=most,
        underruns=most,
        start_error_ms=-1e7,
    )
    assert len(await store(here, Receipts(iss=node.id, iat=1, store_id="s-1", events=(claim,)))) == 1
    [play] = await here.services.broadcasts.plays(here.actor, sent.id)
    assert play.outcome == "played"
    assert len(await stored(here)) == 1
