"""What a change would change before it is saved: the last and the next 30 days, at every node that hears it or would.

Of a schedule, of one of its dates, of a calendar, of a programme: all run through ``policies.whatif``. The days behind
are looked at as if it had been so all along: what woke a commune at 03:15 would have done so yesterday too.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in, read_tree
from controller.areas.rules import Tree
from controller.clock import Clock
from controller.db import Database
from controller.people import rights
from controller.people.actor import Actor
from controller.policies.checks import Places
from controller.policies.schemas import WhatIfOut
from controller.policies.whatif import Swap, WhatIf
from controller.programmes.changes import airing_it
from controller.programmes.schemas import OrderIn, ProgrammeChange
from controller.programmes.service import Programmes
from edge_agent.protocol.documents import TrustedKey

from .calendars import AreaCalendars
from .day import Entry
from .drafts import Draft
from .edits import Edit, entries, falling, swap_of
from .expand import begun_by, renamed
from .looking import Looking
from .models import Schedule, ScheduleException
from .over import known_lately, without_over
from .planning import Edited, Planner, is_aired
from .repository import exceptions_of, series_of
from .runs import successors
from .schemas import CalendarIn, ExceptionIn, ScheduleIn
from .service import Schedules
from .single_dates import SingleDates
from .walltime import wall_time


class ScheduleWhatIfs:
    """Looks at schedules before they are saved."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        schedules: Schedules,
        single_dates: SingleDates,
        calendars: AreaCalendars,
        programmes: Programmes,
        trusted_keys: tuple[TrustedKey, ...],
    ) -> None:
        self._database, self._clock, self._trusted_keys = database, clock, trusted_keys
        self._schedules, self._single_dates = schedules, single_dates
        self._calendars, self._programmes = calendars, programmes

    async def of(self, actor: Actor, wanted: ScheduleIn, schedule_id: str | None = None) -> WhatIfOut:
        """Say what would be heard otherwise; ``schedule_id``: the one that is being changed. Saves nothing.

        Raises:
            InvalidError: a field is wrong.
            ForbiddenError: the person may not, or not in all these places.
            NotFoundError: there is no such schedule.
            ConflictError: it is ended.
        """
        async with self._database.reading() as session:
            old = await self._schedules.to_change(session, actor, schedule_id) if schedule_id is not None else None
            draft = await self._schedules.draft(session, actor, wanted, old)
            tree, scopes = draft.targets.tree, {*draft.targets.scopes, *(old.scopes if old is not None else ())}
            nodes = await nodes_in(session, tree, sorted(scopes), reports=False)
            looking = WhatIf(session, Places.of_nodes(tree, nodes), self._clock(), self._trusted_keys)
            await looking.read()
            return await looking.compare(tree, await _swap(session, draft, old, looking, self._clock()))

    async def of_end(self, actor: Actor, schedule_id: str) -> WhatIfOut:
        """Say what would not be heard if a schedule were ended, and what would be heard otherwise for that.

        Raises:
            NotFoundError, ForbiddenError, ConflictError: as ending it.
        """
        async with self._database.reading() as session:
            row = await self._schedules.to_change(session, actor, schedule_id)
            tree, looking = await self._look(session, actor, [row])
            gone = frozenset(key for key, each in looking.entries.items() if each.schedule_id == row.id)
            return await looking.compare(tree, Swap(gone))

    async def of_date(
        self, actor: Actor, schedule_id: str, recurrence: datetime, wanted: ExceptionIn | None
    ) -> WhatIfOut:
        """Say what would be heard otherwise if one date were what is ``wanted``; None: as the rule says.

        Raises:
            NotFoundError, ForbiddenError, ConflictError, InvalidError: as changing it.
        """
        async with self._database.reading() as session:
            row, changes = await self._single_dates.drafted(session, actor, schedule_id, recurrence, wanted)
            return await self._edited(session, actor, [row], Edit(exceptions={row.id: changes}))

    async def of_calendar(self, actor: Actor, wanted: CalendarIn, calendar_id: str | None = None) -> WhatIfOut:
        """Say what a calendar would change; ``calendar_id``: the one that is being changed.

        Raises:
            NotFoundError, ForbiddenError, InvalidError: as saving it.
        """
        async with self._database.reading() as session:
            row, areas = await self._calendars.drafted(session, actor, wanted, calendar_id)
            return await self._under(session, actor, areas, Edit(calendars={row.id: row}))

    async def of_calendar_end(self, actor: Actor, calendar_id: str) -> WhatIfOut:
        """Say what would be heard otherwise if a calendar were ended.

        Raises:
            NotFoundError, ForbiddenError: as ending it.
        """
        async with self._database.reading() as session:
            row = await self._calendars.to_change(session, actor, calendar_id, ends=True)
            return await self._under(session, actor, {row.area_id}, Edit(calendars={row.id: None}))

    async def of_programme(self, actor: Actor, programme_id: str, wanted: ProgrammeChange | OrderIn) -> WhatIfOut:
        """Say what a change of a programme would change wherever it airs: other items, another length, nothing at all.

        Of another order: what stands last is what falls away where a schedule leaves out what passes its fixed end.

        Raises:
            NotFoundError, ForbiddenError, ConflictError, InvalidError: as changing it.
        """
        async with self._database.reading() as session:
            edited = Edited(*await self._programmes.drafted(session, actor, programme_id, wanted))
            rows: dict[str, Schedule] = {}
            for airing in await airing_it(session, programme_id):
                rows |= {row.id: row for row in await session.scalars(select(Schedule).where(airing))}
            return await self._edited(session, actor, rows.values(), Edit(programmes={programme_id: edited}))

    async def _under(self, session: AsyncSession, actor: Actor, areas: Iterable[str], edit: Edit) -> WhatIfOut:
        tree = await read_tree(session)
        below = {each for area_id in areas for each in tree.below(area_id)}
        found = await session.scalars(select(Schedule).where(Schedule.ended_at.is_(None)).order_by(Schedule.id))
        return await self._edited(session, actor, [row for row in found if row.area_id in below], edit)

    async def _edited(self, session: AsyncSession, actor: Actor, rows: Iterable[Schedule], edit: Edit) -> WhatIfOut:
        rows = sorted(rows, key=lambda row: row.id)
        tree, looking = await self._look(session, actor, rows)
        return await looking.compare(tree, await swap_of(session, tree, rows, edit, looking))

    async def _look(self, session: AsyncSession, actor: Actor, rows: Iterable[Schedule]) -> tuple[Tree, WhatIf]:
        """Read the days of the nodes in sight that hear these schedules."""
        tree, seen = await read_tree(session), await rights.sight(session, actor)
        nodes = await nodes_in(session, tree, sorted({scope for row in rows for scope in row.scopes}), reports=False)
        places = Places.of_nodes(tree, [node for node in nodes if seen.sees(node.area_id)])
        looking = WhatIf(session, places, self._clock(), self._trusted_keys)
        await looking.read()
        return tree, looking


async def _swap(session: AsyncSession, draft: Draft, old: Schedule | None, looking: WhatIf, now: datetime) -> Swap:
    """Give what goes with the schedule as it was, and what comes with it as it is to be."""
    gone = {key: each for key, each in looking.entries.items() if old is not None and each.schedule_id == old.id}
    row = Schedule(id=old.id if old is not None else "draft", changed_by="", ended_at=None)
    draft.write(row)
    first = datetime.fromisoformat(row.starts_at_local)
    changes = await _kept(session, old, row)
    since = looking.span[0] if old is None else max(looking.span[0], old.created_at)
    row.starts_at_local = begun_by(row.rule, first, wall_time(since, row.zone)).isoformat()
    tree, dates_of = draft.targets.tree, Looking(session, draft.targets.tree, (since, looking.span[1]))
    given = await dates_of.dates(row, changes)
    lately = await known_lately(session, [row.id], now=now)
    dates = without_over(row, changes, given, lately.get(row.id, {}), now=now)
    aired = [each for each in dates if is_aired(each) and (each.start_at <= now or each.recurrence >= first)]
    planned = await entries(await Planner.of(session, row, tree), row, aired)
    come = {each.wire.broadcast_id: each for each in planned.values()}
    instead = _instead(gone, come, row.zone)
    was = {} if old is None else await _as_it_was(session, tree, old, dates_of)
    before = {new: was.get(gone[key].wire.start_at) for key, new in instead.items()}
    come = {key: each._replace(left_out=falling(before.get(key), each)) for key, each in come.items()}
    return Swap(frozenset(gone), come, instead)


async def _as_it_was(session: AsyncSession, tree: Tree, old: Schedule, dates_of: Looking) -> dict[datetime, Entry]:
    """Give by their starts the dates as they are now: of what is saved it is not known what is left out."""
    given = await dates_of.dates(old, (await exceptions_of(session, [old.id])).get(old.id, []))
    planned = await entries(await Planner.of(session, old, tree), old, [each for each in given if is_aired(each)])
    return {each.wire.start_at: each for each in planned.values()}


async def _kept(session: AsyncSession, old: Schedule | None, row: Schedule) -> Sequence[ScheduleException]:
    """Give the exceptions that would survive the change, as saving lets them."""
    if old is None:
        return ()
    there = (await exceptions_of(session, [old.id])).get(old.id, [])
    names = {datetime.fromisoformat(each.recurrence_local): each for each in there}
    found = renamed(names, series_of(old), series_of(row))
    return [
        ScheduleException(
            schedule_id=row.id,
            recurrence_local=found.get(key, key).isoformat(),
            kind=each.kind,
            moved_to_local=each.moved_to_local,
            programme_id=each.programme_id,
            in_spite_of=each.in_spite_of,
        )
        for key, each in names.items()
    ]


def _instead(gone: Mapping[str, Entry], come: Mapping[str, Entry], zone: str) -> dict[str, str]:
    """Pair what comes with what it takes the place of on the same day."""
    old, new = ({wall_time(each.wire.start_at, zone): key for key, each in some.items()} for some in (gone, come))
    return {old[was]: new[will] for will, was in successors(old, new).items()}
