"""Whether to believe the clock: every source, and everything that ends trust."""

from datetime import timedelta
from typing import Any

import pytest

from edge_agent.clock import MAX_ASKED, WHY, Clock, Distrust, SystemInstruments, Trust, ahead_ns
from edge_agent.faults import FaultBook
from edge_agent.protocol.documents import TimeAnswer
from edge_agent.protocol.states import ClockState
from tests.edge_agent.fakes import NOON, SteppedInstruments


class Bench:
    """A clock over stepped instruments, and what it saved."""

    def __init__(self) -> None:
        self.instruments = SteppedInstruments()
        self.saved: list[Trust] = []
        self.faults = FaultBook(lambda: NOON)
        self.clock = self.start()

    def start(self) -> Clock:
        saved = self.saved[-1] if self.saved else None
        return Clock(self.instruments, self.faults, saved=saved, save=self.saved.append)

    def answer(self, clock: Clock, *, off_ms: float = 0, rtt_ms: float = 20, nonce: str | None = None) -> bool:
        asked = clock.ask()
        self.instruments.pass_(milliseconds=rtt_ms / 2)
        now = NOON.timestamp() + (self.instruments.wall_ns() / 1e9 - NOON.timestamp())
        time_at = NOON + timedelta(seconds=now - NOON.timestamp(), milliseconds=off_ms)
        self.instruments.pass_(milliseconds=rtt_ms / 2)
        claims: dict[str, Any] = {"aud": "nodes/node-1", "epoch": 1, "version": 1, "iat": 1, "nbf": 1, "exp": 2}
        return clock.take_answer(TimeAnswer(**claims, nonce=nonce or asked, time_at=time_at))

    def state(self) -> ClockState:
        return self.clock.state

    def codes(self) -> set[str]:
        return {fault.code for fault in self.faults.standing()}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_clock_that_nobody_vouches_for_is_untrusted(bench: Bench) -> None:
    bench.clock.check()
    assert bench.state() is ClockState.UNTRUSTED
    assert bench.codes() == {"clock_untrusted"}


def test_a_synchronised_kernel_is_enough(bench: Bench) -> None:
    bench.instruments.synchronised = True
    bench.clock.check()
    assert bench.state() is ClockState.TRUSTED
    assert bench.codes() == set()


def test_an_answer_that_disagrees_counts_more_than_the_kernel(bench: Bench) -> None:
    """A time server can be wrong, or be somebody else's; the centre's answer is signed."""
    bench.instruments.synchronised = True
    bench.clock.check()
    bench.answer(bench.clock, off_ms=3_600_000)
    assert bench.state() is ClockState.UNTRUSTED
    bench.instruments.pass_(hours=1)
    bench.clock.check()
    assert bench.state() is ClockState.UNTRUSTED
    assert bench.start().state is ClockState.TRUSTED, "until it has asked again, a new process knows of no answer"
    bench.instruments.step(hours=1)
    bench.clock.check()
    assert bench.state() is ClockState.TRUSTED, "the time server has set right what the answer found wrong"
    bench.answer(bench.clock)
    assert bench.state() is ClockState.TRUSTED
    assert bench.codes() == set()


@pytest.mark.parametrize(("off_ms", "rtt_ms", "state"), [
    (0, 20, ClockState.TRUSTED),
    (250, 0, ClockState.TRUSTED),
    (-255, 20, ClockState.TRUSTED),
    (270, 20, ClockState.UNTRUSTED),
    (-3_600_000, 20, ClockState.UNTRUSTED),
    (900, 1500, ClockState.TRUSTED),
])  # fmt: skip
def test_the_centres_time_is_enough_within_250_ms_and_half_the_round_trip(
    bench: Bench, off_ms: float, rtt_ms: float, state: ClockState
) -> None:
    assert bench.answer(bench.clock, off_ms=off_ms, rtt_ms=rtt_ms)
    assert bench.state() is state
    assert bench.clock.offset_ms == pytest.approx(-off_ms, abs=0.01)
    assert ("clock_offset" in bench.codes()) is (state is ClockState.UNTRUSTED)


def test_an_answer_to_another_question_or_a_second_one_tells_nothing(bench: Bench) -> None:
    assert not bench.answer(bench.clock, nonce="0" * 32)
    assert bench.state() is ClockState.UNTRUSTED
    assert bench.answer(bench.clock)
    bench.clock.ask()
    assert not bench.answer(bench.clock, nonce="f" * 32)


@pytest.mark.parametrize("late_s", [1, 6, 40])
def test_an_answer_counts_however_many_questions_were_asked_since(bench: Bench, late_s: int) -> None:
    """On a slow link each question is asked before the last one is answered."""
    first = bench.clock.ask()
    for _ in range(late_s // 5):
        bench.instruments.pass_(seconds=5)
        bench.clock.ask()
    bench.instruments.pass_(seconds=late_s % 5)
    assert bench.answer(bench.clock, nonce=first)
    assert not bench.answer(bench.clock, nonce=first), "but once"


def test_questions_that_nobody_answers_are_forgotten(bench: Bench) -> None:
    for _ in range(1000):
        bench.clock.ask()
    assert len(bench.clock._asked) == MAX_ASKED


def test_a_round_trip_over_a_step_measures_nothing(bench: Bench) -> None:
    bench.answer(bench.clock)
    before = bench.clock.ask()
    bench.instruments.step(hours=1)
    bench.clock.check()
    assert not bench.answer(bench.clock, nonce=before)


def test_an_answer_that_took_more_than_a_minute_tells_nothing(bench: Bench) -> None:
    assert not bench.answer(bench.clock, rtt_ms=61_000)
    assert bench.state() is ClockState.UNTRUSTED


def test_trust_grows_old_and_then_ends(bench: Bench) -> None:
    bench.clock.hold_ms = 10 * 3_600_000
    bench.answer(bench.clock)
    bench.instruments.pass_(minutes=61)
    bench.clock.check()
    assert bench.state() is ClockState.HELD
    bench.instruments.pass_(hours=9)
    bench.clock.check()
    assert bench.state() is ClockState.UNTRUSTED


def test_trust_survives_a_restart_of_the_agent_but_not_of_the_machine(bench: Bench) -> None:
    bench.answer(bench.clock)
    bench.instruments.pass_(minutes=5)
    assert bench.start().state is ClockState.HELD
    bench.instruments.reboot()
    assert bench.start().state is ClockState.UNTRUSTED


def switched_off(bench: Bench, *, hours: float, shows_hours: float, battery: bool) -> Clock:
    """Take the power for some hours from a node whose clock was right, and give the clock that it has then."""
    bench.answer(bench.clock)
    bench.instruments.pass_(hours=hours)
    bench.instruments.step(hours=shows_hours - hours)
    bench.instruments.reboot()
    bench.clock = Clock(bench.instruments, bench.faults, saved=bench.saved[-1], battery=lambda: battery)
    bench.clock.check()
    return bench.clock


@pytest.mark.parametrize(("hours", "state"), [(1, ClockState.HELD), (71, ClockState.HELD), (73, ClockState.UNTRUSTED)])
def test_with_a_battery_trust_survives_the_power_for_as_long_as_it_would_have_without(
    bench: Bench, hours: float, state: ClockState
) -> None:
    assert switched_off(bench, hours=hours, shows_hours=hours, battery=True).state is state
    assert switched_off(bench, hours=hours, shows_hours=hours, battery=False).state is ClockState.UNTRUSTED


def test_a_clock_that_shows_less_than_before_the_restart_is_refused_whoever_vouches_for_it(bench: Bench) -> None:
    """A network's time server may be wrong, or an attacker's; a clock with a battery may have been set back."""
    switched_off(bench, hours=1, shows_hours=-2, battery=True)
    assert bench.state() is ClockState.UNTRUSTED
    bench.instruments.synchronised = True
    bench.clock.check()
    assert bench.state() is ClockState.UNTRUSTED
    detail = next(one.detail for one in bench.faults.standing() if one.code == "clock_untrusted")
    assert "before the restart" in detail
    bench.answer(bench.clock)
    assert bench.state() is ClockState.TRUSTED
    assert "clock_untrusted" not in bench.codes()


def test_a_clock_that_shows_less_is_believed_again_when_it_shows_more(bench: Bench) -> None:
    clock = switched_off(bench, hours=1, shows_hours=-2, battery=False)
    bench.instruments.synchronised = True
    bench.instruments.step(hours=4)
    clock.check()
    assert clock.state is ClockState.TRUSTED


@pytest.mark.parametrize("hours", [1, -1, 24, -24])
def test_a_step_of_the_wall_clock_ends_trust_until_asked_again(bench: Bench, hours: int) -> None:
    bench.answer(bench.clock)
    bench.instruments.step(hours=hours)
    bench.clock.check()
    assert bench.state() is ClockState.UNTRUSTED
    bench.answer(bench.clock)
    assert bench.state() is ClockState.TRUSTED


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("minutes", [1, 11])
@pytest.mark.parametrize("hours", [14, -14])
def test_whoever_sets_the_clock_does_not_vouch_for_it_too(
    bench: Bench, hours: int, minutes: int, *, answered: bool
) -> None:
    """A time server that lies leaves the kernel "synchronised"."""
    bench.instruments.synchronised = True
    bench.clock.check()
    if answered:
        bench.answer(bench.clock)
    bench.instruments.pass_(minutes=minutes)
    saved = len(bench.saved)
    bench.instruments.step(hours=hours)
    for _ in range(3):
        bench.clock.check()
        assert bench.state() is ClockState.UNTRUSTED
        bench.instruments.pass_(minutes=20)
    assert bench.clock.why_untrusted == "stepped"
    assert len(bench.saved) == saved, "nothing is learned from a clock that is not believed"
    bench.instruments.step(hours=-hours)
    bench.clock.check()
    assert bench.state() is ClockState.UNTRUSTED, "nor by its way back"
    bench.answer(bench.clock)
    assert bench.state() is ClockState.TRUSTED


def test_a_step_while_the_agent_was_down_is_noticed(bench: Bench) -> None:
    bench.answer(bench.clock)
    bench.instruments.step(seconds=6)
    bench.instruments.synchronised = True
    clock = bench.start()
    assert clock.state is ClockState.UNTRUSTED
    clock.check()
    assert clock.state is ClockState.UNTRUSTED


def test_small_corrections_do_no_harm(bench: Bench) -> None:
    bench.answer(bench.clock)
    bench.instruments.step(seconds=4)
    bench.clock.check()
    assert bench.state() is ClockState.TRUSTED


def test_a_wrong_clock_is_told_the_centres_time_without_being_believed(bench: Bench) -> None:
    """Emergencies need an instant even when the wall clock shows 1970."""
    bench.answer(bench.clock, off_ms=5 * 3_600_000)
    bench.instruments.pass_(seconds=10)
    assert bench.state() is ClockState.UNTRUSTED
    now = NOON + timedelta(hours=5, seconds=10, milliseconds=20)
    assert abs(bench.clock.now() - now) < timedelta(milliseconds=1)


def test_the_kernels_own_clocks_can_be_read() -> None:
    instruments = SystemInstruments()
    assert instruments.wall_ns() > 1_700_000_000 * 10**9
    assert 0 < instruments.monotonic_ns() <= instruments.boottime_ns()
    assert instruments.kernel_synchronised() in {True, False}
    assert len(instruments.boot_id) == 36


def test_a_wait_between_two_readings_does_not_set_the_clocks_apart() -> None:
    waits_ns = iter([0, 150 * 10**6, 0, 90 * 10**6, 0, 0])
    now_ns = 0

    def read(ahead_ns: int) -> int:
        nonlocal now_ns
        now_ns += next(waits_ns, 0)
        return now_ns + ahead_ns

    assert ahead_ns(lambda: read(7 * 10**9), lambda: read(0)) == 7 * 10**9


def test_of_readings_that_are_all_disturbed_the_closest_counts() -> None:
    waits_ns = iter([0, 3_000_000, 0] * 4 + [0, 400_000, 0])
    now_ns = 0

    def read() -> int:
        nonlocal now_ns
        now_ns += next(waits_ns)
        return now_ns

    assert abs(ahead_ns(read, read)) <= 200_000


def test_why_a_clock_is_not_believed_is_said_until_it_is(bench: Bench) -> None:
    def why() -> tuple[str | None, list[str]]:
        bench.clock.check()
        return bench.clock.why_untrusted, [fault.detail for fault in bench.faults.standing() if "plays" in fault.detail]

    def told(reason: Distrust) -> tuple[str | None, list[str]]:
        return reason, [WHY[reason]]

    bench.clock.check()
    assert why() == told("no_source")
    bench.answer(bench.clock)
    assert why() == (None, [])
    bench.instruments.step(minutes=1)
    assert why() == told("stepped")
    bench.answer(bench.clock, off_ms=3_600_000)
    assert why() == told("disagrees")
    bench.answer(bench.clock)
    bench.instruments.pass_(milliseconds=bench.clock.hold_ms + 1)
    assert why() == told("expired")
    bench.answer(bench.clock)
    assert why() == (None, [])
    bench.instruments.step(hours=-1)
    bench.instruments.reboot()
    bench.clock = bench.start()
    assert why() == told("behind")
