"""What time it is, and whether to believe it. The system clock is read, never set.

``Instruments`` is the seam: the kernel's clocks in production, stepped ones in tests. ``Clock`` holds the rules.
"""

import ctypes
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from edge_agent.faults import Fault, FaultBook
from edge_agent.protocol.documents import TimeAnswer
from edge_agent.protocol.states import ClockState

NS = 1_000_000_000
MAX_STEP_NS = 5 * NS
"""A jump of the wall clock against the boot clock that ends all trust (DESIGN section 5)."""
MAX_OFFSET_MS = 250.0
"""How far the centre's time may be off, besides half the round trip."""
FRESH_NS = 3600 * NS
"""How long a source makes the clock ``trusted``; from then on it is ``held``."""
MAX_KERNEL_ERROR_US = 1_000_000
"""``maxerror`` of adjtimex(2) above which the kernel's "synchronised" counts for nothing."""
SAVE_EVERY_NS = 600 * NS
"""A kernel that is synchronised all day need not be written down all day."""
ASK_TIMEOUT_NS = 60 * NS
"""An answer that takes longer tells nothing."""
MAX_ASKED = 16
"""So many questions may be on their way at once: on a slow link each is asked before the last one is answered."""
TOGETHER_NS, READINGS = 50_000, 5
"""Two clocks read within this were read together; so often it is tried on a machine that interrupts us."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STA_UNSYNC = 0x0040  # linux/timex.h
_TIME_ERROR = 5  # adjtimex(2): clock not synchronised


Distrust = Literal["no_source", "stepped", "behind", "disagrees", "expired"]
WHY: dict[Distrust, str] = {
    "no_source": "nobody has told the time since the machine was switched on: no scheduled plays",
    "stepped": "the clock was set by more than 5 s: no scheduled plays until the centre confirms it",
    "behind": "the clock shows less than before the restart: no scheduled plays",
    "disagrees": "the centre's time is another: no scheduled plays",
    "expired": "nobody has told the time for too long: no scheduled plays",
}


class Instruments(Protocol):
    """The clocks of a machine, nanoseconds."""

    @property
    def boot_id(self) -> str:
        """Name of this boot."""

    def wall_ns(self) -> int:
        """UTC since 1970."""

    def boottime_ns(self) -> int:
        """Since boot, sleep included; never steps."""

    def monotonic_ns(self) -> int:
        """Never steps; the outputs' clock."""

    def kernel_synchronised(self) -> bool:
        """Whether the kernel says so, with a maximum error below a second."""


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2), its beginning; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_long * 32),
    )


class SystemInstruments:
    """The clocks of this machine."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._boot_id = _BOOT_ID.read_text(encoding="ascii").strip()

    @property
    def boot_id(self) -> str:
        """Name of this boot."""
        return self._boot_id

    def wall_ns(self) -> int:
        """UTC since 1970."""
        return time.time_ns()

    def boottime_ns(self) -> int:
        """Since boot, sleep included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def monotonic_ns(self) -> int:
        """Since boot, without sleep."""
        return time.monotonic_ns()

    def kernel_synchronised(self) -> bool:
        """Ask adjtimex(2), changing nothing (``modes`` 0)."""
        timex = _Timex()
        state = self._libc.adjtimex(ctypes.byref(timex))
        synchronised = state not in {-1, _TIME_ERROR} and not timex.status & _STA_UNSYNC
        return bool(synchronised and timex.maxerror < MAX_KERNEL_ERROR_US)


class Trust(msgspec.Struct, frozen=True):
    """A moment at which the wall clock was known to be right. Saved, so that a restart of the agent keeps it."""

    boot_id: str
    boottime_ns: int
    wall_minus_boot_ns: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """The centre's time, and our boot clock when it was true."""

    time_at: datetime
    boottime_ns: int
    good: bool
    slack_ns: float
    """How far the wall clock may be off it."""


class Clock:
    """The node's idea of time. Rules of DESIGN section 5; one source is enough until the clock steps.

    From then on only the centre's answer is: the kernel says "synchronised" to whoever set it.
    """

    def __init__(
        self,
        instruments: Instruments,
        faults: FaultBook,
        *,
        saved: Trust | None = None,
        save: Callable[[Trust], None] = lambda _: None,
        battery: Callable[[], bool] = lambda: False,
    ) -> None:
        """``battery`` says whether a clock with a battery shows the same as the wall clock."""
        self._instruments, self._faults, self._save = instruments, faults, save
        self._trust, self._floor_ns = saved, 0
        """The wall clock cannot be earlier than the floor: it was right then, before the machine was switched off."""
        if saved is not None and saved.boot_id != instruments.boot_id:
            self._floor_ns = saved.boottime_ns + saved.wall_minus_boot_ns
            self._trust = self._carried_over() if battery() and not self._is_behind() else None
        self._fresh = False  # a source of an earlier process makes the clock held, not trusted
        self._saved_ns: int | None = None
        self._answer: _Answer | None = None
        self._stepped = False
        """Trust was lost by a step, and has not come back."""
        self._asked: dict[str, int] = {}
        """Questions on their way: nonce, and when it was asked."""
        self.hold_ms = 72 * 3_600_000
        """How long trust lasts without a source; from settings."""
        self.offset_ms: float | None = None
        """Node minus centre at the last answer."""
        self.rtt_ms: float | None = None
        """Round trip of the last answer."""
        self.on_change: Callable[[], None] = lambda: None
        self._kernel = instruments.kernel_synchronised()
        self._state = self._judge()
        self._up_since_ns = instruments.monotonic_ns()
        self._good_since_ns: int | None = None

    @property
    def up_since_at(self) -> datetime:
        """When the agent started, by what the clock says now."""
        return _utc(self._up_since_ns + self.utc_minus_monotonic_ns())

    @property
    def good_since_at(self) -> datetime | None:
        """When the clock became good; None when it is not, or has been since the agent started."""
        if self._good_since_ns is None:
            return None
        return _utc(self._good_since_ns + self.utc_minus_monotonic_ns())

    @property
    def state(self) -> ClockState:
        """How far the clock is believed, as of the last ``check``."""
        return self._state

    @property
    def why_untrusted(self) -> Distrust | None:
        """Say why it is not believed, as of the last ``check``; None while it is."""
        if self._state is not ClockState.UNTRUSTED:
            return None
        if self._is_behind():
            return "behind"
        if self._disagrees():
            return "disagrees"
        if self._stepped or self._has_stepped():
            return "stepped"
        return "no_source" if self._trust is None else "expired"

    @property
    def answered(self) -> bool:
        """Whether the centre has told its time since the last step of the clock."""
        return self._answer is not None

    @property
    def boot_id(self) -> str:
        """Name of this boot."""
        return self._instruments.boot_id

    def now(self) -> datetime:
        """Give UTC: the wall clock's, or the centre's as counted since its answer while the wall clock is wrong."""
        return _utc(self.utc_minus_monotonic_ns() + self._instruments.monotonic_ns())

    def surely(self) -> datetime:
        """Give an instant that has surely passed: now, or 1970 while the clock is untrusted and decides nothing."""
        return _EPOCH if self._state is ClockState.UNTRUSTED else self.now()

    def monotonic_ns(self) -> int:
        """Read the outputs' clock."""
        return self._instruments.monotonic_ns()

    def boottime_ns(self) -> int:
        """Read the clock that counts since boot and never steps."""
        return self._instruments.boottime_ns()

    def utc_minus_monotonic_ns(self) -> int:
        """Give what turns the outputs' clock into UTC. Called by the output's thread: reads only."""
        answer, instruments = self._answer, self._instruments
        if self._state is ClockState.UNTRUSTED and answer is not None and not answer.good:
            return (
                ahead_ns(instruments.boottime_ns, instruments.monotonic_ns)
                + utc_ns(answer.time_at)
                - answer.boottime_ns
            )
        return ahead_ns(instruments.wall_ns, instruments.monotonic_ns)

    def ask(self) -> str:
        """Make a nonce; only its answer counts, and only once."""
        nonce, boot_ns = secrets.token_hex(16), self._instruments.boottime_ns()
        young = [one for one in self._asked.items() if boot_ns - one[1] <= ASK_TIMEOUT_NS]
        self._asked = dict([*young[1 - MAX_ASKED :], (nonce, boot_ns)])
        return nonce

    def take_answer(self, answer: TimeAnswer) -> bool:
        """Compare with the centre's time; False when it answers nothing that was asked."""
        boot_ns, wall_ns = self._instruments.boottime_ns(), self._instruments.wall_ns()
        asked_ns = self._asked.pop(answer.nonce, None)
        if asked_ns is None or boot_ns - asked_ns > ASK_TIMEOUT_NS:
            return False
        rtt_ns = boot_ns - asked_ns
        middle_at = _utc(wall_ns - rtt_ns // 2)
        self.rtt_ms = rtt_ns / 1e6
        self.offset_ms = (middle_at - answer.time_at) / timedelta(milliseconds=1)
        slack_ms = MAX_OFFSET_MS + self.rtt_ms / 2
        good = abs(self.offset_ms) <= slack_ms
        self._answer = _Answer(answer.time_at, boot_ns - rtt_ns // 2, good, slack_ms * 1e6)
        detail = f"the node's clock is {self.offset_ms:+.0f} ms off the centre's"
        self._faults.turn(Fault.CLOCK_OFFSET, not good, detail)
        if good:
            self._believe()
        else:
            self._trust = None
        self._settle()
        return True

    def check(self) -> None:
        """Look at the clocks again; to be called every second."""
        self._kernel = self._instruments.kernel_synchronised()
        if self._has_stepped():
            self._trust, self._answer, self._stepped = None, None, True
            self._asked.clear()  # a round trip over a step measures nothing
        elif self._kernel and not self._is_refuted() and self._is_to_be_saved():
            self._believe()
        self._settle()

    def _is_refuted(self) -> bool:
        """Whether something speaks against the wall clock, whatever speaks for it."""
        return self._stepped or self._has_stepped() or self._disagrees() or self._is_behind()

    def _is_to_be_saved(self) -> bool:
        return self._saved_ns is None or self._age_ns(self._saved_ns) > SAVE_EVERY_NS

    def _disagrees(self) -> bool:
        """Whether the centre's last answer says otherwise than the wall clock of now, which may have been set since."""
        answer = self._answer
        if answer is None or answer.good:
            return False
        at_answer_ns = utc_ns(answer.time_at) - answer.boottime_ns
        return abs(self._baseline_ns() - at_answer_ns) > answer.slack_ns

    def _is_behind(self) -> bool:
        return self._instruments.wall_ns() < self._floor_ns - MAX_STEP_NS

    def _carried_over(self) -> Trust:
        """Go on from the last good moment before the restart, as old as a clock with a battery says that it is."""
        instruments = self._instruments
        age_ns = max(0, instruments.wall_ns() - self._floor_ns)
        return Trust(instruments.boot_id, instruments.boottime_ns() - age_ns, self._baseline_ns())

    def _has_stepped(self) -> bool:
        return self._trust is not None and abs(self._baseline_ns() - self._trust.wall_minus_boot_ns) > MAX_STEP_NS

    def _believe(self) -> None:
        boot_ns = self._instruments.boottime_ns()
        self._trust = Trust(self._instruments.boot_id, boot_ns, self._baseline_ns())
        self._fresh, self._saved_ns, self._floor_ns, self._stepped = True, boot_ns, 0, False
        self._save(self._trust)

    def _settle(self) -> None:
        old, self._state = self._state, self._judge()
        why = self.why_untrusted
        self._faults.turn(Fault.CLOCK_UNTRUSTED, why is not None, "" if why is None else WHY[why])
        if old is not self._state:
            if self._state is ClockState.UNTRUSTED:
                self._good_since_ns = None
            elif old is ClockState.UNTRUSTED:
                self._good_since_ns = self._instruments.monotonic_ns()
            self.on_change()

    def _judge(self) -> ClockState:
        if self._is_refuted():
            return ClockState.UNTRUSTED
        if self._kernel:
            return ClockState.TRUSTED
        if self._trust is None:
            return ClockState.UNTRUSTED
        age_ns = self._age_ns(self._trust.boottime_ns)
        if self._fresh and age_ns <= FRESH_NS:
            return ClockState.TRUSTED
        return ClockState.HELD if age_ns <= self.hold_ms * 1_000_000 else ClockState.UNTRUSTED

    def _baseline_ns(self) -> int:
        return self._instruments.wall_ns() - self._instruments.boottime_ns()

    def _age_ns(self, boottime_ns: int) -> int:
        return self._instruments.boottime_ns() - boottime_ns


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _utc(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)


def ahead_ns(clock_ns: Callable[[], int], reference_ns: Callable[[], int]) -> int:
    """Give how far one clock is ahead of another.

    A thread that has to wait between the two readings would see them apart by that wait, and place a sound that much
    too late without ever knowing: so the closest of a few readings counts.
    """
    closest_ns, found_ns = None, 0
    for _ in range(READINGS):
        before_ns = reference_ns()
        now_ns = clock_ns()
        apart_ns = reference_ns() - before_ns
        if closest_ns is None or apart_ns < closest_ns:
            closest_ns, found_ns = apart_ns, now_ns - before_ns - apart_ns // 2
        if apart_ns <= TOGETHER_NS:
            break
    return found_ns


def utc_ns(at: datetime) -> int:
    """Turn an instant into nanoseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND * 1000
