"""Whether what a document would let sound is covered by the yeses of people. Pure; no clock, no database.

Deliberately apart from the room that makes plans and from the one that takes yeses: what slips through there is to be
caught here. It reads what the node would obey, not what the rows say that this is.
"""

from bisect import bisect
from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from controller.people.proof import Runs
from edge_agent.protocol.content import Broadcast, content_hash
from edge_agent.protocol.states import Level

PEOPLE_FOR_EMERGENCY = 2
ONE = "once"
"""Name of the run of what is to be heard once."""
OFF_ITS_TIME = timedelta(minutes=1)
"""A programme may begin with more or less silence than on the day that was looked at."""
DAY = timedelta(days=1)


class Refusal(StrEnum):
    """Why a broadcast is not signed."""

    NO_YES = "no_yes"
    """Nobody said yes to this content, at this place, over this window."""
    ONE_PERSON = "one_person"
    """An emergency takes two people, or one who broke the glass."""
    OWN_WORK = "own_work"
    """The policy asks for somebody other than the author."""
    OUT_OF_BOUNDS = "out_of_bounds"
    """What needs no second person is bounded, and this is beyond."""
    USED = "used"
    """Another run was signed by each yes that covers it."""
    OVER = "over"
    """Its time is over."""
    TOO_MANY = "too_many"
    """More begin there within the hour than a node plays."""


class YesFact(NamedTuple):
    """One person's yes."""

    person_id: str
    content_sha256: str
    scopes: frozenset[str]
    not_before_at: datetime
    not_after_at: datetime
    bounded: bool = False
    """The author's, where the policy lets authors do without a second person within bounds."""
    level: Level | None = None
    """None: rows do not keep it; whoever reads them compares the broadcast's."""
    runs: Runs | None = None
    glass: bool = False
    """Given alone: it is none before ``waited``, but for one of two to an emergency."""
    waited: bool = False
    """The cancel window of a broken glass is over."""


class Facts(NamedTuple):
    """What is known of one broadcast besides itself."""

    yeses: tuple[YesFact, ...] = ()
    authors: frozenset[str] = frozenset()
    """Whoever wrote it, or asked for it."""
    asks_another: bool = False
    """The policy of a place that would hear it asks for somebody else."""
    follows: bool = False
    """It says that an emergency is over or was none: ready messages only, one person is enough."""


NOTHING = Facts()


class RefusedError(ValueError):
    """Some broadcasts of a document have no yes that covers them; the rest could be signed without them."""

    def __init__(self, scope: str, refused: Mapping[str, Refusal]) -> None:
        super().__init__(f"{scope}: {', '.join(f'{key} ({why})' for key, why in refused.items())}")
        self.refused = dict(refused)


def review(scope: str, broadcasts: Iterable[Broadcast], facts: Mapping[str, Facts]) -> dict[str, Refusal]:
    """Give the broadcasts that may not be signed for a scope, and why."""
    found = {each.broadcast_id: judge(scope, each, facts.get(each.broadcast_id, NOTHING)) for each in broadcasts}
    return {key: why for key, why in found.items() if why is not None}


def judge(scope: str, broadcast: Broadcast, facts: Facts) -> Refusal | None:
    """Say why a broadcast may not be signed for a scope; None: it may."""
    content = content_hash(broadcast.items, broadcast.drill)
    yeses = (each for each in facts.yeses if each.content_sha256 == content)
    return decide(broadcast, [each for each in yeses if covers(scope, broadcast, each)], facts)


def decide(broadcast: Broadcast, covering: list[YesFact], facts: Facts = NOTHING) -> Refusal | None:
    """Say whether the yeses that cover a broadcast are enough of them."""
    if broadcast.level is Level.EMERGENCY and broadcast.drill is None and not facts.follows:
        alone = any(each.glass and each.waited for each in covering)
        enough = alone or len({each.person_id for each in covering}) >= PEOPLE_FOR_EMERGENCY
        return None if enough else Refusal.ONE_PERSON if covering else Refusal.NO_YES
    covering = [each for each in covering if each.waited or not each.glass]
    people = {each.person_id for each in covering}
    if not people:
        return Refusal.NO_YES
    others = people - facts.authors
    bounded = any(each.bounded for each in covering)
    return Refusal.OWN_WORK if facts.asks_another and not others and not bounded else None


def covers(scope: str, broadcast: Broadcast, yes: YesFact) -> bool:
    """Say whether a yes to its content is to this place, at this level, at its hour, and to the whole window."""
    return (
        scope in yes.scopes
        and yes.level in {None, broadcast.level}
        and yes.not_before_at <= broadcast.start_at
        and broadcast.latest_end_at <= yes.not_after_at
        and run_of(broadcast, yes.runs) is not None
    )


def run_of(broadcast: Broadcast, runs: Runs | None) -> str | None:
    """Name which of the runs that were agreed to it would be; None: it is none of them."""
    if runs is None:
        return ONE
    if broadcast.latest_end_at - broadcast.start_at > timedelta(milliseconds=runs.lasts_ms):
        return None
    local = broadcast.start_at.astimezone(ZoneInfo(runs.zone)).replace(tzinfo=None)
    nearest = min(_times(runs.times).around(local), key=lambda at: abs(local - at))
    return nearest.isoformat() if abs(local - nearest) <= OFF_ITS_TIME else None


class _Times(NamedTuple):
    """Times of ``Runs``, read once: a plan asks for them thousands of times."""

    daily: tuple[time, ...]
    dated: tuple[datetime, ...]
    """Both ascending."""

    def around(self, local: datetime) -> list[datetime]:
        """Give those next to an instant of the wall clock, before it and after."""
        at = bisect(self.dated, local)
        found = list(self.dated[max(0, at - 1) : at + 1])
        if self.daily:
            at, day = bisect(self.daily, local.time()), local.date()
            before, after = day - DAY if at == 0 else day, day + DAY if at == len(self.daily) else day
            found.append(datetime.combine(before, self.daily[at - 1]))
            found.append(datetime.combine(after, self.daily[at % len(self.daily)]))
        return found


@lru_cache(maxsize=1024)
def _times(said: tuple[str, ...]) -> _Times:
    return _Times(
        tuple(sorted(time.fromisoformat(each) for each in said if "T" not in each)),
        tuple(sorted(datetime.fromisoformat(each) for each in said if "T" in each)),
    )
