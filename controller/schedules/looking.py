"""Expands schedules over the spans of time at which somebody looks, under the calendars of their areas."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree

from .expand import Occurrence, ahead, expand
from .models import Schedule, ScheduleException
from .repository import NOTHING_INSTEAD, Calendars, Instead, series_of

DAY = timedelta(days=1)
LONGEST_SESSION = timedelta(hours=12)
"""What begins earlier than this before a time cannot meet it."""


class Looking:
    """Spans of time, apart and in order, at which somebody looks; calendars are read once for all schedules."""

    def __init__(
        self,
        session: AsyncSession,
        tree: Tree,
        *spans: tuple[datetime, datetime],
        instead: Instead = NOTHING_INSTEAD,
    ) -> None:
        self.session, self.tree, self.spans, self._instead = session, tree, spans, instead
        self._calendars: Calendars | None = None

    @classmethod
    def ahead(cls, session: AsyncSession, tree: Tree, row: Schedule, now: datetime, span: timedelta) -> "Looking":
        """Look at the coming time, and at that from the next date of a schedule on."""
        return cls(session, tree, *ahead(series_of(row), now, span))

    @classmethod
    def around(cls, session: AsyncSession, tree: Tree, from_at: datetime, until_at: datetime) -> "Looking":
        """Look at whatever may still sound in a time."""
        return cls(session, tree, (from_at - LONGEST_SESSION, until_at))

    async def dates(self, row: Schedule, changes: Sequence[ScheduleException]) -> list[Occurrence]:
        """Give the dates of one schedule, as it is written."""
        calendars, series = await self._read(), series_of(row, changes)
        found: list[Occurrence] = []
        for from_at, until_at in self.spans:
            days = calendars.of(row.area_id, (from_at - 2 * DAY).date(), (until_at + 2 * DAY).date())
            found += expand(series, from_at, until_at, days)
        return found

    async def programmes(self, rows: Iterable[Schedule], changes: Iterable[ScheduleException]) -> set[str]:
        """Give the ids of all programmes that these schedules may air: their own, on a date, or by a calendar."""
        rows = list(rows)
        by_hand = {each.programme_id for each in changes if each.programme_id is not None}
        found = (await self._read()).programmes(row.area_id for row in rows)
        return found | by_hand | {row.programme_id for row in rows}

    async def _read(self) -> Calendars:
        if self._calendars is None:
            self._calendars = await Calendars.read(self.session, self.tree, instead=self._instead)
        return self._calendars
