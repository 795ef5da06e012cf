"""What is signed: a yes to this content, at this place, over this window, by enough people."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from controller.signing.rules import NOTHING, Facts, Refusal, YesFact, judge
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
    ],
    ids=["content", "place", "begins later", "ends sooner"],
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


def test_an_emergency_takes_one_who_broke_the_glass_and_nobody_elses_name() -> None:
    assert judge(SCOPE, ALARM, Facts((yes(ALARM),), glass_broken_by="lan")) is None
    assert judge(SCOPE, ALARM, Facts((yes(ALARM),), glass_broken_by="minh")) is Refusal.ONE_PERSON


def test_an_all_clear_takes_one() -> None:
    assert judge(SCOPE, ALARM, Facts((yes(ALARM),), follows=True)) is None


def test_the_authors_yes_is_none_where_another_is_asked() -> None:
    strict = Facts((yes(),), authors=frozenset({"lan"}), asks_another=True)
    assert judge(SCOPE, DUE, strict) is Refusal.OWN_WORK
    assert judge(SCOPE, DUE, strict._replace(yeses=(yes(), yes(by="minh")))) is None
    assert judge(SCOPE, DUE, strict._replace(yeses=(yes(bounded=True),))) is None
