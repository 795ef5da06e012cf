"""Dates that the rule gives and no roll makes: the schedule is ended, or their day had its run before an edit."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.models import Broadcast
from controller.db import in_pieces

from .expand import Occurrence, Verdict, expand, has_date
from .models import Schedule, ScheduleException
from .planning import is_aired
from .repository import series_of
from .runs import successors

BEHIND = timedelta(days=1)
"""What began so lately may still sound, and stands on the day of what is to come."""


Lately = Mapping[datetime, bool]
"""Date, by name, of which a broadcast stands or began lately → whether its start has passed."""


async def known_lately(session: AsyncSession, ids: Sequence[str], *, now: datetime) -> dict[str, Lately]:
    """Give by schedule what stands, and what is of today still."""
    found: dict[str, dict[datetime, bool]] = defaultdict(dict)
    columns = Broadcast.schedule_id, Broadcast.recurrence_local, Broadcast.start_at
    for some in in_pieces(ids):
        query = select(*columns).where(
            Broadcast.schedule_id.in_(some), Broadcast.superseded_at.is_(None), Broadcast.latest_end_at > now - BEHIND
        )
        for schedule_id, recurrence, start_at in await session.execute(query):
            if schedule_id is not None and recurrence is not None:
                found[schedule_id][datetime.fromisoformat(recurrence)] = start_at <= now
    return dict(found)


def taken_over(orphans: Iterable[datetime], dates: Iterable[Occurrence], known: Collection[str]) -> frozenset[datetime]:
    """Name the dates in whose place others, which the rule gives no more, began on the same day."""
    new = [each.recurrence for each in dates if each.recurrence.isoformat() not in known]
    return frozenset(successors(orphans, new))


def without_over(
    row: Schedule, changes: Iterable[ScheduleException], dates: Sequence[Occurrence], lately: Lately, *, now: datetime
) -> list[Occurrence]:
    """Mark the dates that no roll makes any more. Pure."""
    if (ended_at := row.ended_at) is not None:
        return [each._replace(verdict=Verdict.ENDED) if each.start_at >= ended_at else each for each in dates]
    series = series_of(row, changes)
    orphans = [each for each, begun in lately.items() if begun and not has_date(series, each)]
    if not orphans:
        return list(dates)
    coming = expand(series, now, now + 2 * BEHIND)
    over = taken_over(orphans, coming, {each.isoformat() for each in lately})
    return [
        each._replace(verdict=Verdict.TAKEN_OVER) if each.recurrence in over and is_aired(each) else each
        for each in dates
    ]
