"""What stands against a schedule as it is wanted: told where it is looked at, refused where it is saved."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.broadcasts.schemas import ConflictOut
from controller.errors import InvalidError, LoaError
from controller.people import rights
from controller.people.actor import Actor
from controller.policies.checks import Besides
from controller.programmes.owing import owed_by

from .conflicts import conflict_error, conflict_outs, conflicts_of_series, spans_of
from .dates import date_outs
from .drafts import Draft
from .expand import Verdict
from .looking import Looking
from .models import Schedule, ScheduleException
from .planning import Planner, is_aired
from .policed import ask_policies
from .repository import exceptions_of
from .schemas import SchedulePreview
from .silence import unheeded
from .yes import OF_WHAT_IS_HEARD, need_of

LOOK_AHEAD = timedelta(days=30)
"""Policies and conflicts are asked about this far ahead, from now and from the next date on."""
MOST_DATES = 100


async def looked_at(
    session: AsyncSession,
    actor: Actor,
    draft: Draft,
    old: Schedule | None,
    *,
    changes: Sequence[Mapping[str, Any]] | None,
    now: datetime,
) -> SchedulePreview:
    """Say what saving would do. ``changes``: columns of the exceptions that it is to have; None: those it has."""
    row = Schedule(id=old.id if old is not None else "draft", changed_by=actor.person_id or "", ended_at=None)
    draft.write(row)
    if changes is not None:
        given = {"schedule_id": row.id, "made_by": row.changed_by, "made_at": now, "in_spite_of": []}
        single = [ScheduleException(**{**given, **each}) for each in changes]
    else:
        single = (await exceptions_of(session, [row.id])).get(row.id, [])
    looking = Looking.ahead(session, draft.targets.tree, row, now, LOOK_AHEAD)
    besides = Besides(schedule_id=row.id)
    dates = await date_outs(looking, [row], changes={row.id: single}, now=now, check=besides)
    planner = await Planner.of(session, row, draft.targets.tree)
    length_ms, refused = await _length(planner, row)
    spans = await spans_of(looking, row, single, planner)
    asked = await ask_policies(session, draft.where, spans, schedule_id=row.id, now=now)
    found = await conflicts_of_series(looking, row, spans, planner.node_ids)
    conflicts = conflict_outs(found, await rights.sight(session, actor))
    stands = old is not None and heard_of(old) == heard_of(row)
    need = await need_of(session, actor, row, draft.targets.tree, single, now=now, standing=stands)
    owed = await owed_by(session, row.programme_id, now=now)
    days, places = {each.local.date() for each in dates if each.verdict == Verdict.AIRED}, draft.where.places
    silent = await unheeded(session, draft.targets.tree, row, places.area_ids, days)
    refused = refused or asked.refusal(confirmed=True)
    wrong = next(((each.problem, each.problem_message) for each in dates if each.problem), (None, None))
    code, message = (refused.code, refused.message) if refused else wrong
    return SchedulePreview(
        area_id=draft.area_id,
        zone=draft.zone,
        node_count=len(draft.targets.nodes),
        length_ms=length_ms,
        dates=tuple(dates[:MOST_DATES]),
        conflicts=conflicts,
        breaches=asked.breaches,
        unusual=asked.unusual,
        refusal=code,
        refusal_message=message,
        approval=need,
        owed=tuple(owed),
        unheeded=tuple(silent),
    )


async def met(session: AsyncSession, actor: Actor, row: Schedule, *, now: datetime) -> tuple[ConflictOut, ...]:
    """Say what the coming dates of a schedule meet, as it stands."""
    tree = await read_tree(session)
    looking, planner = Looking.ahead(session, tree, row, now, LOOK_AHEAD), await Planner.of(session, row, tree)
    single = (await exceptions_of(session, [row.id])).get(row.id, [])
    spans = [span for span in await spans_of(looking, row, single, planner) if span.end_at > now]
    found = await conflicts_of_series(looking, row, spans, planner.node_ids)
    return conflict_outs(found, await rights.sight(session, actor))


async def refuse(
    session: AsyncSession,
    actor: Actor,
    draft: Draft,
    row: Schedule,
    changes: Sequence[ScheduleException] = (),
    *,
    now: datetime,
) -> None:
    """Refuse what cannot be aired as it is, or meets others and was not confirmed."""
    looking = Looking.ahead(session, draft.targets.tree, row, now, LOOK_AHEAD)
    planner = await Planner.of(session, row, draft.targets.tree)
    for date in await looking.dates(row, changes):
        if is_aired(date) and date.programme_id == row.programme_id:
            await planner.plan(date)
            break
    else:
        await planner.length_ms(row.programme_id)
    spans = await spans_of(looking, row, changes, planner)
    asked = await ask_policies(session, draft.where, spans, schedule_id=row.id, now=now)
    if error := asked.refusal(confirmed=draft.wanted.confirm_unusual):
        raise error
    if draft.wanted.confirm_conflicts:
        return
    if found := await conflicts_of_series(looking, row, spans, planner.node_ids):
        raise conflict_error(found, await rights.sight(session, actor))


def heard_of(row: Schedule) -> list[Any]:
    """Give what a yes to a schedule rests on."""
    return [getattr(row, name) for name in OF_WHAT_IS_HEARD]


async def _length(planner: Planner, row: Schedule) -> tuple[int, LoaError | None]:
    try:
        return await planner.length_ms(row.programme_id), None
    except InvalidError as error:
        return 0, error
