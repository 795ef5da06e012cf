"""Schedules in SQL: rows turned into series, and the calendars that an area has from above."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree
from controller.db import in_pieces

from .days import dates_between, read_days
from .expand import Change, DayRule, Days, Series, renamed
from .models import Calendar, Schedule, ScheduleException
from .states import DateChange, OnCalendarDay


def series_of(row: Schedule, exceptions: Iterable[ScheduleException] = ()) -> Series:
    """Read the rule of a schedule."""
    return Series(
        programme_id=row.programme_id,
        zone=row.zone,
        first=datetime.fromisoformat(row.starts_at_local),
        rule=row.rule,
        last_date=row.last_date,
        changes={datetime.fromisoformat(each.recurrence_local): _change(each) for each in exceptions},
    )


def _change(row: ScheduleException) -> Change:
    moved_to = None if row.moved_to_local is None else datetime.fromisoformat(row.moved_to_local)
    return Change(DateChange(row.kind), moved_to, row.programme_id, frozenset(row.in_spite_of or ()))


async def exceptions_of(session: AsyncSession, ids: Sequence[str]) -> dict[str, list[ScheduleException]]:
    """Give the exceptions by schedule."""
    found: dict[str, list[ScheduleException]] = defaultdict(list)
    for some in in_pieces(ids):
        query = select(ScheduleException).where(ScheduleException.schedule_id.in_(some))
        for row in await session.scalars(query.order_by(ScheduleException.recurrence_local)):
            found[row.schedule_id].append(row)
    return found


async def change_dates(
    session: AsyncSession,
    row: Schedule,
    before: Series | None,
    wanted: Sequence[Mapping[str, Any]] | None,
    now: datetime,
) -> None:
    """Let exceptions follow their dates when an edit of the rule renames them, or write those that are wanted."""
    there = (await exceptions_of(session, [row.id])).get(row.id, [])
    moved: dict[datetime, datetime] = {}
    if wanted is None and before is not None:
        moved = renamed([datetime.fromisoformat(each.recurrence_local) for each in there], before, series_of(row))
    kept = [_columns(each) for each in there if datetime.fromisoformat(each.recurrence_local) in moved]
    kept_against = {datetime.fromisoformat(each.recurrence_local): each.in_spite_of for each in there}
    gone = there if wanted is not None else [each for each in there if _columns(each) in kept]
    for each in gone:
        await session.delete(each)
    await session.flush()
    for columns in wanted if wanted is not None else kept:
        key = datetime.fromisoformat(columns["recurrence_local"])
        said = {
            "made_by": row.changed_by,
            "made_at": now,
            "in_spite_of": kept_against.get(key, []) if columns["kind"] == DateChange.KEPT else [],
            **columns,
            "recurrence_local": moved.get(key, key).isoformat(),
        }
        session.add(ScheduleException(**{**said, "schedule_id": row.id}))
    await session.flush()


def _columns(row: ScheduleException) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in ScheduleException.__table__.columns}


Instead = Mapping[str, Calendar | None]
"""Calendars as they might be, by id; None: as if there were none."""
NOTHING_INSTEAD: Instead = MappingProxyType({})


class Calendars:
    """What calendars say of days. Rows are read once; days are reckoned for the areas and spans that are asked for."""

    def __init__(self, tree: Tree, rows: Iterable[Calendar]) -> None:
        self._tree = tree
        self._rows: dict[str, list[Calendar]] = defaultdict(list)
        """By area, the older first."""
        for row in sorted(rows, key=lambda row: (row.created_at, row.id)):
            self._rows[row.area_id].append(row)
        self._named: dict[tuple[str, date, date], frozenset[date]] = {}
        self._found: dict[tuple[str, date, date], Days] = {}

    @classmethod
    async def read(
        cls, session: AsyncSession, tree: Tree, *, area_id: str | None = None, instead: Instead = NOTHING_INSTEAD
    ) -> "Calendars":
        """Read the calendars that are in force; with ``area_id`` only those that hold there."""
        query = select(Calendar).where(Calendar.ended_at.is_(None))
        if area_id is not None:
            query = query.where(Calendar.area_id.in_([place.id for place in tree.chain(area_id)]))
        rows = [row for row in await session.scalars(query) if row.id not in instead]
        return cls(tree, [*rows, *filter(None, instead.values())])

    def programmes(self, area_ids: Iterable[str]) -> set[str]:
        """Give, by id, what calendars put in the place of others in these areas, on whatever day."""
        around = {place.id for area_id in set(area_ids) for place in self._tree.chain(area_id)}
        found = {_rule(row).programme_id for each in around & self._rows.keys() for row in self._rows[each]}
        return {each for each in found if each is not None}

    def of(self, area_id: str, first: date, last: date) -> Days:
        """Give what holds in an area on the days of a span.

        To be silent goes before to say something else, then the nearest area.
        """
        asked = area_id, first, last
        if asked not in self._found:
            rows = [row for place in self._tree.chain(area_id) for row in self._rows.get(place.id, ())]
            rules = [(row, _rule(row)) for row in rows]
            loud = [pair for pair in rules if pair[1].programme_id is not None]
            silent = [pair for pair in rules if pair[1].programme_id is None]
            found: dict[date, list[DayRule]] = defaultdict(list)
            for row, rule in [*silent, *loud]:
                for day in self._days(row, first, last):
                    found[day].append(rule)
            self._found[asked] = dict(found)
        return self._found[asked]

    def _days(self, row: Calendar, first: date, last: date) -> frozenset[date]:
        asked = row.id, first, last
        if asked not in self._named:
            self._named[asked] = dates_between(read_days(row.days), first, last)
        return self._named[asked]


def _rule(row: Calendar) -> DayRule:
    return DayRule(row.title, row.programme_id if row.effect == OnCalendarDay.REPLACE else None, row.id)
