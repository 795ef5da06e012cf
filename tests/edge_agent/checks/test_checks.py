"""Each check over files and clocks of a test: what it raises, what it leaves alone, and that all keep promise P6."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.checks import round as round_module
from edge_agent.checks.base import SHOWN_S, Check
from edge_agent.checks.cache import GRACE_S, Cache
from edge_agent.checks.certificate import Certificate
from edge_agent.checks.disk_space import LEAST_BYTES, LEAST_INODES, shortage
from edge_agent.checks.lease import LeaseEnded, LeaseEnding
from edge_agent.checks.link_quality import (
    AFTER_S,
    MOST,
    SLOW_FETCHING_MS,
    SLOW_MS,
    STEADY_S,
    WITHIN_S,
    LinkQuality,
)
from edge_agent.checks.muted import Muted
from edge_agent.checks.round import Rounds
from edge_agent.checks.settings import NoSettings
from edge_agent.checks.signal import WEAK, WELL, SignalStrength
from edge_agent.checks.storage import Storage
from edge_agent.checks.supply import DIP_S, Supply
from edge_agent.checks.temperature import Temperature, degrees
from edge_agent.checks.underruns import Underruns
from edge_agent.errors import ConfigError
from edge_agent.faults import Fault, FaultBook
from edge_agent.protocol.reports import CacheReport, LackReport
from edge_agent.protocol.states import Reason
from edge_agent.radio import Signal
from tests.edge_agent.centre import broadcast, make_opus, voice_of
from tests.edge_agent.fakes import NOON, Desk

KINDS: tuple[type[Check], ...] = (
    NoSettings, LeaseEnded, LeaseEnding, Cache, Storage, Supply, Temperature, LinkQuality, SignalStrength, Certificate,
    Muted, Underruns
)  # fmt: skip


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="ascii")


def test_every_check_of_the_node_is_looked_at_here() -> None:
    modules = {kind.__module__.rpartition(".")[2] for kind in KINDS}
    apart = {"__init__", "all", "base", "disk_space", "round", "runner"}
    assert modules == {path.stem for path in Path(round_module.__file__).parent.glob("*.py")} - apart
    assert len({kind.fault for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_check_can_know_is_shown_and_cleared_within_100_s(kind: type[Check]) -> None:
    hangs_s = round_module.HANGS_S if kind.slow else 0
    assert kind.period_s + kind.clears_within_s + 2 * hangs_s < SHOWN_S


# The card.


def block_device(sys: Path, directory: Path, name: str) -> None:
    """Let sysfs know the disk that a directory lies on."""
    device = directory.stat().st_dev
    (sys / "devices" / name).mkdir(parents=True)
    (sys / "dev" / "block").mkdir(parents=True)
    (sys / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}").symlink_to(sys / "devices" / name)


def test_errors_that_the_kernel_counts_on_our_own_disk_are_told_and_no_others(tmp_path: Path) -> None:
    sys, state = tmp_path / "sys", tmp_path / "state"
    state.mkdir()
    block_device(sys, state, "mmcblk0p3")
    put(sys / "fs" / "ext4" / "mmcblk0p3" / "errors_count", "0")
    put(sys / "fs" / "ext4" / "sda1" / "errors_count", "7")
    check = Storage(state, sys=sys)
    assert (check.look(), check.errors) == (None, 0)
    put(sys / "fs" / "ext4" / "mmcblk0p3" / "errors_count", "2")
    assert "2 errors on mmcblk0p3" in (check.look() or "")
    assert check.errors == 2


def test_a_disk_that_takes_nothing_more_is_told_until_it_does(tmp_path: Path) -> None:
    state = tmp_path / "state"
    check = Storage(state, sys=tmp_path)
    assert check.look() is not None
    state.mkdir()
    assert check.look() is None
    assert [path.stat().st_size for path in state.iterdir()] == [512]
    assert check.look() is None


def test_a_full_disk_is_no_failing_disk(tmp_path: Path) -> None:
    (tmp_path / "canary").symlink_to("/dev/full")
    assert Storage(tmp_path, sys=tmp_path).look() is None


def test_bytes_that_come_back_changed_are_told(tmp_path: Path) -> None:
    (tmp_path / "canary").symlink_to("/dev/zero")
    assert Storage(tmp_path, sys=tmp_path).look() is not None


@pytest.mark.parametrize(
    ("free", "files", "short"),
    [
        (LEAST_BYTES, LEAST_INODES, False),
        (LEAST_BYTES - 1, LEAST_INODES, True),
        (LEAST_BYTES, LEAST_INODES - 1, True),
        (LEAST_BYTES, None, False),
    ],
)
def test_room_is_bytes_and_names(free: int, files: int | None, short: bool) -> None:  # noqa: FBT001
    assert (shortage(free, files) is not None) == short


# The machine.


class Watch:
    """Seconds, as a test says."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("way", ["firmware", "hwmon"])
def test_a_dip_of_the_supply_is_told_for_a_minute(tmp_path: Path, way: str) -> None:
    put(tmp_path / "class/hwmon/hwmon0/name", "cpu_thermal")
    put(tmp_path / "class/hwmon/hwmon0/in0_lcrit_alarm", "1")  # another's, and of no concern
    put(tmp_path / "class/hwmon/hwmon1/name", "rpi_volt" if way == "hwmon" else "other")

    def supply(low: bool) -> None:  # noqa: FBT001
        put(tmp_path / "devices/platform/soc/soc:firmware/get_throttled", "50005" if low else "50000")
        put(tmp_path / "class/hwmon/hwmon1/in0_lcrit_alarm", "1" if low else "0")

    watch = Watch()
    check = Supply(watch, sys=tmp_path)
    supply(low=False)
    assert (check.look(), check.low) == (None, False)
    supply(low=True)
    assert check.look() is not None
    supply(low=False)
    watch.now_s += DIP_S - 1
    assert (check.look() is not None, check.low) == (True, True)
    watch.now_s += 1
    assert (check.look(), check.low) == (None, False)


def test_a_machine_that_does_not_tell_is_not_said_to_be_well(tmp_path: Path) -> None:
    check = Supply(Watch(), sys=tmp_path)
    assert (check.look(), check.low) == (None, None)
    assert Temperature(sys=tmp_path).look() is None


def test_heat_is_told_from_80_until_below_75_degrees(tmp_path: Path) -> None:
    check, told = Temperature(sys=tmp_path), []
    for milli in (79_999, 80_000, 76_000, 74_999, 79_000):
        put(tmp_path / "class/thermal/thermal_zone0/temp", str(milli))
        told.append(check.look() is not None)
    assert told == [False, True, True, False, False]


@pytest.mark.parametrize("milli", ["-274000", "-127000", "32767000", "85000000"])
def test_a_sensor_that_tells_what_cannot_be_says_nothing(tmp_path: Path, milli: str) -> None:
    """A report that no message can carry ended the whole node, at each start."""
    put(tmp_path / "class/thermal/thermal_zone0/temp", milli)
    assert degrees(tmp_path) is None
    assert Temperature(sys=tmp_path).look() is None


# The link.


def test_a_link_that_breaks_again_and_again_is_told_until_it_holds() -> None:
    watch, made, rtt = Watch(), [0], [None]
    check = LinkQuality(watch, connections=lambda: made[0], rtt_ms=lambda: rtt[0])
    assert check.look() is None
    made[0] = MOST  # the first is no break
    assert check.look() is None
    made[0] += 1
    watch.now_s += 10
    assert (check.look() is not None, check.reconnects) == (True, MOST)
    watch.now_s += STEADY_S - 1
    assert check.look() is not None
    watch.now_s += 1
    assert check.look() is None
    made[0] += 1
    assert (check.look() is not None, check.reconnects) == (True, MOST + 1)
    watch.now_s += WITHIN_S - STEADY_S
    assert (check.look(), check.reconnects) == (None, 1)
    watch.now_s += WITHIN_S
    made[0] += 1
    assert (check.look(), check.reconnects) == (None, 1), "one break an hour is no poor link"


class HandRadio:
    """Receives what a test says."""

    def __init__(self) -> None:
        self.now: Signal | None = None

    def signal(self) -> Signal | None:
        return self.now


def test_a_weak_signal_is_told_until_it_is_well() -> None:
    radio = HandRadio()
    check, told = SignalStrength([radio]), []
    for percent in (WEAK + 1, WEAK, WELL - 1, WELL, WEAK + 1):
        radio.now = Signal("mobile", percent)
        told.append(check.look() is not None)
    assert told == [False, True, True, False, False]
    radio.now = None
    assert (check.look(), check.last) == (None, None)  # a node on a wire


def test_an_answer_that_takes_seconds_is_told() -> None:
    rtt = [SLOW_MS]
    check = LinkQuality(Watch(), connections=lambda: 1, rtt_ms=lambda: rtt[0])
    assert check.look() is not None
    rtt[0] = SLOW_MS - 1
    assert check.look() is None


def test_the_nodes_own_download_before_an_answer_is_no_poor_link_unless_a_stop_would_take_too_long() -> None:
    watch, rtt, fetches = Watch(), [SLOW_MS], [True]
    check = LinkQuality(watch, connections=lambda: 1, rtt_ms=lambda: rtt[0], fetches=lambda: fetches[0])
    assert check.look() is None
    rtt[0] = SLOW_FETCHING_MS
    assert check.look() is not None
    rtt[0], fetches[0] = SLOW_MS, False
    watch.now_s += AFTER_S - 1  # what was measured last may still be of that time
    assert check.look() is None
    watch.now_s += 1
    assert check.look() is not None


# Leases and certificates.


@pytest.mark.parametrize(
    ("length_h", "passed_h", "ending", "ended"),
    [
        (168, 143.9, False, False),
        (168, 144, True, False),
        (168, 168, False, True),
        (12, 7.9, False, False),
        (12, 8, True, False),
    ],
)
def test_the_end_of_a_lease_is_told_a_day_ahead(
    length_h: float,
    passed_h: float,
    ending: bool,  # noqa: FBT001
    ended: bool,  # noqa: FBT001
) -> None:
    lease = (NOON, NOON + timedelta(hours=length_h))
    now = NOON + timedelta(hours=passed_h)
    assert (LeaseEnding(lambda: [lease], now=lambda: now).look() is not None) == ending
    assert (LeaseEnded(lambda: [lease], now=lambda: now).look() is not None) == ended


def certificate(days: float) -> x509.Certificate:
    key = Ed25519PrivateKey.generate()
    name = x509.Name([])
    builder = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOON).not_valid_after(NOON + timedelta(days=days))
    return builder.sign(key, None)


@pytest.mark.parametrize(
    ("life_days", "left_days", "words"),
    [
        (90, 30, None),  # asked for on this very day
        (90, 26, "26 days"),
        (90, 6.5, "cut off"),
        (90, -1, "has ended"),
        (365, 31, None),
        (365, 29.5, "29 days"),
        (3, 1, None),
    ],
)
def test_a_certificate_that_was_not_renewed_is_told_30_and_7_days_ahead(
    life_days: float, left_days: float, words: str | None
) -> None:
    found, now = certificate(life_days), NOON + timedelta(days=life_days - left_days)
    told = Certificate(lambda: found, now=lambda: now, knows_date=lambda: True).look()
    assert told is None if words is None else words in (told or "")


def test_without_a_date_no_certificate_is_said_to_end() -> None:
    late = datetime(2040, 1, 1, tzinfo=UTC)
    assert Certificate(lambda: certificate(90), now=lambda: late, knows_date=lambda: False).look() is None


def test_a_certificate_that_cannot_be_read_is_told() -> None:
    def read() -> x509.Certificate:
        raise ConfigError("node.crt cannot be read")

    assert Certificate(read, now=lambda: NOON, knows_date=lambda: True).look() == "node.crt cannot be read"


# What is due.


class Larder:
    """A desk, and the check of its shelf."""

    def __init__(self, root: Path) -> None:
        self.desk = Desk(root)
        self.desk.settle()
        self.watch = Watch()
        self.why: Fault | None = None
        self.over: set[str] = set()
        self.check = Cache(
            self.desk.keeper,
            self.desk.shelf,
            now=self.desk.clock.surely,
            monotonic_s=self.watch,
            failed=lambda _: self.why,
            is_over=self.over.__contains__,
        )

    def plan(self, *starts: timedelta) -> None:
        voice = voice_of(make_opus(1, 100))
        self.desk.plan(*(broadcast(f"b-{number}", NOON + start, voice) for number, start in enumerate(starts)))


@pytest.fixture
async def larder(tmp_path: Path) -> AsyncIterator[Larder]:
    larder = Larder(tmp_path)
    yield larder
    larder.desk.close()


def test_what_is_due_within_a_day_is_told_once_it_has_had_its_time(larder: Larder) -> None:
    larder.plan(timedelta(hours=23))
    assert larder.check.look() is None
    assert larder.check.last == CacheReport(due=1, here=0)
    larder.watch.now_s += GRACE_S
    assert "1 recordings" in (larder.check.look() or "")
    larder.desk.shelf.put(voice_of(make_opus(1, 100)).sha256, make_opus(1, 100))
    assert larder.check.look() is None
    assert larder.check.last == CacheReport(due=1, here=1)


def test_what_is_due_later_is_no_fault_yet(larder: Larder) -> None:
    larder.plan(timedelta(hours=25))
    larder.check.look()
    larder.watch.now_s += GRACE_S
    assert larder.check.look() is None


@pytest.mark.parametrize(
    ("why", "reason"),
    [(None, "no_file"), (Fault.MEDIA_CORRUPT, "corrupt_file"), (Fault.DISK_LOW, "no_space")],
)
def test_ten_minutes_ahead_the_broadcast_is_named_with_the_reason(
    larder: Larder, why: Fault | None, reason: str
) -> None:
    larder.plan(timedelta(minutes=10, seconds=1))
    larder.why = why
    assert larder.check.look() is None
    larder.desk.instruments.pass_(seconds=1)
    assert larder.check.look() == f"b-0 at 05:10 UTC: {reason}"
    lack = LackReport(broadcast_id="b-0", start_at=NOON + timedelta(minutes=10, seconds=1), reason=Reason(reason))
    assert larder.check.last == CacheReport(due=1, here=0, lacks=(lack,))
    larder.over.add("b-0")
    assert larder.check.look() is None
    assert larder.check.last == CacheReport(due=0, here=0)


# The rounds.


async def test_a_look_that_hangs_for_days_takes_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_module, "HANGS_S", 0.02)
    free, begun, book = threading.Event(), list[str](), FaultBook(lambda: NOON)

    def wait() -> None:
        begun.append(threading.current_thread().name)
        free.wait()

    rounds, stuck = Rounds([], book), Stuck(wait)
    for _ in range(5):
        await rounds.look(stuck)
        assert book.stands(Fault.STORAGE_FAILING)
    assert len(begun) == 1
    free.set()
    monkeypatch.setattr(round_module, "HANGS_S", 10.0)
    await rounds.look(stuck)
    assert not book.stands(Fault.STORAGE_FAILING)
    await rounds.look(stuck)
    assert len(begun) == 2


class Stuck:
    """A look that never comes back, until a test lets it."""

    fault = Fault.STORAGE_FAILING
    period_s = 1.0
    clears_within_s = 0.0
    slow = True

    def __init__(self, wait: Callable[[], object]) -> None:
        self._wait = wait

    def look(self) -> str | None:
        self._wait()
        return None


async def test_a_look_that_hangs_is_a_fault_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_module, "HANGS_S", 0.2)
    free, book = threading.Event(), FaultBook(lambda: NOON)
    changed = asyncio.Event()
    book.on_change = changed.set
    task = asyncio.create_task(Rounds([Stuck(free.wait), NoSettings(lambda: False)], book).run())
    try:
        async with asyncio.timeout(30):
            while len(book.standing()) < 2:
                changed.clear()
                await changed.wait()
        assert {one.code for one in book.standing()} == {"storage_failing", "no_settings"}
        free.set()
        async with asyncio.timeout(30):
            while book.stands(Fault.STORAGE_FAILING):
                changed.clear()
                await changed.wait()
    finally:
        free.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
