"""The dates of schedules as people see them: aired, cancelled, moved or suspended, and what is wrong with them."""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.models import Broadcast
from controller.db import in_pieces
from controller.errors import InvalidError
from controller.plays.unconfirmed import Watch, of_dates
from controller.policies.checks import Besides
from controller.policies.schemas import BreachOut

from .expand import Occurrence
from .looking import Looking
from .models import Schedule, ScheduleException
from .over import known_lately, without_over
from .planning import Planner, is_aired
from .policed import Where, refused_by_their_nodes, refused_dates
from .repository import exceptions_of
from .schemas import DateOut
from .states import DateChange

Changes = Mapping[str, Sequence[ScheduleException]]


class Planned(NamedTuple):
    """The broadcast of a date."""

    broadcast_id: str
    awaits_approval: bool


class Looked(NamedTuple):
    """What was found out about the dates of a schedule, by their names."""

    errors: Mapping[str, InvalidError]
    """What keeps them from being aired."""
    refused: Mapping[str, tuple[BreachOut, ...]]
    """Rules by which nodes refuse them."""


NOT_LOOKED = Looked({}, {})


class Counted(NamedTuple):
    """What counts when policies are asked."""

    besides: Besides
    standing: Container[str]
    """Names of dates that are planned."""


async def date_outs(
    looking: Looking,
    rows: Sequence[Schedule],
    *,
    changes: Changes | None = None,
    now: datetime,
    check: Besides | None = None,
    watch: Watch | None = None,
    planners: Mapping[str, Planner] = MappingProxyType({}),
) -> list[DateOut]:
    """Give the dates of schedules by start.

    ``check``: say what keeps each from being aired, which takes longer; but for this, what is planned is counted.
    ``watch``: say what nodes may still sound of what was taken back. ``planners``: by schedule, where they are known.
    """
    ids = [row.id for row in rows]
    changes = changes if changes is not None else await exceptions_of(looking.session, ids)
    planned = await _planned(looking.session, ids)
    lately = await known_lately(looking.session, ids, now=now)
    found: list[DateOut] = []
    for row in rows:
        said = {each.recurrence_local: each for each in changes.get(row.id, ())}
        given = await looking.dates(row, changes.get(row.id, ()))
        dates = without_over(row, changes.get(row.id, ()), given, lately.get(row.id, {}), now=now)
        standing = {name: each for (schedule_id, name), each in planned.items() if schedule_id == row.id}
        looked = NOT_LOOKED
        if check is not None:
            planner = planners.get(row.id) or await Planner.of(looking.session, row, looking.tree)
            where = Where(looking.tree, planner.nodes, row.area_id, row.zone)
            looked = await _look(looking.session, where, planner, dates, Counted(check, standing), now=now)
        for date in dates:
            name = date.recurrence.isoformat()
            found.append(_out(row, date, said.get(name), standing.get(name), looked))
    if watch is not None:
        found = await _with_doubts(looking.session, watch, found)
    return sorted(found, key=lambda each: (each.start_at, each.schedule_id))


async def _with_doubts(session: AsyncSession, watch: Watch, dates: Sequence[DateOut]) -> list[DateOut]:
    names = [(each.schedule_id, each.recurrence_local.isoformat()) for each in dates]
    doubts = await of_dates(session, watch, set(names))
    return [
        each.model_copy(update={"unconfirmed": doubts[name]}) if name in doubts else each
        for each, name in zip(dates, names, strict=True)
    ]


async def _look(
    session: AsyncSession,
    where: Where,
    planner: Planner,
    dates: Iterable[Occurrence],
    counted: Counted,
    *,
    now: datetime,
) -> Looked:
    """Say what keeps dates from being aired, and what nodes refuse of those to come.

    What stands in plans is not counted against sessions and minutes: it was asked about. Nodes ask nobody.
    """
    planned, errors = await planner.plan_all(filter(is_aired, dates))
    besides, standing = counted
    asked = [each for name, each in planned.items() if besides.schedule_id is not None or name not in standing]
    errors |= await refused_dates(session, where, asked, besides=besides)
    coming = [each for name, each in planned.items() if name not in errors and each.session.latest_end_at > now]
    return Looked(errors, refused_by_their_nodes(where, coming))


def _out(
    row: Schedule, date: Occurrence, change: ScheduleException | None, planned: Planned | None, looked: Looked
) -> DateOut:
    name = date.recurrence.isoformat()
    error = looked.errors.get(name)
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
        broadcast_id=planned.broadcast_id if planned else None,
        awaits_approval=planned is not None and planned.awaits_approval,
        problem=error.code if error else None,
        problem_message=error.message if error else None,
        breaches=looked.refused.get(name, ()),
    )


async def _planned(session: AsyncSession, ids: Sequence[str]) -> dict[tuple[str, str], Planned]:
    """Give the newest broadcast of each date."""
    found: dict[tuple[str, str], Planned] = {}
    for some in in_pieces(ids):
        query = (
            select(Broadcast.schedule_id, Broadcast.recurrence_local, Broadcast.id, Broadcast.awaits_approval)
            .where(Broadcast.schedule_id.in_(some), Broadcast.superseded_at.is_(None))
            .order_by(Broadcast.created_at, Broadcast.id)
        )
        for schedule_id, recurrence, broadcast_id, awaits in await session.execute(query):
            if schedule_id is not None and recurrence is not None:
                found[schedule_id, recurrence] = Planned(broadcast_id, awaits)
    return found
