"""Holds what is planned against what an area allows, and knows an unusual hour. Pure; no clock, no database.

Windows and quiet hours are judged by the functions that nodes guard themselves with: what passes here passes there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from controller.plans.build import NodeFacts, Stamp, build_settings
from edge_agent.protocol.documents import Settings, TrustedKey
from edge_agent.protocol.fields import utc
from edge_agent.protocol.quiet import touches, within
from edge_agent.protocol.states import KeyUse

from .rules import EffectivePolicy
from .schemas import Rule, Window

SESSION_GAP = timedelta(minutes=5)
"""Broadcasts that follow each other within this are one session: people hear one."""
NIGHT = Window(start="22:00", until="05:00")
"""Nothing sounds here without a second thought, whatever the area's quiet hours are."""
HABIT_SPAN = timedelta(days=30)
HABIT_WITHIN = timedelta(hours=1)
"""An hour is usual when something began this near to it."""
HABIT_DAYS = 3
"""With fewer days on air there is no habit yet: a new commune is not asked about every hour of its first days."""
GUARDED_BY_NODES = frozenset({"windows", "quiet_hours"})

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_NOBODY = tuple(TrustedKey(kid="0" * 16, use=use, x="A" * 43) for use in (KeyUse.DISPATCH, KeyUse.POLICY))


class Airing(NamedTuple):
    """One run as it is planned; what an emergency says is none."""

    start_at: datetime
    length: timedelta

    @property
    def ends_at(self) -> datetime:
        """When it ends if it starts on time."""
        return self.start_at + self.length


class Breach(NamedTuple):
    """One rule that is broken."""

    rule: Rule
    limit: str
    found: str
    at: datetime
    """Start of the run that breaks it."""


class Unusual(NamedTuple):
    """Why an hour takes a second confirmation."""

    reason: Literal["night", "no_habit"]
    hour: str
    """By the wall clock there."""


def check(policy: EffectivePolicy, planned: Iterable[Airing], already: Iterable[Airing] = ()) -> list[Breach]:
    """Give what ``planned`` breaks, by start. ``already`` is what is to be heard there besides."""
    planned = sorted(set(planned))
    found = chain.from_iterable(_hours(policy, each) for each in planned)
    return sorted([*found, *_counts(policy, planned, sorted(already))], key=lambda each: (each.at, each.rule))


def guarded(policy: EffectivePolicy, run: Airing) -> list[Breach]:
    """Give what a run breaks of the rules that nodes guard themselves: they do not sound what lies outside."""
    return [each for each in _hours(policy, run) if each.rule in GUARDED_BY_NODES]


def unusual(history: Sequence[datetime], at: Airing, zone: str) -> Unusual | None:
    """Say whether an hour is unusual, from the starts of what sounded there in the last 30 days."""
    hour = _wall(at.start_at, zone)
    if touches(_guards(EffectivePolicy(zone, (NIGHT,))), at.start_at, at.ends_at):
        return Unusual("night", hour)
    days = {start_at.astimezone(ZoneInfo(zone)).date() for start_at in history}
    if len(days) < HABIT_DAYS or any(_apart(start_at, at.start_at, zone) <= HABIT_WITHIN for start_at in history):
        return None
    return Unusual("no_habit", hour)


def _hours(policy: EffectivePolicy, run: Airing) -> Iterator[Breach]:
    """Judge when a run sounds."""
    span = f"{_wall(run.start_at, policy.zone)}–{_wall(run.ends_at, policy.zone)}"
    guards = _guards(policy)
    if touches(guards, run.start_at, run.ends_at):
        yield Breach("quiet_hours", ", ".join(map(str, policy.quiet_hours)), span, run.start_at)
    if not within(guards, run.start_at, run.ends_at):
        yield Breach("windows", ", ".join(map(str, policy.windows)), span, run.start_at)
    if policy.earliest is not None and policy.earliest != "00:00":
        early = EffectivePolicy(policy.zone, (Window(start="00:00", until=policy.earliest),))
        if touches(_guards(early), run.start_at, run.ends_at):
            yield Breach("earliest", policy.earliest, span, run.start_at)


def _counts(policy: EffectivePolicy, planned: Sequence[Airing], already: Sequence[Airing]) -> Iterator[Breach]:
    """Judge how much is heard, session by session and day by day."""
    before, after = _by_day(policy, already), _by_day(policy, sorted([*planned, *already]))
    mine = frozenset(planned)
    for day, sessions in sorted(after.items()):
        new = [run for session in sessions for run in session if run in mine]
        if not new:
            continue
        most = policy.sessions_a_day
        if most is not None and len(sessions) > max(most, len(before.get(day, ()))):
            yield Breach("sessions_a_day", str(most), str(len(sessions)), new[0].start_at)
        yield from _too_long(policy, sessions, mine)
        minutes = _minutes(chain.from_iterable(sessions))
        if policy.minutes_a_day is not None and minutes > policy.minutes_a_day:
            yield Breach("minutes_a_day", str(policy.minutes_a_day), _said(minutes), new[0].start_at)


def _too_long(
    policy: EffectivePolicy, sessions: Iterable[Sequence[Airing]], mine: frozenset[Airing]
) -> Iterator[Breach]:
    for session in sessions:
        new = next((run for run in session if run in mine), None)
        minutes = _minutes(session)
        if new and policy.minutes_a_session is not None and minutes > policy.minutes_a_session:
            yield Breach("minutes_a_session", str(policy.minutes_a_session), _said(minutes), new.start_at)


def _by_day(policy: EffectivePolicy, runs: Sequence[Airing]) -> dict[date, list[list[Airing]]]:
    """Put runs, sorted by start, into sessions, and those into the local days on which they begin."""
    found: dict[date, list[list[Airing]]] = defaultdict(list)
    session: list[Airing] = []
    free_at: datetime | None = None
    for run in runs:
        if free_at is None or run.start_at > free_at + SESSION_GAP:
            session = []
            found[run.start_at.astimezone(ZoneInfo(policy.zone)).date()].append(session)
        session.append(run)
        # Of two at once one waits for the other: the node says them one after the other.
        free_at = max(free_at or run.start_at, run.start_at) + run.length
    return dict(found)


def _minutes(runs: Iterable[Airing]) -> float:
    return sum((run.length for run in runs), timedelta()) / _MINUTE


def _said(minutes: float) -> str:
    return f"{minutes:.1f}".removesuffix(".0")


def _wall(at: datetime, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%H:%M")


def _apart(one: datetime, other: datetime, zone: str) -> timedelta:
    """Give how far apart two wall times are on the face of the clock."""
    walls = (at.astimezone(ZoneInfo(zone)) for at in (one, other))
    first, second = (timedelta(hours=at.hour, minutes=at.minute, seconds=at.second) for at in walls)
    gap = abs(first - second)
    return min(gap, _DAY - gap)


@lru_cache(maxsize=4096)
def _guards(policy: EffectivePolicy) -> Settings:
    """Write the settings that a node there would have, as far as they judge hours."""
    return build_settings(Stamp("nodes/policy", 1, 1, utc(86_400)), NodeFacts(), (), policy, _NOBODY)
