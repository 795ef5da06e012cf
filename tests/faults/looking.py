"""What a node says of itself in seconds that a test lets pass: all that may be wrong, how to break it, how to mend it.

Nothing is waited for: the loop's clock jumps to whatever is next to be done; only what threads do is waited for. What
looks is the agent's own, with its own periods.
"""

import asyncio
import os
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.amplifier.switch import Amplifier
from edge_agent.button.watch import SHOWN_S as PRESSED_S
from edge_agent.button.watch import ButtonWatch
from edge_agent.checks.base import Check
from edge_agent.checks.cache import Cache
from edge_agent.checks.certificate import Certificate
from edge_agent.checks.lease import LeaseEnded, LeaseEnding
from edge_agent.checks.link_quality import MOST, SLOW_MS, LinkQuality
from edge_agent.checks.muted import Muted
from edge_agent.checks.round import Rounds
from edge_agent.checks.runner import POOR_S, Checks
from edge_agent.checks.settings import NoSettings
from edge_agent.checks.signal import SignalStrength
from edge_agent.checks.storage import Storage
from edge_agent.checks.supply import Supply
from edge_agent.checks.temperature import Temperature
from edge_agent.checks.underruns import Underruns
from edge_agent.clock import NS
from edge_agent.errors import OutputError
from edge_agent.evidence import RATE
from edge_agent.faults import Fault
from edge_agent.fetcher import Fetcher
from edge_agent.outputs import watch as output_watch
from edge_agent.outputs.watch import OutputWatch
from edge_agent.protocol.topics import Topic, Word
from edge_agent.radio import Signal
from tests.edge_agent.centre import broadcast, make_opus, voice_of
from tests.edge_agent.fakes import NODE, Desk, SteppedInstruments

Run = Callable[[], Coroutine[Any, Any, None]]
Act = Callable[[], object]


class SteppedLoop(asyncio.SelectorEventLoop):
    """Its seconds pass when there is nothing left to do."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._threads = threading.active_count()
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now_s

    @property
    def is_waited_for(self) -> bool:
        """Whether a thread still works for it."""
        return threading.active_count() > self._threads


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: SteppedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Give what is ready; if nothing is and no thread works, let the time pass."""
        found = super().select(0)
        if found or timeout == 0:
            return found
        if self._loop.is_waited_for:
            return super().select(0.002)
        assert timeout is not None, "nothing will ever happen again"
        self._loop.now_s += timeout
        return []


class LoopInstruments(SteppedInstruments):
    """Clocks that go with a loop's."""

    def __init__(self, loop: SteppedLoop) -> None:
        super().__init__()
        self._loop, self._zero_ns = loop, round(loop.time() * NS)

    def _passed_ns(self) -> int:
        return round(self._loop.time() * NS) - self._zero_ns

    def wall_ns(self) -> int:
        return super().wall_ns() + self._passed_ns()

    def boottime_ns(self) -> int:
        return super().boottime_ns() + self._passed_ns()

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self._passed_ns()


@dataclass
class Bench:
    """A node's desk by a stepped loop's clock, and what a test may put on it."""

    root: Path
    loop: SteppedLoop
    patch: pytest.MonkeyPatch
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.desk = Desk(self.root / "state", LoopInstruments(self.loop))
        self.desk.settle()
        self.sys = self.root / "sys"

    def now(self) -> datetime:
        return self.desk.clock.now()

    def rounds(self, check: Check) -> Run:
        """Look as the agent does."""
        return Rounds([check], self.desk.faults).run

    def put(self, path: str, text: str) -> None:
        """Let the kernel say something."""
        file = self.sys / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n", encoding="ascii")

    def every_second(self, review: Act = lambda: None, *, off_ms: Callable[[], float] = lambda: 0.0) -> Run:
        """Look at clock, inbox and what was fetched, as the agent does; ``off_ms``: what the centre's clock says."""
        desk, link = self.desk, SimpleNamespace(connected=True, rtt_ms=50.0)

        async def ask_time() -> None:
            nonce = desk.clock.ask()
            time_at = datetime.fromtimestamp(desk.instruments.wall_ns() / NS, UTC) + timedelta(milliseconds=off_ms())
            desk.send(desk.orders.time(f"nodes/{NODE}", nonce, time_at))

        link.ask_time = ask_time
        checks = Checks(
            rounds=Rounds([], desk.faults),
            clock=desk.clock,
            faults=desk.faults,
            inbox=desk.inbox,
            keeper=desk.keeper,
            ledger=desk.ledger,
            link=cast("Any", link),
            player=desk.player,
            output=desk.output,
            review=cast("Callable[[], None]", review),
            output_calls=lambda: 0,
        )
        return checks.run


@dataclass(frozen=True)
class Case:
    """One thing that may be wrong."""

    every: str
    """Its period, as a person would say it."""
    make: Callable[[Bench], tuple[Run, Act, Act]]
    """Gives what looks, what breaks it and what mends it."""
    period_s: float = 10.0
    """Breaks are spread over it."""
    is_act: bool = False
    """It happens, and is over: nothing is mended."""
    kept_s: float = 0.0
    """So long it is told of on purpose when it is long over."""


def _switch(state: dict[str, Any], name: str, broken: Any, whole: Any) -> tuple[Act, Act]:
    state[name] = whole
    return lambda: state.update({name: broken}), lambda: state.update({name: whole})


def _no_settings(bench: Bench) -> tuple[Run, Act, Act]:
    state: dict[str, Any] = {}
    return bench.rounds(NoSettings(lambda: state["have"])), *_switch(state, "have", broken=False, whole=True)


def _lease(kind: type[LeaseEnding | LeaseEnded], left: timedelta) -> Callable[[Bench], tuple[Run, Act, Act]]:
    def make(bench: Bench) -> tuple[Run, Act, Act]:
        plans: list[tuple[datetime, datetime]] = []

        def signed(until: timedelta) -> None:
            plans[:] = [(bench.now() - timedelta(days=6), bench.now() + until)]

        signed(timedelta(days=7))
        check = kind(lambda: plans, now=bench.now)
        return bench.rounds(check), lambda: signed(left), lambda: signed(timedelta(days=7))

    return make


def _cache(bench: Bench) -> tuple[Run, Act, Act]:
    desk, sounds = bench.desk, _fresh()
    check = Cache(
        desk.keeper,
        desk.shelf,
        now=bench.now,
        monotonic_s=bench.loop.time,
        failed=lambda _: None,
        is_over=lambda _: False,
    )
    ordered: list[bytes] = []

    def order() -> None:
        ordered.append(next(sounds))
        desk.plan(broadcast(f"b-{len(ordered)}", bench.now() + timedelta(hours=20), voice_of(ordered[-1])))

    return bench.rounds(check), order, lambda: desk.shelf.put(voice_of(ordered[-1]).sha256, ordered[-1])


def _fresh() -> Iterator[bytes]:
    """Give recordings that nobody has."""
    return (make_opus(number, 100) for number in count(1))


def _storage(bench: Bench) -> tuple[Run, Act, Act]:
    device = bench.desk.root.stat().st_dev
    errors = "fs/ext4/mmcblk0p3/errors_count"
    bench.put(errors, "0")
    (bench.sys / "devices" / "mmcblk0p3").mkdir(parents=True)
    (bench.sys / "dev" / "block").mkdir(parents=True)
    there = bench.sys / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}"
    there.symlink_to(bench.sys / "devices" / "mmcblk0p3")
    check = Storage(bench.desk.root, sys=bench.sys)
    return bench.rounds(check), lambda: bench.put(errors, "3"), lambda: bench.put(errors, "0")


def _supply(bench: Bench) -> tuple[Run, Act, Act]:
    word = "devices/platform/soc/soc:firmware/get_throttled"
    bench.put(word, "0")
    check = Supply(bench.loop.time, sys=bench.sys)
    return bench.rounds(check), lambda: bench.put(word, "50005"), lambda: bench.put(word, "50000")


def _hot(bench: Bench) -> tuple[Run, Act, Act]:
    zone = "class/thermal/thermal_zone0/temp"
    bench.put(zone, "50000")
    return bench.rounds(Temperature(sys=bench.sys)), lambda: bench.put(zone, "81000"), lambda: bench.put(zone, "60000")


def _weak(bench: Bench) -> tuple[Run, Act, Act]:
    state: dict[str, Any] = {}
    turns = _switch(state, "percent", 5, 80)
    radio = SimpleNamespace(signal=lambda: Signal("wifi", state["percent"]))
    return bench.rounds(SignalStrength([cast("Any", radio)])), *turns


def _slow(bench: Bench) -> tuple[Run, Act, Act]:
    """The link is measured as seldom as it may be: when no ping is due, by the question for the time."""
    state: dict[str, Any] = {"measured": 50.0}
    check = LinkQuality(bench.loop.time, connections=lambda: 1, rtt_ms=lambda: state["measured"])

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(bench.rounds(check)())
            while True:
                await asyncio.sleep(POOR_S)
                state["measured"] = state["rtt"]

    return run, *_switch(state, "rtt", SLOW_MS, 50.0)


def _breaking(bench: Bench) -> tuple[Run, Act, Act]:
    state = {"made": 1}
    check = LinkQuality(bench.loop.time, connections=lambda: state["made"], rtt_ms=lambda: None)

    def breaks() -> None:
        state["made"] += MOST

    return bench.rounds(check), breaks, lambda: None


def _certificate(bench: Bench) -> tuple[Run, Act, Act]:
    state: dict[str, Any] = {}
    turns = _switch(state, "certificate", certificate(bench.now() - timedelta(days=84)), certificate(bench.now()))
    check = Certificate(lambda: state["certificate"], now=bench.now, knows_date=lambda: True)
    return bench.rounds(check), *turns


def certificate(made_at: datetime, days: float = 90) -> x509.Certificate:
    """Give a certificate of those days."""
    key, name = Ed25519PrivateKey.generate(), x509.Name([])
    builder = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
    builder = builder.serial_number(1).not_valid_before(made_at).not_valid_after(made_at + timedelta(days=days))
    return builder.sign(key, None)


def _muted(bench: Bench) -> tuple[Run, Act, Act]:
    state: dict[str, Any] = {}
    return bench.rounds(Muted(lambda: state["by"])), *_switch(state, "by", "Master", None)


def _underruns(bench: Bench) -> tuple[Run, Act, Act]:
    """A card that loses a twentieth of what it is given."""
    since: list[float] = []
    lost = [0.0]

    def so_far() -> int:
        return round(lost[0] + (0.05 * RATE * (bench.loop.time() - since[0]) if since else 0))

    def mend() -> None:
        lost[0] = so_far()
        since.clear()

    check = Underruns(bench.loop.time, frames=lambda: round(bench.loop.time() * RATE), lost=so_far)
    return bench.rounds(check), lambda: since.append(bench.loop.time()), mend


def _clock_set(bench: Bench) -> tuple[Run, Act, Act]:
    """Set by an hour, with a centre that says otherwise; then set right."""
    instruments, off = bench.desk.instruments, [0.0]

    def step(hours: float) -> None:
        instruments.step(hours=hours)
        instruments.synchronised = hours < 0
        off[0] -= hours * 3.6e6

    return bench.every_second(off_ms=lambda: off[0]), lambda: step(1), lambda: step(-1)


def _bad_message(bench: Bench) -> tuple[Run, Act, Act]:
    topic = str(Topic(f"nodes/{NODE}", Word.URGENT))
    return bench.every_second(), lambda: bench.desk.inbox.take(topic, b"no signature"), lambda: None


def _fetcher(bench: Bench) -> Fetcher:
    desk = bench.desk
    return Fetcher(
        desk.keeper, desk.shelf, desk.faults, media_url="https://127.0.0.1:1", tls=cast("Any", None), now=bench.now
    )


def _disk_low(bench: Bench) -> tuple[Run, Act, Act]:
    state: dict[str, Any] = {}
    turns = _switch(state, "free", 2**20, 2**30)
    bench.patch.setattr(bench.desk.shelf, "free_bytes", lambda: state["free"])
    return bench.every_second(_fetcher(bench).review_faults), *turns


def _pinned(bench: Bench) -> tuple[Run, Act, Act]:
    desk, sounds, pinned = bench.desk, _fresh(), list[bytes]()

    def pin() -> None:
        pinned.append(next(sounds))
        desk.settle(pinned=(voice_of(pinned[-1]),))

    looks = bench.every_second(_fetcher(bench).review_faults)
    return looks, pin, lambda: desk.shelf.put(voice_of(pinned[-1]).sha256, pinned[-1])


class _Pin:
    """A dead man's pin without his thread."""

    def __init__(self) -> None:
        self.broken = False

    def hold(self) -> None:
        if self.broken:
            raise OSError(5, "Input/output error")

    let_go = hold

    def close(self) -> None:
        pass


def _amplifier(bench: Bench) -> tuple[Run, Act, Act]:
    pin = _Pin()
    switch = Amplifier(
        cast("Any", pin), bench.desk.faults, now=bench.now, sounds=lambda: True, starts=lambda _within: []
    )
    return switch.run, lambda: setattr(pin, "broken", True), lambda: setattr(pin, "broken", False)


def _button(bench: Bench) -> tuple[Run, Act, Act]:
    state: dict[str, Any] = {"down": False}
    button = SimpleNamespace(is_pressed=lambda: state["down"], close=lambda: None)
    watch = ButtonWatch(cast("Any", button), bench.desk.faults, monotonic_s=bench.loop.time, press=lambda: 1)
    return watch.run, *_switch(state, "down", broken=True, whole=False)


class _Loose:
    """A button whose wire is off, or not."""

    broken = False

    def is_pressed(self) -> bool:
        if self.broken:
            raise OSError(5, "Input/output error")
        return False

    def close(self) -> None:
        pass


def _loose_button(bench: Bench) -> tuple[Run, Act, Act]:
    button = _Loose()
    watch = ButtonWatch(button, bench.desk.faults, monotonic_s=bench.loop.time, press=lambda: 1)
    return watch.run, lambda: setattr(button, "broken", True), lambda: setattr(button, "broken", False)


class _Card:
    """A card that is there or not, and asks for sound or hangs."""

    kind, simulated = "card", False

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    def open(self, *_: object) -> None:
        if self._state["gone"]:
            raise OutputError("no such device")

    def close(self) -> None:
        pass


def _output(name: str) -> Callable[[Bench], tuple[Run, Act, Act]]:
    def make(bench: Bench) -> tuple[Run, Act, Act]:
        state: dict[str, Any] = {"gone": False, "hangs": False}
        frames = [0.0, bench.loop.time()]

        class Calls:
            """A renderer of which a card asks sound, as long as it does."""

            render = count_underrun = None

            @property
            def frames(self) -> int:
                now_s = bench.loop.time()
                frames[:] = frames[0] + (0 if state["hangs"] else (now_s - frames[1]) * RATE), now_s
                return round(frames[0])

            calls = frames

        bench.patch.setattr(output_watch, "time", SimpleNamespace(monotonic_ns=lambda: round(bench.loop.time() * NS)))
        watch = OutputWatch(lambda: cast("Any", _Card(state)), cast("Any", Calls()), bench.desk.faults)
        broken = {"gone": True, "hangs": True} if name == "gone" else {name: True}
        return watch.run, lambda: state.update(broken), lambda: state.update(dict.fromkeys(state, False))

    return make


CASES: dict[str, Case] = {
    Fault.NO_SETTINGS: Case("every second", _no_settings, 1),
    Fault.LEASE_ENDING: Case("every 10 s", _lease(LeaseEnding, timedelta(hours=23))),
    Fault.LEASE_ENDED: Case("every second", _lease(LeaseEnded, timedelta(0)), 1),
    Fault.CACHE_INCOMPLETE: Case("every 10 s; a download has 75 s", _cache),
    Fault.STORAGE_FAILING: Case("every minute", _storage, 60),
    Fault.UNDER_VOLTAGE: Case("every 5 s; a dip is told for a minute", _supply, 5),
    Fault.LINK_WEAK: Case("every 20 s", _weak, 20),
    Fault.TOO_HOT: Case("every 10 s", _hot),
    f"{Fault.LINK_POOR} (slow)": Case(
        "every 10 s; the broker is pinged every 20 s, or the time asked every minute", _slow, 60
    ),
    f"{Fault.LINK_POOR} (breaks)": Case("every 10 s; well when it held for 80 s", _breaking),
    Fault.CERTIFICATE_ENDING: Case("every minute", _certificate, 60),
    Fault.OUTPUT_MUTED: Case("every 5 s", _muted, 5),
    Fault.OUTPUT_UNDERRUNS: Case("every 10 s, over 50 s", _underruns),
    f"{Fault.OUTPUT_LOST} (hangs)": Case("every 0.5 s; tried again every 10 s at most", _output("hangs"), 1),
    f"{Fault.OUTPUT_LOST} (gone)": Case("every 0.5 s; tried again every 10 s at most", _output("gone"), 1),
    Fault.CLOCK_UNTRUSTED: Case("every second", _clock_set, 1),
    Fault.CLOCK_OFFSET: Case("every 5 s while untrusted, every minute until it is right", _clock_set, 5),
    Fault.BAD_MESSAGE: Case("at once; told for a minute", _bad_message, 1, is_act=True),
    Fault.DISK_LOW: Case("every second", _disk_low, 1),
    Fault.PINNED_MISSING: Case("every second; a download has a minute", _pinned, 1),
    Fault.AMPLIFIER_FAILING: Case("ten times a second", _amplifier, 1),
    Fault.BUTTON_FAILING: Case("20 times a second", _loose_button, 1),
    Fault.LOCAL_STOP: Case("20 times a second; told for 15 min on purpose", _button, 1, is_act=True, kept_s=PRESSED_S),
}
"""By the fault's code, with a word behind it where there are several ways."""

AT_ONCE: dict[Fault, str] = {
    Fault.BROKER_REFUSED: "tests/edge_agent/test_link.py",
    Fault.FETCH_FAILED: "tests/edge_agent/test_fetcher.py",
    Fault.MEDIA_MISSING: "tests/edge_agent/test_fetcher.py",
    Fault.MEDIA_CORRUPT: "tests/edge_agent/test_fetcher.py",
    Fault.STORE_RESET: "tests/edge_agent/test_process.py",
    Fault.INPUT_LOST: "tests/edge_agent/test_hearing.py",
    Fault.NOT_HEARD: "tests/edge_agent/test_hearing.py",
    Fault.HORN_CHANGED: "tests/edge_agent/test_hears_itself.py",
    Fault.UPDATE_REFUSED: "tests/edge_agent/updates/test_service.py",
    Fault.UPDATE_RETURNED: "tests/edge_agent/updates/test_service.py",
}
"""What nobody looks for: whoever comes upon it tells it in the same moment. Where that is tried."""
