"""Versions of one run: which of them stands in the place of another."""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import in_pieces

from .models import Broadcast

PIECE = 100
"""Rows asked about at once: each is named three times in the query."""


async def successor_of(session: AsyncSession, row: Broadcast) -> str | None:
    """Give the id of what took its place: the same date of its schedule, or the same run, edited; None: nothing did."""
    same = Broadcast.run_id == (row.run_id or row.id)
    if row.schedule_id is not None:
        its_date = Broadcast.recurrence_local == row.recurrence_local
        same = or_(same, (Broadcast.schedule_id == row.schedule_id) & its_date)
    query = select(Broadcast.id).where(same, Broadcast.id != row.id, Broadcast.superseded_at.is_(None))
    return await session.scalar(query.order_by(Broadcast.created_at.desc()).limit(1))


async def with_successors(session: AsyncSession, rows: Sequence[Broadcast]) -> set[str]:
    """Name those of these, which count no more, in whose place something stands, as ``successor_of`` has it."""
    runs, dates = set[str | None](), set[tuple[str | None, str | None]]()
    for some in in_pieces(rows, size=PIECE):
        names, schedules = {_run_of(row) for row in some}, {row.schedule_id for row in some if row.schedule_id}
        alone = [_run_of(row) for row in some if row.schedule_id is None]
        its_dates = {row.recurrence_local for row in some if row.recurrence_local}
        same = Broadcast.schedule_id.in_(schedules) & (
            Broadcast.run_id.in_(names) | Broadcast.recurrence_local.in_(its_dates)
        )
        query = select(Broadcast.run_id, Broadcast.schedule_id, Broadcast.recurrence_local)
        query = query.where(or_(same, Broadcast.run_id.in_(alone)) if alone else same)
        for run_id, schedule_id, recurrence in await session.execute(query.where(Broadcast.superseded_at.is_(None))):
            runs.add(run_id)
            dates.add((schedule_id, recurrence))
    return {
        row.id
        for row in rows
        if _run_of(row) in runs or (row.schedule_id is not None and (row.schedule_id, row.recurrence_local) in dates)
    }


def _run_of(row: Broadcast) -> str:
    return row.run_id or row.id
