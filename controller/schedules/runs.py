"""Which dates of a schedule are versions of one run: a node that began one of them begins no other (promise P3)."""

from collections import defaultdict
from collections.abc import Container, Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.models import Broadcast

KEPT = timedelta(days=1)
"""So long after its latest end a node may still come back and tell that it began."""


def successors(gone: Iterable[datetime], new: Iterable[datetime]) -> dict[datetime, datetime]:
    """Pair new dates with those of the same day in whose place they stand, the nearest first."""
    free: dict[date, list[datetime]] = defaultdict(list)
    for each in new:
        free[each.date()].append(each)
    found: dict[datetime, datetime] = {}
    for each in sorted(gone):
        there = free[each.date()]
        if there:
            nearest = min(there, key=lambda one: abs(one - each))
            there.remove(nearest)
            found[nearest] = each
    return found


class Runs:
    """The runs of one schedule that nodes may know. No two broadcasts that stand in plans are of one run."""

    def __init__(self, superseded: Iterable[Broadcast], standing: Iterable[Broadcast]) -> None:
        self._known: dict[str, str] = {}
        """Date → run, for what was superseded; the latest last."""
        self._taken = {_run_of(row) for row in standing}
        self._stands_for: dict[datetime, str] = {}
        for row in superseded:
            self._note(row)

    @classmethod
    async def read(
        cls, session: AsyncSession, schedule_id: str, standing: Iterable[Broadcast], now: datetime
    ) -> "Runs":
        """Read what was superseded and may have been heard somewhere all the same."""
        query = (
            select(Broadcast)
            .where(Broadcast.schedule_id == schedule_id, Broadcast.superseded_at.is_not(None))
            .where(Broadcast.latest_end_at > now - KEPT)
            .order_by(Broadcast.superseded_at, Broadcast.id)
        )
        return cls(await session.scalars(query), standing)

    def supersede(self, row: Broadcast) -> None:
        """Note that another version may stand in its place."""
        self._note(row)
        self._taken.discard(_run_of(row))

    def give_way(self, names: Container[str], new: Iterable[datetime]) -> None:
        """Let dates that are made now stand for those that the rule no longer gives: its hour was changed."""
        last_names = {run: datetime.fromisoformat(key) for key, run in self._known.items() if key not in names}
        runs = {name: run for run, name in last_names.items() if run not in self._taken}
        unnamed = [each for each in new if each.isoformat() not in self._known]
        self._stands_for = {each: runs[gone] for each, gone in successors(runs, unnamed).items()}

    def of(self, recurrence: datetime) -> str | None:
        """Name the run that a date is a further version of; None: it is the first of its own."""
        run = self._known.get(recurrence.isoformat()) or self._stands_for.get(recurrence)
        if run is None or run in self._taken:
            return None
        self._taken.add(run)
        return run

    def _note(self, row: Broadcast) -> None:
        if row.recurrence_local is not None:
            self._known.pop(row.recurrence_local, None)
            self._known[row.recurrence_local] = _run_of(row)


def _run_of(row: Broadcast) -> str:
    return row.run_id or row.id
