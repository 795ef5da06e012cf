"""The ear: what is cut out for the judge and when, what an item's pieces prove, and what never raises a grade."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from edge_agent.clock import NS
from edge_agent.errors import InputLostError
from edge_agent.evidence import Sensation
from edge_agent.faults import Fault, FaultBook
from edge_agent.feed import Feed
from edge_agent.heard import Compared, PieceHeard, Sensed, Way
from edge_agent.hearing import AFTER_NS, BEFORE_NS, EVERY_NS, PATIENCE_NS, PIECE_NS, Ear, Listened
from edge_agent.inputs.base import Take
from edge_agent.protocol.content import Voice
from edge_agent.protocol.states import Grade
from edge_agent.protocol.timeline import Sound
from edge_agent.renderer import Cue, End
from edge_agent.tape import Tape, loudness
from tests.edge_agent.fakes import NOON, SteppedInstruments, running, until

TONE = (b"\x10\x27" * 240 + b"\xf0\xd8" * 240) * 2
"""20 ms that are not silent."""


WAY = Way((1.0,), (1.0,), (0.0,), (1.0,))


class HandInput:
    """An input that a test speaks into; strict about the order of calls."""

    kind: Literal["card", "virtual"] = "virtual"
    simulated = True

    def __init__(self, *, fails: bool = False, breaks: bool = False) -> None:
        self._fails, self._breaks = fails, breaks
        self.is_over = False
        self.take: Take | None = None
        self.on_lost: Callable[[str], None] = lambda _: None

    def open(self, take: Take, on_lost: Callable[[str], None]) -> None:
        assert self.take is None, "an input is opened once"
        if self._fails:
            raise InputLostError("no such card")
        self.take, self.on_lost = take, on_lost
        if self._breaks:
            on_lost("pulled out in this moment")

    def close(self) -> None:
        assert self.take is not None, "an input that is not open is closed"
        self.take, self.is_over = None, True


class HandJudge:
    """Says what a test wants, and keeps what it was asked."""

    def __init__(self) -> None:
        self.verdicts: list[Sensed] = []
        self.late_ms = 20.0
        self.asked: list[tuple[bytes, bytes]] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.rests = self.wakes = 0

    async def piece(self, sent: bytes, captured: bytes) -> PieceHeard | None:
        self.asked.append((sent, captured))
        await self.answers.wait()
        if not self.verdicts:
            return None
        return PieceHeard(verdict=self.verdicts.pop(0), delay_ms=BEFORE_NS / 1e6 + self.late_ms, way=WAY)

    async def compare(self, reference: tuple[Way, ...], now: tuple[Way, ...]) -> Compared | None:
        raise AssertionError(f"nobody asked for it: {reference} {now}")

    async def wake(self) -> None:
        self.wakes += 1

    async def rest(self) -> None:
        self.rests += 1


class Booth:
    """An ear, an output and an input, in stepped time."""

    def __init__(self) -> None:
        self.clocks, self.judge = SteppedInstruments(), HandJudge()
        self.faults = FaultBook(lambda: NOON)
        self.inputs: list[HandInput] = []
        self.fails = self.breaks = False
        self.ear = Ear(self._make, "microphone", self.judge, self.faults, monotonic_ns=self.clocks.monotonic_ns)
        self.told: list[Sensation] = []
        self.ear.on_told = lambda _, sensation: self.told.append(sensation)

    def _make(self) -> HandInput:
        self.inputs.append(HandInput(fails=self.fails, breaks=self.breaks))
        return self.inputs[-1]

    def is_open(self) -> bool:
        return any(one.take is not None for one in self.inputs)

    def codes(self) -> list[str]:
        return [one.code for one in self.faults.standing()]

    async def item(self, seconds: float, *, end: bool = True) -> Cue:
        """Let an item sound, and hear it."""
        voice = Voice(language="vi", sha256="a" * 64, bytes=1, length_ms=round(seconds * 1000))
        sound = Sound(broadcast_id="b-1", item=0, voice=voice, begins_at=NOON, ends_at=NOON, gain_mb=0)
        cue = Cue(sound, Feed(lambda: iter(()), name="test"))
        self.ear.attend(cue)
        await until(lambda: self.ear._input is not None or self.fails)  # not only open: the ear has it in hand
        await self.pass_s(0.5)
        cue.first_ns = cue.last_ns = self.clocks.monotonic_ns()
        await self.pass_s(seconds, sounding=cue)
        if end:
            cue.end = End.WHOLE
            self.ear.over(cue)
        return cue

    async def pass_s(self, seconds: float, *, sounding: Cue | None = None) -> None:
        for _ in range(round(seconds * 50)):
            at_ns = self.clocks.monotonic_ns()
            if sounding is not None:
                self.ear.sent.put(TONE, at_ns)
                sounding.last_ns = at_ns + NS // 50
            for one in self.inputs:
                if one.take is not None:
                    one.take(TONE, at_ns)
            self.clocks.pass_(milliseconds=20)
            self.ear._look()
            await asyncio.sleep(0)
            await asyncio.sleep(0)


@pytest.fixture
async def booth() -> AsyncIterator[Booth]:
    made = Booth()
    async with running(made.ear):
        await until(lambda: made.inputs and made.inputs[0].is_over)  # it has been tried at the start
        yield made


async def test_a_short_item_is_judged_once_with_room_for_its_delay(booth: Booth) -> None:
    booth.judge.verdicts = ["heard"]
    await booth.item(3)
    assert booth.told == []
    await booth.pass_s(1.5)
    assert booth.told == [Sensation(sensed="heard", grade=Grade.E3, simulated=True)]
    ((sent, captured),) = booth.judge.asked
    assert booth.judge.wakes == 1
    assert len(sent) == 3 * 96_000
    assert len(captured) == len(sent) + (BEFORE_NS + AFTER_NS) * 96_000 // NS
    assert loudness(sent) > 1000


async def test_half_an_hour_is_judged_by_pieces_that_are_spread_over_it(booth: Booth) -> None:
    booth.judge.verdicts = ["heard"] * 200
    await booth.item(65)
    await booth.pass_s(1.5)
    expected = -(-(65 * NS - PIECE_NS) // EVERY_NS) + 1  # at 0, 20, 40 and 60 less than a piece before its end
    assert len(booth.judge.asked) == expected
    assert {len(sent) for sent, _ in booth.judge.asked} == {PIECE_NS // NS * 96_000}
    assert sum(len(block) for _, block in booth.ear.sent._blocks) <= 13 * 96_000


async def test_what_is_not_heard_is_a_fault_until_something_is(booth: Booth) -> None:
    booth.judge.verdicts = ["not_heard", "heard"]
    await booth.item(3)
    await booth.pass_s(1.5)
    assert booth.told[0].sensed == "not_heard"
    assert booth.codes() == [Fault.NOT_HEARD]
    await booth.item(3)
    await booth.pass_s(1.5)
    assert booth.codes() == []


@pytest.mark.parametrize(("verdicts", "sensed"), [
    (["heard", "heard", "heard", "not_heard"], "heard"),
    (["heard", "not_heard", "unsure", "unsure"], "unsure"),
    (["not_heard", "unsure", "not_heard", "not_heard"], "not_heard"),
    (["unsure"] * 4, "unsure"),
    ([], "unsure"),
])  # fmt: skip
async def test_an_item_is_what_most_of_its_pieces_are(booth: Booth, verdicts: list[Sensed], sensed: Sensed) -> None:
    """The last: the judge has died."""
    booth.judge.verdicts = list(verdicts)
    await booth.item(64)
    await booth.pass_s(1.5)
    assert [one.sensed for one in booth.told] == [sensed]


@pytest.mark.parametrize(
    ("reference_ms", "late_ms", "sensed"),
    [
        (None, 60.0, "heard"),
        (None, 230.0, "unsure"),  # 80 m
        (None, 1100.0, "unsure"),
        (60.0, 75.0, "heard"),
        (60.0, 230.0, "not_heard"),
        (180.0, 60.0, "not_heard"),
    ],
)
async def test_the_horns_of_the_next_hamlet_prove_nothing_about_ours(
    booth: Booth, reference_ms: float | None, late_ms: float, sensed: Sensed
) -> None:
    """They say the same, in step with ours, and are heard across the fields; but later."""
    booth.ear.own_delay_ms = lambda: reference_ms
    booth.judge.verdicts, booth.judge.late_ms = ["heard"], late_ms
    heard: list[Listened] = []
    booth.ear.on_item = heard.append
    await booth.item(3)
    await booth.pass_s(3)
    assert [one.sensed for one in booth.told] == [sensed]
    [one] = heard
    assert bool(one.ways) is bool(one.delays_ms) is (sensed == "heard"), "nor do they make a reference"
    assert (Fault.NOT_HEARD in booth.codes()) is (sensed == "not_heard")


async def test_a_judge_that_does_not_answer_keeps_nobody_waiting(booth: Booth) -> None:
    booth.judge.answers.clear()
    booth.judge.verdicts = ["heard"]
    await booth.item(3)
    await booth.pass_s(PATIENCE_NS / NS + 0.1)
    assert [one.sensed for one in booth.told] == ["unsure"]
    booth.judge.answers.set()
    await booth.pass_s(0.1)
    assert len(booth.told) == 1


async def test_the_street_is_not_listened_to_when_nothing_sounds(booth: Booth) -> None:
    booth.judge.verdicts = ["heard"]
    assert not booth.is_open()
    await booth.item(2)
    assert booth.is_open()
    await booth.pass_s(1.5)
    await booth.pass_s(5)
    await until(lambda: not booth.is_open())
    await until(lambda: booth.ear._captured.begin_ns == booth.ear.sent.begin_ns == 0)  # nothing of it is kept


async def test_an_input_that_is_gone_is_a_fault_and_proves_nothing(booth: Booth) -> None:
    booth.judge.verdicts = ["heard"]
    cue = await booth.item(2, end=False)
    booth.inputs[-1].on_lost("pulled out")
    await booth.pass_s(0.1)
    assert booth.codes() == [Fault.INPUT_LOST]
    booth.ear.over(cue)
    await booth.pass_s(1.5)
    assert [one.sensed for one in booth.told] == ["unsure"]
    assert booth.judge.asked == []


async def test_an_input_that_is_gone_in_the_moment_in_which_it_opens_is_a_fault_too(booth: Booth) -> None:
    booth.breaks, booth.judge.verdicts = True, ["heard"]
    await booth.item(2)
    assert booth.codes() == [Fault.INPUT_LOST]
    await booth.pass_s(1.5)
    assert [one.sensed for one in booth.told] == ["unsure"]
    assert booth.judge.asked == []


async def test_an_input_that_does_not_open_is_known_before_anything_sounds() -> None:
    booth = Booth()
    booth.fails = True
    async with running(booth.ear):
        await until(lambda: booth.codes() == [Fault.INPUT_LOST])


async def test_what_ends_with_the_node_is_told_as_far_as_it_is_known(booth: Booth) -> None:
    booth.judge.verdicts = ["heard"]
    cue = await booth.item(30)
    assert booth.ear.is_listening(cue)
    booth.ear.give_up()
    assert not booth.ear.is_listening(cue)
    assert [one.sensed for one in booth.told] == ["heard"]


def test_a_tape_keeps_wavering_stamps_together_and_real_gaps_apart() -> None:
    tape = Tape(keep_s=5)
    for number, off_ms in enumerate((0, 3, -4, 7)):
        tape.put(bytes([number + 1]) * 960, NS + number * 10_000_000 + off_ms * 1_000_000)
    tape.put(b"\x09" * 960, 2 * NS)
    whole = tape.between(NS, 4 * 480)
    assert [whole[at * 960] for at in range(4)] == [1, 2, 3, 4]
    assert len(set(whole)) == 4
    assert tape.between(2 * NS - 10_000_000, 960) == bytes(960) + b"\x09" * 960
    assert tape.end_ns == 2 * NS + 10_000_000


def test_a_tape_forgets_what_is_old(tmp_path: Path) -> None:
    tape = Tape(keep_s=0.5)
    for number in range(200):
        tape.put(bytes(960), NS + number * 10_000_000)
    assert tape.begin_ns >= tape.end_ns - timedelta(seconds=0.51) // timedelta(microseconds=1) * 1000
