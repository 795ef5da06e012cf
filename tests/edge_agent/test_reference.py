"""The acoustic reference: taken on request, compared with every session of the tune, and kept."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.faults import Fault, FaultBook
from edge_agent.feed import Feed
from edge_agent.heard import Change, Compared, PieceHeard, Sensed, Way
from edge_agent.hearing import Listened
from edge_agent.protocol.content import Voice
from edge_agent.protocol.timeline import Sound
from edge_agent.reference import Reference
from edge_agent.renderer import Cue
from edge_agent.store import Store
from tests.edge_agent.fakes import NOON

TUNE, WAY = "a" * 64, Way((1.0,), (1.0,), (0.0,), (1.0,))


class Comparer:
    """A judge that says of each session what a test wants."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    async def piece(self, sent: bytes, captured: bytes) -> PieceHeard | None:
        raise AssertionError(f"nobody asked for it: {len(sent)} {len(captured)}")

    async def compare(self, reference: tuple[Way, ...], now: tuple[Way, ...]) -> Compared | None:
        assert reference == now == (WAY,)
        return Compared(change=self.changes.pop(0), level_db=-3.0, colour_db=0.0, moved=0.0)

    async def wake(self) -> None:
        """Nothing to do."""

    async def rest(self) -> None:
        """Nothing to do."""


class Pole:
    """A reference over a store."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder / "agent.db")
        self.judge, self.faults, self.sessions = Comparer(), FaultBook(lambda: NOON), 0
        self.reference = Reference(self.store, self.judge, self.faults, lambda: NOON)

    async def session(self, sensed: Sensed = "heard", *, delay_ms: float = 30.0) -> None:
        """Let a play with the tune be over."""
        self.sessions += 1
        name = f"b-{self.sessions}"
        voice = Voice(language="vi", sha256=TUNE, bytes=1, length_ms=1000)
        sound = Sound(broadcast_id=name, item=0, voice=voice, begins_at=NOON, ends_at=NOON, gain_mb=0)
        item = Listened(Cue(sound, Feed(lambda: iter(()), name="test")))
        item.pieces = [PieceHeard(verdict=sensed, delay_ms=delay_ms, way=WAY if sensed == "heard" else None)]
        self.reference.note_item(item)
        self.reference.session_over(name)
        await asyncio.gather(*self.reference._work)

    def told(self) -> str | None:
        return next((one.detail for one in self.faults.standing() if one.code == Fault.HORN_CHANGED), None)


@pytest.fixture
def pole(tmp_path: Path) -> Iterator[Pole]:
    made = Pole(tmp_path)
    yield made
    made.store.close()


async def test_a_reference_knows_how_late_its_own_horns_come_in(pole: Pole) -> None:
    pole.reference.want(None)
    await pole.session(delay_ms=42.0)
    again = Reference(pole.store, pole.judge, pole.faults, lambda: NOON)
    assert [pole.reference.delay_ms, again.delay_ms] == [42.0, 42.0], "through a restart"
    again.want(None)
    assert again.delay_ms is None, "until the new one is there, any horn may be ours"


async def test_a_changed_horn_is_told_after_one_session_and_surely_after_two(pole: Pole) -> None:
    pole.reference.want(None)
    await pole.session()
    pole.judge.changes = ["weaker", "weaker", "same", "weaker"]
    await pole.session()
    assert "in one session, the next one tells more" in (pole.told() or "")
    await pole.session()
    assert "in 2 sessions" in (pole.told() or "")
    await pole.session()
    assert pole.told() is None
    await pole.session()
    assert "in one session" in (pole.told() or ""), "counted anew"


async def test_horns_of_which_nothing_is_heard_are_silent(pole: Pole) -> None:
    pole.reference.want(None)
    await pole.session()
    await pole.session("not_heard")
    assert (pole.told() or "").startswith("silent")
