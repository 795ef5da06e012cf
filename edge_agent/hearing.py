"""Listens while the node sounds, and says of each item whether it was heard. It proves; it never disproves grade E1.

The input is open from shortly before a sound until shortly after, no longer: it is no ear for the street. What left the
output and what came in lie on two tapes of some seconds; pieces of both go to the judge, at the item's begin and end
and every so often between, whatever its length.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from edge_agent.abilities import GRADES
from edge_agent.clock import NS
from edge_agent.config import InputKind
from edge_agent.errors import InputLostError
from edge_agent.evidence import RATE, UNSENSED, Sensation
from edge_agent.faults import Fault, FaultBook
from edge_agent.heard import PieceHeard, Sensed, Way
from edge_agent.inputs.base import Input, Maker
from edge_agent.judge import IDLE_S, Judge
from edge_agent.protocol.states import Grade
from edge_agent.renderer import Cue
from edge_agent.tape import Tape, loudness
from edge_agent.threads import in_thread

log = logging.getLogger(__name__)

PIECE_NS = 5 * NS
LEAST_NS = 3 * NS // 2
"""Less cannot be judged: seconds must agree."""
EVERY_NS = 20 * NS
"""From one piece of an item to the next: a quarter of a long item is judged, and its end always."""
BEFORE_NS, AFTER_NS = 300_000_000, 1_200_000_000
"""How much earlier and later than its stamp a sound may come in: devices' buffers, and 343 m a second."""
FARTHEST_MS = 200.0
"""Later than this nothing of ours comes in, while no reference says how late that is: 50 m, and what devices hold."""
NEAR_MS = 40.0
"""Around the delay of the reference: 5 m of wind and warmth, and devices' buffers from one opening to the next."""
KEEP_S = 12.0
"""Seconds on each tape: a piece, its echo, and a busy machine."""
LOOK_S = 0.25
LINGER_NS = 4 * NS
"""The input stays open so long after the last sound: items follow one another."""
PATIENCE_NS = 12 * NS
"""So long after its end an item waits for a verdict: its play is not reported before."""
MOSTLY = 0.75
"""Of the pieces that tell, so many must be heard: one in noise may be missed, a dead half may not."""
FAINT = 20.0
"""A piece whose loudness (of 32767) is below this is a pause."""
RETRY_S = 60.0


class Listened:
    """What was heard of one item so far."""

    def __init__(self, cue: Cue) -> None:
        self.cue = cue
        self.next_ns: int | None = None
        """Where its next piece begins (monotonic); None before its begin is known."""
        self.cut = False
        """All its pieces have been cut out."""
        self.until_ns: int | None = None
        """Where it ended; None while it sounds."""
        self.pieces: list[PieceHeard] = []
        self.waiting = 0
        """Pieces with the judge."""

    @property
    def sensed(self) -> Literal["heard", "not_heard", "unsure"]:
        """The verdict of its pieces."""
        told = [one.verdict == "heard" for one in self.pieces if one.verdict != "unsure"]
        if not told:
            return "unsure"
        if sum(told) >= MOSTLY * len(told):
            return "heard"
        return "unsure" if any(told) else "not_heard"

    @property
    def delays_ms(self) -> tuple[float, ...]:
        """How late the pieces that were heard came in."""
        return tuple(one.delay_ms for one in self.pieces if one.verdict == "heard")

    @property
    def ways(self) -> tuple[Way, ...]:
        """What came of what was sent, by piece."""
        return tuple(one.way for one in self.pieces if one.way is not None)


class Ear:
    """Runs until cancelled. ``maker`` is None on a node without an input."""

    name = "hearing"

    def __init__(
        self, maker: Maker | None, kind: InputKind, judge: Judge, faults: FaultBook, *, monotonic_ns: Callable[[], int]
    ) -> None:
        self._maker, self.kind, self._judge, self._faults = maker, kind, judge, faults
        self._monotonic_ns = monotonic_ns
        self.ready = asyncio.Event()
        self.sent, self._captured = Tape(KEEP_S), Tape(KEEP_S)
        self._input: Input | None = None
        self._listening: list[Listened] = []
        self._asked: set[asyncio.Task[None]] = set()
        self._busy = asyncio.Event()
        self._lost: str | None = None
        self._quiet_since_ns = 0
        self.on_told: Callable[[Cue, Sensation], None] = lambda _cue, _sensed: None
        """Called once for each cue that was attended, when all that will be known of it is."""
        self.own_delay_ms: Callable[[], float | None] = lambda: None
        """How late our own horns come in here, by the acoustic reference; None without one."""
        self.on_item: Callable[[Listened], None] = lambda _: None
        """Called before it, with all that was found."""

    @property
    def grade(self) -> Grade:
        """The best that can be claimed."""
        return Grade.E1 if self._maker is None else GRADES[self.kind]

    @property
    def present(self) -> bool:
        """Whether anything listens."""
        return self._maker is not None

    def attend(self, cue: Cue) -> None:
        """A sound is armed: listen to it."""
        if self._maker is not None:
            self._listening.append(Listened(cue))
            self._busy.set()

    def over(self, cue: Cue) -> None:
        """A sound has ended; its verdict follows through ``on_told``, within ``PATIENCE_NS``."""
        for one in self._of(cue):
            one.until_ns = min(cue.last_ns or self._monotonic_ns(), self._monotonic_ns())

    def is_listening(self, cue: Cue) -> bool:
        """Say whether a verdict is still to come."""
        return any(True for _ in self._of(cue))

    def give_up(self) -> None:
        """Tell what is known by now: the node is about to end."""
        for one in [*self._listening]:
            self._tell(one)

    async def run(self) -> None:
        """Listen when there is something to hear, for ever."""
        self.ready.set()
        try:
            if self._maker is not None:
                await self._probe()
            while True:
                await self._wait()
                await self._open()
                await self._judge.wake()
                while self._listening or self._monotonic_ns() < self._quiet_since_ns + LINGER_NS:
                    self._look()
                    await asyncio.sleep(LOOK_S)
                self._busy.clear()
                await self._close()
        finally:
            for task in self._asked:
                task.cancel()
            await asyncio.shield(self._close())

    # The input.

    async def _wait(self) -> None:
        """Wait for a sound; the judge may go when none comes for long, and a lost input is tried again."""
        while not self._busy.is_set():
            try:
                async with asyncio.timeout(RETRY_S if self._lost is not None else IDLE_S):
                    await self._busy.wait()
            except TimeoutError:
                await self._judge.rest()
                if self._lost is not None:
                    await self._probe()

    async def _probe(self) -> None:
        """Open it and close it: that there is none should be known before something sounds."""
        await self._open()
        await self._close()

    async def _open(self) -> None:
        if self._maker is None or self._input is not None:
            return
        made = self._maker()
        self._captured.clear()
        self._lost = None  # what it tells from now on is of this one: it may be lost before anybody has it
        try:
            await in_thread(made.open, self._captured.put, self._note_lost)
        except InputLostError as error:
            self._lose(str(error))
            return
        self._input = made
        self._faults.turn(Fault.INPUT_LOST, self._lost is not None, self._lost or "")

    async def _close(self) -> None:
        if self._input is not None:
            gone, self._input = self._input, None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):  # a card that hangs may not keep us
                    await in_thread(gone.close)
            self._captured.clear()
            self.sent.clear()

    def _note_lost(self, why: str) -> None:
        """Remember it until the next look. Runs in the device's thread."""
        self._lost = why

    def _lose(self, why: str) -> None:
        self._lost = why
        self._faults.put(Fault.INPUT_LOST, why)

    # Pieces.

    def _look(self) -> None:
        """Cut out what has come in whole, and tell what is known."""
        if self._lost is not None and self._input is not None:
            self._lose(self._lost)
        now_ns = self._monotonic_ns()
        for one in [*self._listening]:
            for begin_ns, end_ns in self._due(one, now_ns):
                self._ask(one, begin_ns, end_ns)
            if one.until_ns is None:
                continue
            silent = one.cue.first_ns is None
            if silent or (one.cut and not one.waiting) or now_ns > one.until_ns + PATIENCE_NS:
                self._tell(one)
        if self._listening:
            self._quiet_since_ns = now_ns

    def _due(self, one: Listened, now_ns: int) -> Iterator[tuple[int, int]]:
        """Give the pieces of an item whose echo has come in, each from and until when."""
        one.next_ns = one.next_ns or one.cue.first_ns
        if one.next_ns is None or one.cut:
            return
        if now_ns >= one.next_ns + PIECE_NS + AFTER_NS and self._has(one, one.next_ns + PIECE_NS):
            yield one.next_ns, one.next_ns + PIECE_NS
            one.next_ns += EVERY_NS
        if one.until_ns is not None and now_ns >= one.until_ns + AFTER_NS:
            begin_ns = max(one.cue.first_ns or 0, one.until_ns - PIECE_NS)
            one.cut = True
            if one.until_ns - begin_ns >= LEAST_NS:
                yield begin_ns, one.until_ns

    def _has(self, one: Listened, until_ns: int) -> bool:
        """Whether the item goes on until then: its end is judged as its end."""
        return one.until_ns is None or one.until_ns > until_ns + LEAST_NS

    def _ask(self, one: Listened, begin_ns: int, end_ns: int) -> None:
        begin_ns = max(begin_ns, self._captured.begin_ns)  # an input takes its time to open
        if end_ns - begin_ns < LEAST_NS or self._lost is not None or self._captured.end_ns < end_ns:
            return
        frames = (end_ns - begin_ns) * RATE // NS
        extra = (BEFORE_NS + AFTER_NS) * RATE // NS
        sent = self.sent.between(begin_ns, frames)
        captured = self._captured.between(begin_ns - BEFORE_NS, frames + extra)
        if loudness(sent) < FAINT:
            return
        one.waiting += 1
        task = asyncio.create_task(self._judged(one, sent, captured), name="judge a piece")
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def _judged(self, one: Listened, sent: bytes, captured: bytes) -> None:
        try:
            found = await self._judge.piece(sent, captured)
        finally:
            one.waiting -= 1
        if found is not None:
            late_ms = found.delay_ms - BEFORE_NS / 1e6
            verdict = self._whose(late_ms) if found.verdict == "heard" else found.verdict
            way = found.way if verdict == "heard" else None
            found = msgspec.structs.replace(found, verdict=verdict, way=way, delay_ms=late_ms)
            one.pieces.append(found)
            told = (one.cue.sound.broadcast_id, found.verdict, found.clarity, late_ms)
            log.info("a piece of %s: %s, %.1f, after %.0f ms", *told)

    def _whose(self, late_ms: float) -> Sensed:
        """Say whether what came can be of our own horns: those of the next hamlet say the same at the same time."""
        own_ms = self.own_delay_ms()
        if own_ms is None:
            return "heard" if late_ms <= FARTHEST_MS else "unsure"
        return "heard" if abs(late_ms - own_ms) <= NEAR_MS else "not_heard"

    def _tell(self, one: Listened) -> None:
        self._listening.remove(one)
        sensed = one.sensed
        if sensed != "unsure":
            detail = f"item {one.cue.sound.item} of {one.cue.sound.broadcast_id}"
            self._faults.turn(Fault.NOT_HEARD, sensed == "not_heard", detail)
        self.on_item(one)
        simulated = self._input.simulated if self._input is not None else False
        told = Sensation(sensed=sensed, grade=self.grade, simulated=simulated)
        self.on_told(one.cue, told if sensed != "unsure" else UNSENSED)

    def _of(self, cue: Cue) -> Iterator[Listened]:
        return (one for one in self._listening if one.cue is cue)


def together(listened: Iterable[Listened]) -> tuple[Way, ...]:
    """Give what came of all pieces of some items."""
    return tuple(way for one in listened for way in one.ways)
