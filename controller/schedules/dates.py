"""The dates of schedules as people see them: aired, cancelled, moved or suspended, and what is wrong with them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree
from controller.broadcasts.models import Broadcast
from controller.db import in_pieces
from controller.errors import InvalidError

from .expand import Occurrence, expand
from .models import DateChange, Schedule, ScheduleException
from .planning import Planner, is_aired
from .repository import Calendars, exceptions_of, series_of
from .schemas import DateOut

Changes = Mapping[str, Sequence[ScheduleException]]
DAY = timedelta(days=1)


class Looking:
    """A span of time at which somebody looks; calendars are read once for all schedules."""

    def __init__(self, session: AsyncSession, tree: Tree, from_at: datetime, until_at: datetime) -> None:
        self.session, self.tree, self.from_at, self.until_at = session, tree, from_at, until_at
        self._calendars: Calendars | None = None

    async def dates(self, row: Schedule, changes: Sequence[ScheduleException]) -> list[Occurrence]:
        """Give the dates of one schedule, as it is written."""
        if self._calendars is None:
            first, last = (self.from_at - 2 * DAY).date(), (self.until_at + 2 * DAY).date()
            self._calendars = await Calendars.read(self.session, self.tree, first, last)
        days = self._calendars.of(row.area_id)
        return list(expand(series_of(row, changes), self.from_at, self.until_at, days))


async def date_outs(
    looking: Looking, rows: Sequence[Schedule], *, changes: Changes | None = None, check: bool = False
) -> list[DateOut]:
    """Give the dates of schedules by start. ``check``: say what keeps each from being aired, which takes longer."""
    ids = [row.id for row in rows]
    changes = changes if changes is not None else await exceptions_of(looking.session, ids)
    planned = await _planned(looking.session, ids)
    found: list[DateOut] = []
    for row in rows:
        said = {each.recurrence_local: each for each in changes.get(row.id, ())}
        planner = await Planner.of(looking.session, row, looking.tree) if check else None
        for date in await looking.dates(row, changes.get(row.id, ())):
            name = date.recurrence.isoformat()
            found.append(await _out(row, date, said.get(name), planned.get((row.id, name)), planner))
    return sorted(found, key=lambda each: (each.start_at, each.schedule_id))


async def _out(
    row: Schedule,
    date: Occurrence,
    change: ScheduleException | None,
    broadcast_id: str | None,
    planner: Planner | None,
) -> DateOut:
    error = await problem_of(planner, date) if planner is not None and is_aired(date) else None
    return DateOut(
        schedule_id=row.id,
        recurrence_local=date.recurrence,
        local=date.local,
        start_at=date.start_at,
        programme_id=date.programme_id,
        verdict=date.verdict,
        because=date.because or None,
        changed=DateChange(change.kind) if change else None,
        reason=change.reason if change else None,
        broadcast_id=broadcast_id,
        problem=error.code if error else None,
        problem_message=error.message if error else None,
    )


async def problem_of(planner: Planner, date: Occurrence) -> InvalidError | None:
    """Give what keeps a date from being aired."""
    try:
        await planner.plan(date)
    except InvalidError as error:
        return error
    return None


async def _planned(session: AsyncSession, ids: Sequence[str]) -> dict[tuple[str, str], str]:
    """Give the newest broadcast of each date."""
    found: dict[tuple[str, str], str] = {}
    for some in in_pieces(ids):
        query = (
            select(Broadcast.schedule_id, Broadcast.recurrence_local, Broadcast.id)
            .where(Broadcast.schedule_id.in_(some), Broadcast.superseded_at.is_(None))
            .order_by(Broadcast.created_at, Broadcast.id)
        )
        for schedule_id, recurrence, broadcast_id in await session.execute(query):
            if schedule_id is not None and recurrence is not None:
                found[schedule_id, recurrence] = broadcast_id
    return found
