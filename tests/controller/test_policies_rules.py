"""What holds in an area, and what breaks it. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.areas.rules import Place, Tree
from controller.plans.build import NodeFacts, Stamp, build_settings
from controller.policies.limits import Airing, check, unusual
from controller.policies.rules import DEFAULT, RULES, EffectivePolicy, effective
from controller.policies.schemas import PolicyRules, SecondPerson, SelfApproval, Window
from edge_agent.protocol.content import Approval, Broadcast, Item, Voice, content_hash
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.listings import Listing
from edge_agent.protocol.states import KeyUse, Level, Outcome, Reason
from edge_agent.protocol.timeline import View, project

HANOI = "Asia/Ho_Chi_Minh"
MONDAY = datetime(2026, 3, 8, 17, 0, tzinfo=UTC)
"""Midnight of Monday 9 March 2026 in Hanoi."""
KEYS = tuple(TrustedKey(kid=f"{n:016x}", use=use, x="A" * 43) for n, use in enumerate((KeyUse.DISPATCH, KeyUse.POLICY)))


def at(hour: str, *, minutes: float = 5, day: int = 0) -> Airing:
    """A run that begins at an hour of Monday in Hanoi."""
    hours, mins = map(int, hour.split(":"))
    return Airing(MONDAY + timedelta(days=day, hours=hours, minutes=mins), timedelta(minutes=minutes))


def place(name: str, parent: str | None = None, *, locked: Sequence[str] = (), **rules: Any) -> Place:
    own = {key: rules.pop(key, None) for key in ("zone", "quiet_hours", "languages")}
    return Place(name, parent, "commune", name, **own, rules=rules or None, locked=locked)


def broken(policy: EffectivePolicy, *planned: Airing, already: Sequence[Airing] = ()) -> list[tuple[str, str, str]]:
    return [(each.rule, each.limit, each.found) for each in check(policy, planned, already)]


def test_a_rule_comes_from_the_nearest_place_that_says_it_and_says_so() -> None:
    tree = Tree(
        [
            place("province", sessions_a_day=3, minutes_a_day=90),
            place("commune", "province", sessions_a_day=2, languages=["tyz", "vi"]),
            place("hamlet", "commune", earliest="05:30"),
        ]
    )
    found = tree.effective("hamlet")
    assert (found.sessions_a_day, found.minutes_a_day, found.earliest) == (2, 90, "05:30")
    assert (found.languages, found.zone) == (("tyz", "vi"), HANOI)
    assert found.origins == {
        "sessions_a_day": "commune",
        "minutes_a_day": "province",
        "earliest": "hamlet",
        "languages": "commune",
    }
    assert tree.effective("province").sessions_a_day == 3
    assert found == effective(tree.chain("hamlet"))


def test_what_is_locked_stays_as_it_is_above() -> None:
    windows = [{"start": "05:00", "until": "07:00"}]
    tree = Tree(
        [
            place("province", windows=windows, locked=["windows", "quiet_hours", "lease_hours"]),
            place("commune", "province", windows=[], quiet_hours=[], lease_hours=700, locked=["earliest"]),
            place("hamlet", "commune", windows=[{"start": "00:00", "until": "23:59"}], earliest="01:00"),
        ]
    )
    found = tree.effective("hamlet")
    assert found.windows == (Window(start="05:00", until="07:00"),)
    assert (found.quiet_hours, found.lease_hours, found.earliest) == (DEFAULT.quiet_hours, None, None)
    assert found.locks == dict.fromkeys(("windows", "quiet_hours", "lease_hours"), "province") | {"earliest": "commune"}


def test_rules_of_a_later_version_are_left_alone() -> None:
    assert Tree([place("a", sessions_a_day=2, music_ban=True)]).effective("a").sessions_a_day == 2


HOURS = st.sampled_from([f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 15, 30, 59)])
WINDOW = st.tuples(HOURS, HOURS).filter(lambda pair: pair[0] != pair[1])
WINDOWS = st.lists(WINDOW.map(lambda pair: {"start": pair[0], "until": pair[1]}), max_size=3)
OWN = st.fixed_dictionaries(
    {},
    optional={
        "zone": st.sampled_from([HANOI, "Asia/Bangkok", "Asia/Kathmandu", "UTC"]),
        "quiet_hours": WINDOWS,
        "languages": st.sampled_from([["vi"], ["hmn", "vi"]]),
        "windows": WINDOWS,
        "earliest": HOURS,
        "sessions_a_day": st.integers(0, 5),
        "minutes_a_session": st.integers(1, 60),
        "minutes_a_day": st.integers(1, 200),
        "lease_hours": st.integers(12, 720),
        "download_kbit_s": st.integers(32, 1000),
        "second_person": st.just([{"category": "*", "level": "*"}]),
    },
)
LOCKS = st.lists(st.sampled_from(RULES), max_size=4, unique=True)


@given(st.lists(st.tuples(OWN, LOCKS), min_size=1, max_size=5))
def test_nobody_below_escapes_a_lock(levels: list[tuple[dict[str, Any], list[str]]]) -> None:
    chain = [
        place(str(depth), str(depth - 1) if depth else None, locked=locked, **dict(rules))
        for depth, (rules, locked) in enumerate(levels)
    ]
    tree = Tree(chain)
    for depth, (_, locked) in enumerate(levels):
        above = tree.effective(str(depth))
        for below in range(depth + 1, len(levels)):
            found = tree.effective(str(below))
            for rule in locked:
                assert getattr(found, rule) == getattr(above, rule)
                assert rule in found.locks
                assert found.origins.get(rule) == above.origins.get(rule)


@pytest.mark.parametrize(
    ("rules", "runs", "expected"),
    [
        ({"windows": [("05:00", "07:00"), ("16:30", "18:00")]}, [at("05:00", minutes=120), at("17:00")], []),
        (
            {"windows": [("05:00", "07:00")]},
            [at("06:58")],
            [("windows", "05:00–07:00", "06:58–07:03")],
        ),
        ({"windows": [("21:00", "01:00")], "quiet_hours": []}, [at("23:58")], []),
        ({}, [at("22:00")], [("quiet_hours", "22:00–05:00", "22:00–22:05")]),
        ({"quiet_hours": [], "earliest": "05:30"}, [at("05:29")], [("earliest", "05:30", "05:29–05:34")]),
        ({"quiet_hours": [], "earliest": "05:30"}, [at("23:58")], [("earliest", "05:30", "23:58–00:03")]),
        ({"quiet_hours": [], "earliest": "00:00"}, [at("00:00")], []),
        ({"sessions_a_day": 2}, [at("05:00"), at("05:09"), at("17:00")], []),
        ({"sessions_a_day": 2}, [at("05:00"), at("11:00"), at("17:00")], [("sessions_a_day", "2", "3")]),
        ({"sessions_a_day": 0}, [at("09:00")], [("sessions_a_day", "0", "1")]),
        ({"minutes_a_session": 20}, [at("05:00", minutes=12), at("05:12", minutes=8)], []),
        (
            {"minutes_a_session": 20},
            [at("05:00", minutes=12), at("05:05", minutes=8.5)],
            [("minutes_a_session", "20", "20.5")],
        ),
        ({"minutes_a_day": 30}, [at("05:00", minutes=30), at("05:00", minutes=30, day=1)], []),
        (
            {"minutes_a_day": 30},
            [at("05:00", minutes=20), at("17:00", minutes=11)],
            [("minutes_a_day", "30", "31")],
        ),
    ],
)
def test_a_breach_names_its_rule(
    rules: dict[str, Any], runs: list[Airing], expected: list[tuple[str, str, str]]
) -> None:
    for name in ("windows", "quiet_hours"):
        if name in rules:
            rules = rules | {name: tuple(Window(start=start, until=until) for start, until in rules[name])}
    assert broken(EffectivePolicy(**rules), *runs) == expected


def test_what_stands_already_is_counted_but_not_blamed() -> None:
    policy = EffectivePolicy(sessions_a_day=2, minutes_a_day=30)
    stands = [at("05:00", minutes=10), at("11:00", minutes=10), at("17:00", minutes=5)]
    # A third session was saved before the rule came: one more run inside a session is no further session.
    assert broken(policy, at("05:10", minutes=5), already=stands) == []
    assert broken(policy, at("20:00", minutes=5), already=stands) == [("sessions_a_day", "2", "4")]
    assert broken(policy, at("05:10", minutes=6), already=stands) == [("minutes_a_day", "30", "31")]
    assert broken(policy, at("20:00", minutes=5, day=1), already=stands) == []


def test_a_day_is_a_day_of_the_place() -> None:
    policy = EffectivePolicy(sessions_a_day=1, quiet_hours=())
    assert broken(policy, at("23:30", day=0), already=[at("06:00", day=1)]) == []
    assert broken(policy, at("00:30", day=1), already=[at("06:00", day=1)]) == [("sessions_a_day", "1", "2")]


def test_an_hour_is_unusual_at_night_and_where_nothing_sounds() -> None:
    history = [at(hour, day=-day).start_at for day in range(1, 10) for hour in ("05:00", "17:00")]
    asked = {hour: unusual(history, at(hour), HANOI) for hour in ("03:15", "04:58", "05:55", "09:00", "17:30", "21:58")}
    assert {hour: each and each.reason for hour, each in asked.items()} == {
        "03:15": "night",
        "04:58": "night",
        "05:55": None,
        "09:00": "no_habit",
        "17:30": None,
        "21:58": "night",
    }
    assert asked["03:15"] is not None
    assert asked["03:15"].hour == "03:15"


def test_a_place_without_a_habit_is_asked_at_night_only() -> None:
    two_days = [at("05:00", day=-day).start_at for day in (1, 2)]
    assert unusual(two_days, at("14:00"), HANOI) is None
    assert unusual([], at("14:00"), HANOI) is None
    assert unusual([], at("23:00"), HANOI) is not None


def test_near_is_near_across_midnight() -> None:
    history = [at("00:10", day=-day).start_at for day in range(1, 5)]
    late = unusual(history, at("21:50"), HANOI)
    assert late is not None
    assert late.reason == "no_habit"
    assert unusual([each - timedelta(hours=1, minutes=40) for each in history], at("21:40"), HANOI) is None


def test_the_second_person_is_asked_by_category_and_level() -> None:
    rules = (SecondPerson(category="Phòng chống thiên tai"), SecondPerson(level="priority"))
    policy = EffectivePolicy(second_person=rules)
    assert policy.takes_second_person("Phòng chống thiên tai", Level.NORMAL) is True
    assert policy.takes_second_person(None, Level.PRIORITY) is True
    assert policy.takes_second_person("Thông báo", Level.NORMAL) is False
    assert policy.takes_second_person(None, Level.NORMAL) is True
    assert (
        EffectivePolicy(second_person=(SecondPerson(level="priority"),)).takes_second_person(None, Level.NORMAL)
        is False
    )
    assert EffectivePolicy(second_person=()).takes_second_person("Thông báo", Level.NORMAL) is False
    assert EffectivePolicy().takes_second_person("Thông báo", Level.NORMAL) is None


def test_one_approves_alone_what_is_small_and_rare() -> None:
    policy = EffectivePolicy(self_approval=SelfApproval(categories=("Mất nước",), minutes=2, a_day=1))
    assert policy.may_approve_alone("Mất nước", Level.NORMAL, 120_000, 0)
    assert not policy.may_approve_alone("Mất nước", Level.NORMAL, 120_001, 0)
    assert not policy.may_approve_alone("Mất nước", Level.NORMAL, 60_000, 1)
    assert not policy.may_approve_alone("Khác", Level.NORMAL, 60_000, 0)
    assert not policy.may_approve_alone(None, Level.NORMAL, 60_000, 0)
    assert not policy.may_approve_alone("Mất nước", Level.PRIORITY, 60_000, 0)  # it would interrupt what sounds
    urgent = EffectivePolicy(self_approval=SelfApproval(categories=("Mất nước",), minutes=2, a_day=1, level="priority"))
    assert urgent.may_approve_alone("Mất nước", Level.PRIORITY, 60_000, 0)
    assert not EffectivePolicy().may_approve_alone("Mất nước", Level.NORMAL, 60_000, 0)


@settings(max_examples=150, deadline=None)
@given(
    quiet=WINDOWS,
    windows=WINDOWS,
    zone=st.sampled_from([HANOI, "Asia/Kathmandu", "UTC"]),
    start=st.integers(0, 2 * 24 * 60),
    lengths=st.lists(st.integers(1, 5400), min_size=1, max_size=3),
)
def test_what_passes_is_not_refused_by_the_nodes_own_guard(
    quiet: list[dict[str, str]], windows: list[dict[str, str]], zone: str, start: int, lengths: list[int]
) -> None:
    """Promise P10, for hours: the centre and the node say the same."""
    policy = EffectivePolicy(
        zone=zone,
        quiet_hours=tuple(Window(**each) for each in quiet),
        windows=tuple(Window(**each) for each in windows),
    )
    start_at = MONDAY + timedelta(minutes=start)
    found = check(policy, [Airing(start_at, timedelta(seconds=sum(lengths)))])
    end = sounding(policy, start_at, lengths)
    if not found:
        assert end == (Outcome.PLAYED, None)
    if end[0] is Outcome.REFUSED:
        assert str(end[1]).replace("outside_window", "windows") in [each.rule for each in found]
    if found and len(lengths) == 1:
        assert end[0] is Outcome.REFUSED


def sounding(policy: EffectivePolicy, start_at: datetime, lengths: list[int]) -> tuple[Outcome, Reason | None]:
    """What a node with nothing else to do says of a broadcast that is on time."""
    items, offset_ms = [], 0
    for number, seconds in enumerate(lengths):
        voice = Voice(language="vi", sha256=f"{number:064x}", bytes=1000, length_ms=seconds * 1000)
        items.append(Item(offset_ms=offset_ms, voices=(voice,)))
        offset_ms += seconds * 1000
    end_at = start_at + timedelta(milliseconds=offset_ms + 1000)
    approval = Approval(
        approval_id="a-1",
        content_sha256=content_hash(items),
        scopes=("areas/a",),
        not_before_at=start_at,
        not_after_at=end_at,
    )
    broadcast = Broadcast(
        broadcast_id="b-1",
        level=Level.NORMAL,
        start_at=start_at,
        latest_start_at=start_at,
        latest_end_at=end_at,
        approvals=(approval,),
        items=tuple(items),
    )
    told = build_settings(Stamp("nodes/n", 1, 1, MONDAY), NodeFacts(), (), policy, KEYS)
    told = msgspec.structs.replace(told, max_broadcast_ms=86_400_000)
    view = View(listings={"b-1": Listing(broadcast=broadcast, scopes=frozenset({"areas/a"}))}, settings=told)
    for step in project(view, start_at - timedelta(minutes=1), end_at + timedelta(seconds=1)):
        for conclusion in step.conclusions:
            return conclusion.outcome, conclusion.reason
    return Outcome.UNKNOWN, None


def test_a_row_keeps_only_what_is_said() -> None:
    rules = PolicyRules(windows=(), sessions_a_day=3)
    assert rules.model_dump(mode="json", exclude_none=True) == {"windows": [], "sessions_a_day": 3}
    assert PolicyRules.stored({"windows": [], "sessions_a_day": 3}) == rules
