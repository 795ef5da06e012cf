"""What of broadcasts stands on top of every page: few of a day's, however many it has."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.people.rights import EVERYTHING, Sight
from controller.plays.models import Play
from controller.plays.not_well import NOT_WELL
from controller.plays.seen import play_in_sight
from edge_agent.protocol.states import PlayState

from .models import Broadcast
from .repository import in_sight

_KNOWN = select(Broadcast.id).where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
_TOLD = func.coalesce(Broadcast.awaits_approval, False).is_(False)
"""An expression: nearly all that was ever aired is so, and by the index of it SQLite would go through all of that."""


def day_of(now: datetime, zone: str) -> tuple[datetime, datetime]:
    """Give the midnights before and after an instant by the wall clock of a zone."""
    midnight = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight, (midnight + timedelta(days=1)).replace(hour=0)


async def ids_around(
    session: AsyncSession, seen: Sight, now: datetime, *, until_at: datetime, failed_for: timedelta
) -> set[str]:
    """Name what did not sound well lately, and what comes next: of all, and of what nobody has to say yes to."""
    # Each ends before its latest end: what was over so long ago at the earliest is among these.
    # What every node refused is over before it begins.
    lately = _KNOWN.where(_TOLD, Broadcast.start_at < until_at, Broadcast.latest_end_at > now - failed_for)
    # First what rules most of them out: it is asked in this order.
    failed_somewhere = lately.where(_has_play(EVERYTHING, Play.outcome.in_(NOT_WELL)))
    is_open = _has_play(seen, Play.outcome.is_(None))
    over = failed_somewhere.where(or_(Broadcast.latest_end_at <= now, ~is_open))
    failed = over.where(in_sight(seen), _has_play(seen, Play.outcome.in_(NOT_WELL)))
    any_next = _KNOWN.where(in_sight(seen), or_(Broadcast.awaits_approval, is_open))
    next_told = _KNOWN.where(_TOLD, in_sight(seen), is_open)
    found = set[str]()
    for query in (failed, _next(any_next, now, until_at), _next(next_told, now, until_at)):
        found |= set(await session.scalars(query))
    return found


async def ids_due(session: AsyncSession, seen: Sight, now: datetime) -> set[str]:
    """Name what should have begun and may still begin somewhere: where silence is ordered, its end lets it sound."""
    due = _KNOWN.where(_TOLD, in_sight(seen)).where(Broadcast.start_at <= now, Broadcast.latest_start_at >= now)
    waits = (Play.outcome.is_(None), Play.state != PlayState.PLAYING)
    return set(await session.scalars(due.where(_has_play(seen, *waits))))


def _next(query: Select[Any], now: datetime, until_at: datetime) -> Select[str]:
    coming = query.where(Broadcast.start_at > now, Broadcast.start_at < until_at)
    return coming.order_by(Broadcast.start_at, Broadcast.id).limit(1)


def _has_play(seen: Sight, *such: ColumnElement[bool]) -> ColumnElement[bool]:
    play = select(Play.node_id).where(Play.broadcast_id == Broadcast.id, play_in_sight(seen), *such)
    return exists(play.correlate(Broadcast))
