"""Whether one date may be as somebody wants it: moved, kept, with another programme, or as the rule says again.

It is held against all that its nodes hear besides, the other dates of its own series among them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.people import rights
from controller.people.actor import Actor
from controller.policies.checks import Besides

from .conflicts import conflict_error, conflicts_of, dated_spans, other_of
from .looking import Looking
from .models import Schedule, ScheduleException
from .planning import Planner
from .policed import Where, ask_policies
from .schemas import ExceptionIn
from .silence import DaySuspendedError, silencing
from .walltime import instant

AROUND = timedelta(days=2)
"""Policies count by local days; nothing further away is of the same one."""


async def refuse_date(
    session: AsyncSession,
    actor: Actor,
    row: Schedule,
    changes: Sequence[ScheduleException],
    wanted: ExceptionIn,
    *,
    recurrence: datetime,
    now: datetime,
) -> None:
    """Refuse a date that is not allowed, or, unconfirmed, meets others. ``changes``: with it as it is to be.

    Raises:
        DaySuspendedError: a calendar silences the day to which it is moved.
        PolicyBreachError: an area's policy does not allow it.
        UnusualHourError: nothing sounds there at the hour to which it is moved, and that was not confirmed.
        ScheduleConflictError: others are planned at its time, and that was not confirmed.
    """
    tree = await read_tree(session)
    start_at = instant(wanted.moved_to_local or recurrence, row.zone)
    looking = Looking(session, tree, (start_at - AROUND, start_at + AROUND))
    planner = await Planner.of(session, row, tree)
    spans = await dated_spans(looking, row, changes, planner)
    ours = next((span for date, span in spans if date.recurrence == recurrence), None)
    if ours is None:
        if wanted.moved_to_local is not None:
            raise await _suspended(session, row, wanted.moved_to_local, looking)
        return
    own = [span for date, span in spans if date.recurrence != recurrence]
    where = Where(tree, planner.nodes, row.area_id, row.zone)
    asked = await ask_policies(session, where, [ours], schedule_id=row.id, own=own, now=now)
    as_the_rule = wanted.moved_to_local is None
    if error := asked.refusal(confirmed=as_the_rule or wanted.confirm_unusual):
        raise error
    if not wanted.confirm_conflicts:
        own_dates = other_of(row, planner.node_ids, own)
        besides = Besides(schedule_id=row.id)
        if found := await conflicts_of(looking, [ours], planner.node_ids, besides=besides, own=own_dates):
            raise conflict_error(found, await rights.sight(session, actor))


async def _suspended(session: AsyncSession, row: Schedule, local: datetime, looking: Looking) -> DaySuspendedError:
    titles = [each.title for each in await silencing(session, looking.tree, row, local.date())]
    return DaySuspendedError(
        f"{local.date().isoformat()} is silent: {', '.join(titles)}; choose another day",
        field="moved_to_local",
        calendars=titles,
    )
