"""What is signed: a yes to this content, at this place, over this window, by enough people."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from controller.people.proof import Runs
from controller.signing.rules import NOTHING, Facts, Refusal, YesFact, judge, run_of
from edge_agent.protocol.content import Broadcast, Voice, content_hash
from edge_agent.protocol.states import Drill, Level
from tests.edge_agent.centre import SCOPE, broadcast
from tests.edge_agent.fakes import NOON

MINUTE = timedelta(minutes=1)
VOICE = Voice(language="vi", sha256="a" * 64, bytes=1000, length_ms=4000)
DUE = broadcast("b-1", NOON, VOICE)
ALARM = broadcast("b-2", NOON, VOICE, level=Level.EMERGENCY)


def yes(to: Broadcast = DUE, by: str = "lan", **other: Any) -> YesFact:
    """A yes that covers it, but for what is said."""
    content = content_hash(to.items, to.drill)
    return YesFact(by, content, frozenset({SCOPE}), to.start_at, to.latest_end_at)._replace(**other)


def test_what_a_yes_covers_is_signed() -> None:
    assert judge(SCOPE, DUE, Facts((yes(),))) is None


@pytest.mark.parametrize(
    "other",
    [
        {"content_sha256": "0" * 64},
        {"scopes": frozenset({"areas/other"})},
        {"not_before_at": DUE.start_at + MINUTE},
        {"not_after_at": DUE.latest_end_at - MINUTE},
        {"level": Level.EMERGENCY},
        {"runs": Runs(zone="Asia/Ho_Chi_Minh", times=("03:15:00",), lasts_ms=86_400_000, count=1)},
        {"runs": Runs(zone="Asia/Ho_Chi_Minh", times=("12:00:00",), lasts_ms=1, count=1)},
        {"runs": Runs(zone="UTC", times=("12:00:00",), lasts_ms=86_400_000, count=1)},
        {"runs": Runs(zone="Asia/Ho_Chi_Minh", times=("2020-01-01T12:00:00",), lasts_ms=86_400_000, count=1)},
    ],
    ids=["content", "place", "begins later", "ends sooner", "level", "hour", "lasts longer", "zone", "day"],
)
def test_a_yes_to_something_else_is_none(other: dict[str, Any]) -> None:
    assert judge(SCOPE, DUE, Facts((yes(**other),))) is Refusal.NO_YES


def test_nothing_is_signed_for_want_of_facts() -> None:
    assert judge(SCOPE, DUE, NOTHING) is Refusal.NO_YES


def test_the_approvals_that_a_broadcast_brings_along_count_for_nothing() -> None:
    """They are what whoever wrote the plan says; the check reads for itself."""
    assert DUE.approvals
    assert judge(SCOPE, DUE, Facts()) is Refusal.NO_YES


def test_an_edit_after_the_yes_voids_it() -> None:
    louder = msgspec.structs.replace(
        DUE, items=(msgspec.structs.replace(DUE.items[0], voices=(msgspec.structs.replace(VOICE, gain_mb=600),)),)
    )
    assert judge(SCOPE, louder, Facts((yes(),))) is Refusal.NO_YES


def test_a_yes_to_a_drill_is_none_to_the_real_thing() -> None:
    drill = msgspec.structs.replace(ALARM, drill=Drill.MARKED)
    assert judge(SCOPE, drill, Facts((yes(drill),))) is None
    assert judge(SCOPE, ALARM, Facts((yes(drill), yes(drill, "minh")))) is Refusal.NO_YES


def test_an_emergency_takes_two_people() -> None:
    assert judge(SCOPE, ALARM, Facts((yes(ALARM),))) is Refusal.ONE_PERSON
    assert judge(SCOPE, ALARM, Facts((yes(ALARM), yes(ALARM)))) is Refusal.ONE_PERSON, "the same one twice"
    assert judge(SCOPE, ALARM, Facts((yes(ALARM), yes(ALARM, "minh")))) is None


def test_an_emergency_takes_one_who_broke_the_glass_and_waited() -> None:
    assert judge(SCOPE, ALARM, Facts((yes(ALARM, glass=True, waited=True),))) is None
    assert judge(SCOPE, ALARM, Facts((yes(ALARM, glass=True),))) is Refusal.ONE_PERSON
    assert judge(SCOPE, ALARM, Facts((yes(ALARM, glass=True), yes(ALARM, "minh")))) is None, "a second ends the wait"


def test_a_glass_broken_for_something_else_counts_for_nothing() -> None:
    other = yes(ALARM, glass=True, waited=True, not_after_at=ALARM.latest_end_at - MINUTE)
    assert judge(SCOPE, ALARM, Facts((other,))) is Refusal.NO_YES
    assert judge(SCOPE, ALARM, Facts((other, yes(ALARM)))) is Refusal.ONE_PERSON


def test_a_glass_is_no_shorter_way_where_one_yes_is_enough() -> None:
    drill = msgspec.structs.replace(ALARM, drill=Drill.MARKED)
    assert judge(SCOPE, drill, Facts((yes(drill, glass=True),))) is Refusal.NO_YES
    assert judge(SCOPE, drill, Facts((yes(drill, glass=True, waited=True),))) is None


def test_an_all_clear_takes_one() -> None:
    assert judge(SCOPE, ALARM, Facts((yes(ALARM),), follows=True)) is None


def test_the_authors_yes_is_none_where_another_is_asked() -> None:
    strict = Facts((yes(),), authors=frozenset({"lan"}), asks_another=True)
    assert judge(SCOPE, DUE, strict) is Refusal.OWN_WORK
    assert judge(SCOPE, DUE, strict._replace(yeses=(yes(), yes(by="minh")))) is None
    assert judge(SCOPE, DUE, strict._replace(yeses=(yes(bounded=True),))) is None


@pytest.mark.parametrize(
    ("start", "names"),
    [
        ("2026-03-09T23:59:30", "2026-03-10T00:00:10"),
        ("2026-03-10T00:00:40", "2026-03-10T00:00:10"),
        ("2026-03-10T00:01:30", None),
        ("2026-03-09T23:58:30", "2026-03-09T23:58:00"),
        ("2026-03-10T11:59:01", "2026-03-10T12:00:00"),
        ("2026-03-11T12:00:00", None),
        ("2026-03-11T23:57:00", "2026-03-11T23:58:00"),
    ],
)
def test_the_nearest_of_many_times_names_a_run_also_around_midnight(start: str, names: str | None) -> None:
    times = ("23:58:00", "2026-03-10T12:00:00", "00:00:10", "2026-01-01T00:00:00")
    at = datetime.fromisoformat(start).replace(tzinfo=UTC)
    run = broadcast("b-1", at, VOICE)
    assert run_of(run, Runs(zone="UTC", times=times, lasts_ms=86_400_000, count=1)) == names


@pytest.mark.parametrize("at", ["12:00:00", "11:59:10", f"{NOON:%Y-%m-%d}T12:00:30"])
def test_a_run_of_a_series_is_told_by_its_hour(at: str) -> None:
    """A programme may begin with more or less silence than on the day that was looked at."""
    runs = Runs(zone="Asia/Ho_Chi_Minh", times=("03:00:00", at), lasts_ms=86_400_000, count=1)
    assert judge(SCOPE, DUE, Facts((yes(runs=runs, level=Level.NORMAL),))) is None
