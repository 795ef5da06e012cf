"""What may be called played."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from edge_agent.evidence import Consumed, Heard, Sensation, Verdict, conclude, weigh
from edge_agent.heard import Sensed
from edge_agent.protocol.content import Voice
from edge_agent.protocol.states import Grade, Outcome, Reason
from edge_agent.protocol.timeline import Sound
from tests.edge_agent.fakes import NOON

LENGTH_MS = 10_000
WHOLE = LENGTH_MS * 48


def sound(gain_mb: int = 0) -> Sound:
    voice = Voice(language="vi", sha256="a" * 64, bytes=1, length_ms=LENGTH_MS)
    return Sound(
        broadcast_id="b-1", item=0, voice=voice, begins_at=NOON, ends_at=NOON + timedelta(seconds=10), gain_mb=gain_mb
    )


def consumed(**changes: Any) -> Consumed:
    fields: dict[str, Any] = {"frames": WHOLE, "first_at": NOON, "stamps_ms": 10_000.0, "pace_ms": 9_980.0}
    return Consumed(**{**fields, **changes})


def test_all_frames_in_real_time_are_grade_e1() -> None:
    heard = weigh(sound(), consumed(first_at=NOON + timedelta(milliseconds=2.5)), simulated=True)
    assert (heard.grade, heard.whole, heard.played_ms, heard.start_error_ms) == (Grade.E1, True, LENGTH_MS, 2.5)
    assert heard.simulated


@pytest.mark.parametrize(("changes", "grade"), [
    ({"frames": WHOLE * 985 // 1000}, Grade.E1),
    ({"frames": WHOLE * 1015 // 1000}, Grade.E1),
    ({"frames": 0, "first_at": None}, Grade.E0),
    ({"stamps_ms": 9_000.0}, Grade.E0),
    ({"pace_ms": 8.0}, Grade.E0),
    ({"missing": WHOLE // 50}, Grade.E0),
])  # fmt: skip
def test_less_than_that_is_not_whole(changes: dict[str, object], grade: Grade) -> None:
    """The last but one: a sink that swallows ten seconds in 8 ms (ALSA's null) is no evidence."""
    heard = weigh(sound(), consumed(**changes), simulated=False)
    assert not heard.whole
    assert heard.grade is grade


@pytest.mark.parametrize(("length_ms", "seen_ms", "grade"), [
    (10_000, 9_651, Grade.E1),
    (10_000, 9_649, Grade.E0),
    (300, 190, Grade.E1),
    (300, 187, Grade.E0),
    (100, 10, Grade.E0),
])  # fmt: skip
def test_a_short_sound_is_given_less_slack(length_ms: int, seen_ms: float, grade: Grade) -> None:
    """With 150 ms for all, a sink that swallows a short sound at once would have played it."""
    figures = consumed(frames=length_ms * 48, stamps_ms=seen_ms, pace_ms=seen_ms)
    assert weigh(sound(), figures, simulated=False).grade is grade


def test_what_goes_into_a_muted_card_proves_nothing() -> None:
    assert weigh(sound(), consumed(), simulated=False).grade is Grade.E1
    assert weigh(sound(), consumed(), simulated=False, muted=True).grade is Grade.E0


def test_a_muted_node_has_not_played() -> None:
    assert weigh(sound(gain_mb=-6000), consumed(), simulated=False).grade is Grade.E0


def heard(item: int, **changes: Any) -> Heard:
    fields: dict[str, Any] = {
        "requested_ms": 1000,
        "played_ms": 1000,
        "start_error_ms": 0.5,
        "whole": True,
        "grade": Grade.E1,
    }
    return Heard(item=item, **{**fields, **changes})


def test_played_needs_evidence_for_every_item() -> None:
    both = (heard(0), heard(1))
    verdict = conclude(Outcome.PLAYED, None, both, {0: 1000, 1: 1000}, missing=Reason.POWER)
    assert (verdict.outcome, verdict.played_ms, verdict.grade) == (Outcome.PLAYED, 2000, Grade.E1)
    lacking = conclude(Outcome.PLAYED, None, both[:1], {0: 1000, 1: 1000}, missing=Reason.POWER)
    assert (lacking.outcome, lacking.reason) == (Outcome.INTERRUPTED, Reason.POWER)
    poor = (heard(0), heard(1, whole=False, grade=Grade.E0))
    assert conclude(Outcome.PLAYED, None, poor, {0: 1000, 1: 1000}, missing=Reason.OUTPUT_LOST).grade is Grade.E0


def test_items_without_a_voice_here_need_no_evidence() -> None:
    both = (heard(0), heard(2))
    verdict = conclude(Outcome.PLAYED, None, both, {0: 1000, 2: 1000}, missing=Reason.POWER)
    assert (verdict.outcome, verdict.requested_ms) == (Outcome.PLAYED, 2000)


def test_a_silent_drill_is_played_on_the_same_evidence_and_has_no_grade() -> None:
    def drill(*found: Heard) -> Verdict:
        return conclude(Outcome.PLAYED, None, found, {0: 1000}, missing=Reason.OUTPUT_LOST, silent=True)

    assert (drill(heard(0)).outcome, drill(heard(0)).grade) == (Outcome.PLAYED, Grade.E0)
    assert drill(heard(0, whole=False)).outcome is Outcome.INTERRUPTED


def test_without_any_item_nothing_was_played() -> None:
    assert conclude(Outcome.PLAYED, None, (), {}, missing=Reason.POWER).outcome is Outcome.INTERRUPTED


def test_an_item_that_sounded_twice_counts_once() -> None:
    twice = (heard(0, whole=False, played_ms=300), heard(0))
    verdict = conclude(Outcome.PLAYED, None, twice, {0: 1000}, missing=Reason.POWER)
    assert (verdict.outcome, verdict.played_ms) == (Outcome.PLAYED, 1000)


def sensed(item: int, verdict: Sensed, *, grade: Grade = Grade.E3, simulated: bool = False, **changes: Any) -> Heard:
    return heard(item, sensation=Sensation(sensed=verdict, grade=grade, simulated=simulated), **changes)


@pytest.mark.parametrize(("found", "grade"), [
    ((sensed(0, "heard"), sensed(1, "heard")), Grade.E3),
    ((sensed(0, "heard", grade=Grade.E2), sensed(1, "heard", grade=Grade.E2)), Grade.E2),
    ((sensed(0, "heard"), sensed(1, "unsure")), Grade.E3),
    ((sensed(0, "heard"), sensed(1, "unsure", played_ms=1001)), Grade.E1),
    ((sensed(0, "heard"), sensed(1, "not_heard")), Grade.E1),
    ((sensed(0, "unsure"), sensed(1, "unsure")), Grade.E1),
    ((sensed(0, "not_heard"), sensed(1, "not_heard")), Grade.E1),
    ((sensed(0, "heard"), sensed(1, "heard", grade=Grade.E2)), Grade.E2),
])  # fmt: skip
def test_a_grade_is_raised_by_what_was_heard_of_most_and_silent_for_none(
    found: tuple[Heard, ...], grade: Grade
) -> None:
    verdict = conclude(Outcome.PLAYED, None, found, {0: 1000, 1: 1000}, missing=Reason.POWER)
    assert (verdict.outcome, verdict.grade) == (Outcome.PLAYED, grade)


def test_a_sensor_raises_nothing_that_did_not_leave_the_output_or_was_to_be_silent() -> None:
    poor = msgspec.structs.replace(sensed(0, "heard"), whole=False, grade=Grade.E0)
    assert conclude(Outcome.PLAYED, None, (poor,), {0: 1000}, missing=Reason.OUTPUT_LOST).grade is Grade.E0
    drill = conclude(Outcome.PLAYED, None, (sensed(0, "heard"),), {0: 1000}, missing=Reason.POWER, silent=True)
    assert drill.grade is Grade.E0


def test_what_rests_on_a_simulated_sensor_says_so_and_only_that() -> None:
    def told(verdict: Sensed) -> Verdict:
        found = (sensed(0, verdict, simulated=True),)
        return conclude(Outcome.PLAYED, None, found, {0: 1000}, missing=Reason.POWER)

    assert (told("heard").grade, told("heard").simulated) == (Grade.E3, True)
    assert (told("unsure").grade, told("unsure").simulated) == (Grade.E1, False)
