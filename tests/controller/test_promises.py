"""The promises over the whole way: trees with policies, schedules turned into dates, nodes with bad days.

What must hold is read here from the places and rules themselves, in plain words: nothing of ``effective``, ``expand``
or what a node is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from controller.areas.rules import Place, Tree
from controller.plans.build import NodeFacts, Stamp, build_settings
from controller.schedules.expand import Change, DayRule, Days, Series, Verdict, expand
from controller.schedules.states import DateChange
from edge_agent.protocol import timeline
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.documents import Membership, QuietHours, Settings
from edge_agent.protocol.states import ClockState, Level
from tests.edge_agent.protocol.factories import KEYS, T0, after, broadcast
from tests.edge_agent.protocol.promises import PROMISES, is_quiet
from tests.edge_agent.protocol.scenarios import SOON, Pick, disturbance
from tests.edge_agent.protocol.walks import ClockBecomes, Event, Lists, Scenario, Walk, Withdraws, walk

DAYS = 10
"""From 22 November on: over a month's end."""
WORLDS = range(200)
HANOI, TOKYO = "Asia/Ho_Chi_Minh", "Asia/Tokyo"
MOURNING = date(2026, 11, 25)
CALENDAR: Days = {MOURNING: [DayRule("Quốc tang")]}
RULES: Mapping[str | None, Callable[[date, date], bool]] = {
    "FREQ=DAILY": lambda day, first: day >= first,
    "FREQ=DAILY;INTERVAL=2": lambda day, first: day >= first and (day - first).days % 2 == 0,
    "FREQ=WEEKLY;BYDAY=MO,WE,SU": lambda day, first: day >= first and day.isoweekday() in {1, 3, 7},
    "FREQ=MONTHLY;BYMONTHDAY=-1": lambda day, first: day >= first and (day + timedelta(days=1)).day == 1,
    "FREQ=MONTHLY;BYMONTHDAY=31": lambda day, first: day >= first and day.day == 31,
    None: lambda day, first: day == first,
}
"""Each recurrence rule, and whether it gives a day when it first came on ``first``."""


class Plan(NamedTuple):
    """A schedule: when, and to what place."""

    name: str
    series: Series
    area_id: str


class World(NamedTuple):
    """A node, the places above it, and all that happens to it."""

    tree: Tree
    area_id: str
    plans: tuple[Plan, ...]
    events: tuple[Event, ...]


# Made up.


def _windows(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"start": start, "until": until} for start, until in pairs]


def _place(pick: Pick, name: str, parent: str | None) -> Place:
    night = {"start": "20:00", "until": "06:00", "cap_mb": -900}
    rules: list[dict[str, Any] | None] = [
        None,
        {"windows": _windows(("04:30", "21:00"))},
        {"windows": _windows(("05:00", "11:01"), ("16:00", "22:01"))},
        {"windows": []},
        {"night": night, "lease_hours": 72},
    ]
    return Place(
        id=name,
        parent_id=parent,
        kind="commune",
        name=name,
        zone=pick([None, None, None, HANOI, TOKYO]),
        quiet_hours=pick(
            [None, None, [], _windows(("22:00", "05:00")), _windows(("11:00", "13:00"), ("00:00", "03:00"))]
        ),
        languages=pick([None, ["vi"], ["hmn", "vi"]]),
        rules=pick(rules),
        locked=pick([(), (), ("quiet_hours",), ("windows",), ("zone", "windows")]),
    )


def _series(pick: Pick) -> Series:
    hour = time(*pick([(5, 0), (3, 15), (10, 59), (17, 0), (21, 59), (23, 59)]))
    first = datetime.combine(date(2026, 11, pick([22, 23, 24])), hour)
    key = first + timedelta(days=2)
    moved = Change(DateChange.MOVED, key + timedelta(hours=2))
    return Series(
        programme_id="p",
        zone=pick([HANOI, HANOI, TOKYO]),
        first=first,
        rule=pick(list(RULES)),
        changes=pick([{}, {}, {key: Change(DateChange.CANCELLED)}, {key: moved}]),
    )


def world(seed: int, *, disturbed: bool = True) -> World:
    """Let chance make up a place; the same seed gives the same."""
    pick = Random(seed).choice
    places = [
        _place(pick, name, parent)
        for name, parent in (("province", None), ("commune", "province"), ("hamlet", "commune"))
    ]
    tree, area_id = Tree(places), pick(["hamlet", "commune"])
    plans = tuple(
        Plan(f"s{index}", _series(pick), pick([place.id for place in tree.chain(area_id)]))
        for index in range(pick([1, 2, 3, 4]))
    )
    runs = [(plan, one) for plan in plans for one in _dates(pick, plan)]
    events = [Event(0, Lists(f"areas/{plan.area_id}", False, one)) for plan, one in runs]
    if disturbed and runs:
        for plan, one in runs[:: pick([2, 5, 50])]:
            events += _edit(pick, plan, one)
        starts = [round((one.start_at - T0).total_seconds()) for _, one in runs]
        names = [one.broadcast_id for _, one in runs]
        for index in range(pick([0, 2, 4])):
            events += disturbance(pick, index, starts, names)
        events.append(Event((DAYS + 1) * 86_400, ClockBecomes(ClockState.TRUSTED)))
    return World(tree, area_id, plans, tuple(events))


def _dates(pick: Pick, plan: Plan, calendar: Days = CALENDAR) -> list[Broadcast]:
    until_at = T0 + timedelta(days=DAYS)
    lengths, late = pick([(60, 90), (30, 30, 30), (600,)]), pick([300, 0, 1800])
    return [
        broadcast(
            f"{plan.name}-{found.recurrence:%m%d-%H%M}",
            second=(found.start_at - T0).total_seconds(),
            lengths=lengths,
            late=late,
            level=pick([Level.NORMAL, Level.PRIORITY]),
            scopes=(f"areas/{plan.area_id}",),
        )
        for found in expand(plan.series, T0, until_at, calendar)
        if found.verdict is Verdict.AIRED
    ]


def _edit(pick: Pick, plan: Plan, one: Broadcast) -> list[Event]:
    """Another version takes its place: before it began, or after, when the node was out of reach meanwhile."""
    start = (one.start_at - T0).total_seconds()
    newer = broadcast(
        f"{one.broadcast_id}-v2",
        second=start + pick([0, 60]),
        lengths=pick([(20,), (60, 90)]),
        late=pick([300, 1800]),
        scopes=(f"areas/{plan.area_id}",),
        run=one.broadcast_id,
    )
    second = start + pick([-600, *SOON])
    return [Event(second, Withdraws(one.broadcast_id)), Event(second, Lists(f"areas/{plan.area_id}", False, newer))]


def sent(made: World, tree: Tree | None = None) -> Settings:
    """Give what the centre sends to the node."""
    tree = tree or made.tree
    areas = [Membership(area_id=place.id) for place in tree.chain(made.area_id)]
    facts = NodeFacts(volume_mb=100)
    return build_settings(Stamp("nodes/n1", 1, 1, T0), facts, areas, tree.effective(made.area_id), KEYS)


def lived(made: World, settings: Settings | None = None) -> Walk:
    """Let the node live through it."""
    lease = holds(made, "lease_hours") or 7 * 24
    return walk(Scenario(settings or sent(made), made.events, after(lease * 3600)))


# In plain words.


def holds(made: World, rule: str) -> Any:
    """Give what the tree says of a rule: the nearest word, or of those at and above the highest place that locks it."""
    chain = made.tree.chain(made.area_id)
    locking = [index for index, place in enumerate(chain) if rule in place.locked]
    for place in chain[max(locking, default=0) :]:
        said = getattr(place, rule) if rule in {"zone", "quiet_hours", "languages"} else (place.rules or {}).get(rule)
        if said is not None:
            return said
    return {"zone": HANOI, "quiet_hours": _windows(("22:00", "05:00"))}.get(rule)


def minutes(begins_at: datetime, ends_at: datetime) -> list[datetime]:
    """Give the begin, and every full minute to the end."""
    found, minute = [begins_at], begins_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while minute < ends_at:
        found.append(minute)
        minute += timedelta(minutes=1)
    return found


def the_hours_of_the_place_are_kept(made: World, walked: Walk) -> None:
    """P2: at no minute does routine sound in quiet hours or outside the windows of the place where the node stands."""
    zone, quiet, windows = (holds(made, rule) for rule in ("zone", "quiet_hours", "windows"))

    def inside(pairs: Sequence[Mapping[str, str]], look: datetime) -> bool:
        return any(is_quiet(QuietHours(**pair), zone, look) for pair in pairs)

    for heard in walked.heard:
        for look in minutes(heard.begins_at, heard.until_at):
            assert not inside(quiet, look), (heard, quiet)
            assert not windows or inside(windows, look), (heard, windows)


def only_the_dates_of_the_rules_are_heard(made: World, walked: Walk) -> None:
    """Nothing sounds on a day that no rule gives, that was cancelled, or that a calendar leaves out."""
    plans = {plan.name: plan.series for plan in made.plans}
    for heard in walked.heard:
        name, month_day, hour = heard.broadcast_id.split("-")[:3]
        series, month = plans[name], int(month_day[:2])
        day = date(2026, month, int(month_day[2:]))
        key = datetime.combine(day, time(int(hour[:2]), int(hour[2:])))
        change = series.changes.get(key)
        assert RULES[series.rule](day, series.first.date()), heard
        assert key.time() == series.first.time(), heard
        assert change is None or change.kind is not DateChange.CANCELLED, heard
        due = (change.moved_to if change is not None else None) or key
        assert due.date() != MOURNING, heard
        assert heard.begins_at >= due.replace(tzinfo=ZoneInfo(series.zone)).astimezone(UTC), heard


CHECKS = (the_hours_of_the_place_are_kept, only_the_dates_of_the_rules_are_heard)


def test_every_promise_holds_from_the_rule_to_the_loudspeaker() -> None:
    heard = 0
    for seed in WORLDS:
        made = world(seed)
        walked = lived(made)
        for promise in PROMISES:
            promise(walked)
        for check in CHECKS:
            check(made, walked)
        heard += len(walked.heard)

    assert heard > 500, "what is never heard proves nothing"


def test_what_the_centre_foresees_for_ten_days_is_what_the_node_plays() -> None:
    """P10, where nothing disturbs."""
    for seed in WORLDS[::3]:
        walked = lived(world(seed, disturbed=False))
        if not walked.moments or not walked.moments[0].view.listings:
            continue
        steps = list(timeline.project(walked.moments[0].view, T0, T0 + timedelta(days=DAYS + 2)))
        foreseen = {(one.sound.broadcast_id, one.sound.item, one.sound.begins_at) for one in steps if one.sound}
        ends = {end.broadcast_id: end.outcome for one in steps for end in one.conclusions}

        assert foreseen == {(one.broadcast_id, one.item, one.begins_at) for one in walked.heard}, seed
        assert ends == {end.broadcast_id: end.outcome for _, end in walked.conclusions}, seed


def unlocked(made: World) -> Settings:
    return sent(made, Tree(place._replace(locked=()) for place in made.tree.places.values()))


def only_its_own(made: World) -> Settings:
    own = made.tree.places[made.area_id]
    return sent(made, Tree([own._replace(parent_id=None)]))


def only_of_the_root(made: World) -> Settings:
    return sent(made._replace(area_id="province"))


@pytest.mark.parametrize("planted", [unlocked, only_its_own, only_of_the_root], ids=lambda planted: planted.__name__)
def test_planted_bug_a_policy_that_is_not_that_of_the_place_is_caught(planted: Callable[[World], Settings]) -> None:
    made = map(world, WORLDS)
    assert any(is_broken(the_hours_of_the_place_are_kept, one, lived(one, planted(one))) for one in made)


def is_broken(check: Callable[[World, Walk], None], made: World, walked: Walk) -> bool:
    try:
        check(made, walked)
    except AssertionError:
        return True
    return False


def test_planted_bug_a_day_of_mourning_that_is_not_asked_about_is_caught() -> None:
    def forgetful(made: World) -> World:
        dates = [one for plan in made.plans for one in _dates(Random(0).choice, plan, calendar={})]
        return made._replace(events=tuple(Event(0, Lists(one.approvals[0].scopes[0], False, one)) for one in dates))

    made = map(world, WORLDS)
    assert any(is_broken(only_the_dates_of_the_rules_are_heard, one, lived(forgetful(one))) for one in made)
