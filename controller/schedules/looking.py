"""Expands schedules over the spans of time at which somebody looks, under the calendars of their areas."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree

from .expand import Occurrence, ahead, expand
from .models import Schedule, ScheduleException
from .repository import Calendars, series_of

DAY = timedelta(days=1)


class Looking:
    """Spans of time, apart and in order, at which somebody looks; calendars are read once for all schedules."""

    def __init__(self, session: AsyncSession, tree: Tree, *spans: tuple[datetime, datetime]) -> None:
        self.session, self.tree, self.spans = session, tree, spans
        self._calendars: list[Calendars] = []
        """One for each span."""

    @classmethod
    def ahead(cls, session: AsyncSession, tree: Tree, row: Schedule, now: datetime, span: timedelta) -> "Looking":
        """Look at the coming time, and at that from the next date of a schedule on."""
        return cls(session, tree, *ahead(series_of(row), now, span))

    async def dates(self, row: Schedule, changes: Sequence[ScheduleException]) -> list[Occurrence]:
        """Give the dates of one schedule, as it is written."""
        if not self._calendars:
            for from_at, until_at in self.spans:
                days = (from_at - 2 * DAY).date(), (until_at + 2 * DAY).date()
                self._calendars.append(await Calendars.read(self.session, self.tree, *days))
        series = series_of(row, changes)
        looks = zip(self.spans, self._calendars, strict=True)
        return [date for span, calendars in looks for date in expand(series, *span, calendars.of(row.area_id))]
