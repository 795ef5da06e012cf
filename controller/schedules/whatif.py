"""What saving a schedule would change: the last and the next 30 days, at every node that hears it or would.

The days behind are looked at as if the schedule had been so all along: what woke a commune at 03:15 would have done so
yesterday too.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in
from controller.clock import Clock
from controller.db import Database
from controller.errors import InvalidError
from controller.people.actor import Actor
from controller.policies.checks import Places
from controller.policies.schemas import WhatIfOut
from controller.policies.whatif import Swap, WhatIf
from edge_agent.protocol.documents import TrustedKey

from .day import Entry, approved, wire_of
from .drafts import Draft
from .expand import Occurrence, begun_by, renamed
from .looking import Looking
from .models import Schedule, ScheduleException
from .planning import Planner, is_aired
from .repository import exceptions_of, series_of
from .runs import successors
from .schemas import ScheduleIn
from .service import Schedules
from .walltime import wall_time


class ScheduleWhatIfs:
    """Looks at schedules before they are saved."""

    def __init__(
        self, database: Database, clock: Clock, schedules: Schedules, *, trusted_keys: tuple[TrustedKey, ...]
    ) -> None:
        self._database, self._clock, self._schedules = database, clock, schedules
        self._trusted_keys = trusted_keys

    async def of(self, actor: Actor, wanted: ScheduleIn, schedule_id: str | None = None) -> WhatIfOut:
        """Say what would be heard otherwise; ``schedule_id``: the one that is being changed. Saves nothing.

        Raises:
            InvalidError: a field is wrong.
            ForbiddenError: the person may not, or not in all these places.
            NotFoundError: there is no such schedule.
            ConflictError: it is ended.
        """
        async with self._database.reading() as session:
            draft = await self._schedules.draft(session, actor, wanted)
            old = await self._schedules.to_change(session, actor, schedule_id) if schedule_id is not None else None
            tree, scopes = draft.targets.tree, {*draft.targets.scopes, *(old.scopes if old is not None else ())}
            nodes = await nodes_in(session, tree, sorted(scopes), reports=False)
            looking = WhatIf(session, Places.of_nodes(tree, nodes), self._clock(), self._trusted_keys)
            await looking.read()
            return await looking.compare(tree, await _swap(session, draft, old, looking, self._clock()))


async def _swap(session: AsyncSession, draft: Draft, old: Schedule | None, looking: WhatIf, now: datetime) -> Swap:
    """Give what goes with the schedule as it was, and what comes with it as it is to be."""
    gone = {key: each for key, each in looking.entries.items() if old is not None and each.schedule_id == old.id}
    row = Schedule(id=old.id if old is not None else "draft", changed_by="", ended_at=None)
    draft.write(row)
    first = datetime.fromisoformat(row.starts_at_local)
    changes = await _kept(session, old, row)
    since = looking.span[0] if old is None else max(looking.span[0], old.created_at)
    row.starts_at_local = begun_by(row.rule, first, wall_time(since, row.zone)).isoformat()
    dates = await Looking(session, draft.targets.tree, (since, looking.span[1])).dates(row, changes)
    aired = [each for each in dates if is_aired(each) and (each.start_at <= now or each.recurrence >= first)]
    come = await _entries(await Planner.of(session, row, draft.targets.tree), row, aired)
    return Swap(frozenset(gone), come, _instead(gone, come, row.zone))


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
        )
        for key, each in names.items()
    ]


async def _entries(planner: Planner, row: Schedule, dates: Iterable[Occurrence]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for date in dates:
        try:
            planned = await planner.plan(date)
        except InvalidError:
            continue  # the preview says why it cannot be aired
        wire = approved(wire_of(row, planned, prefix="y"), row.scopes)
        found[wire.broadcast_id] = Entry(wire, planned.title, row.id, saved=False, awaits_approval=False)
    return found


def _instead(gone: Mapping[str, Entry], come: Mapping[str, Entry], zone: str) -> dict[str, str]:
    """Pair what comes with what it takes the place of on the same day."""
    old, new = ({wall_time(each.wire.start_at, zone): key for key, each in some.items()} for some in (gone, come))
    return {old[was]: new[will] for will, was in successors(old, new).items()}
