"""What single edits would change of the dates of schedules: planned as they are and as they would be, without writing.

Only dates that come out otherwise are swapped. Days behind at which the schedule itself was otherwise are left alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree
from controller.errors import InvalidError
from controller.policies.whatif import Swap, WhatIf

from .day import Entry, approved, wire_of
from .expand import Occurrence
from .looking import Looking
from .models import Schedule, ScheduleException
from .planning import Edited, Planner, is_aired
from .repository import NOTHING_INSTEAD, Instead, exceptions_of


class Edit(NamedTuple):
    """What is to be otherwise, by id; what is not named stays."""

    exceptions: Mapping[str, Sequence[ScheduleException]] = {}
    """Of schedules, all of them."""
    calendars: Instead = NOTHING_INSTEAD
    programmes: Mapping[str, Edited] = {}


AS_IT_IS = Edit()


async def swap_of(session: AsyncSession, tree: Tree, rows: Iterable[Schedule], edit: Edit, looking: WhatIf) -> Swap:
    """Give the broadcasts of these schedules that an edit would take away, and those that it would bring."""
    rows = list(rows)
    said = await exceptions_of(session, [row.id for row in rows])
    was, will = _Dates(session, tree, looking.span, AS_IT_IS, said), _Dates(session, tree, looking.span, edit, said)
    gone: set[str] = set()
    come: dict[str, Entry] = {}
    instead: dict[str, str] = {}
    for row in rows:
        there = {each.wire.start_at: key for key, each in looking.entries.items() if each.schedule_id == row.id}
        before, after = await was.of(row), await will.of(row)
        for name in before.keys() | after.keys():
            old, new = before.get(name), after.get(name)
            key = None if old is None else there.get(old.wire.start_at)
            if _is_same(old, new) or (old is not None and key is None):
                continue
            if key is not None:
                gone.add(key)
            if new is not None:
                come[new.wire.broadcast_id] = new._replace(left_out=falling(old, new))
            if key is not None and new is not None:
                instead[key] = new.wire.broadcast_id
    return Swap(frozenset(gone), come, instead)


async def entries(planner: Planner, row: Schedule, dates: Iterable[Occurrence]) -> dict[str, Entry]:
    """Plan dates as nothing but a thought; gives those that can be aired, by name."""
    found: dict[str, Entry] = {}
    for date in dates:
        try:
            planned = await planner.plan(date)
        except InvalidError:
            continue  # the preview says why it cannot be aired
        wire = approved(wire_of(row, planned, prefix="y"), row.scopes)
        found[planned.recurrence] = Entry(wire, planned.title, row.id, False, False, planned.left_out)
    return found


class _Dates:
    """The dates of schedules under an edit."""

    def __init__(
        self,
        session: AsyncSession,
        tree: Tree,
        span: tuple[datetime, datetime],
        edit: Edit,
        said: Mapping[str, Sequence[ScheduleException]],
    ) -> None:
        self._session, self._tree, self._edit, self._said = session, tree, edit, said
        self._looking = Looking(session, tree, span, instead=edit.calendars)

    async def of(self, row: Schedule) -> dict[str, Entry]:
        changes = self._edit.exceptions.get(row.id, self._said.get(row.id, ()))
        dates = [each for each in await self._looking.dates(row, changes) if is_aired(each)]
        planner = await Planner.of(self._session, row, self._tree, self._edit.programmes)
        return await entries(planner, row, [each for each in dates if each.start_at >= row.created_at])


def _is_same(old: Entry | None, new: Entry | None) -> bool:
    """Tell whether nothing is heard otherwise."""
    if old is None or new is None:
        return old is new
    return old.wire == new.wire and not falling(old, new)


def falling(old: Entry | None, new: Entry) -> tuple[str, ...]:
    """Name what an edit leaves no time for; where nothing could be aired before, all that is left out."""
    before = Counter(old.left_out if old is not None else ())
    return tuple((Counter(new.left_out) - before).elements())
