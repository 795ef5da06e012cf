"""Tells people of every certificate before its end: 90, 30 and 7 days. By then its renewal has failed.

Of signing keys tells ``controller.wire.rotation``.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.models import Alarm
from controller.alarms.service import Alarms
from controller.clock import Clock
from controller.db import Database
from controller.nodes.models import Node

WATCH = "watch-ends"
"""Name of the regular work."""
WATCH_S = 6 * 3600
KIND = "certificates.ending"
STEPS = (90, 30, 7)
"""Days before an end at which people are told, each time anew."""


class Ending(NamedTuple):
    """Something that ends soon."""

    subject: str
    name: str
    """For people: of the node, or which of the centre's own."""
    area_id: str | None
    ends_at: datetime


class Ends:
    """Raises the alarms. ``own`` gives the ends of what the centre itself holds, by name."""

    def __init__(
        self, database: Database, clock: Clock, alarms: Alarms, own: Callable[[], Mapping[str, datetime]]
    ) -> None:
        self._database, self._clock, self._alarms, self._own = database, clock, alarms, own

    async def look(self) -> None:
        """Tell of what comes to its end, once for each step."""
        now = self._clock()
        own = [Ending(f"certificates/{name}", name, None, ends_at) for name, ends_at in self._own().items()]
        async with self._database.transaction() as tx:
            told = await _told(tx.session)
            for each in (*own, *await _nodes(tx.session, now)):
                step = step_of(each.ends_at, now)
                if step is None or (each.subject, each.ends_at.isoformat()) in told.get(step, ()):
                    continue
                days = max(0, (each.ends_at - now) // timedelta(days=1))
                detail = {"name": each.name, "ends_at": each.ends_at.isoformat(), "step": step, "days": days}
                await self._alarms.raise_(tx, KIND, each.area_id, each.subject, detail)


def step_of(ends_at: datetime, now: datetime) -> int | None:
    """Give the last step that was reached; None while all are ahead."""
    return min((days for days in STEPS if ends_at - now <= timedelta(days=days)), default=None)


async def _nodes(session: AsyncSession, now: datetime) -> Iterable[Ending]:
    columns = Node.id, Node.name, Node.area_id, Node.certificate_expires_at
    soon = Node.certificate_expires_at <= now + timedelta(days=STEPS[0])
    rows = await session.execute(select(*columns).where(Node.removed_at.is_(None), soon).order_by(Node.id))
    return [Ending(f"nodes/{node_id}", name, area_id, ends_at) for node_id, name, area_id, ends_at in rows if ends_at]


async def _told(session: AsyncSession) -> dict[int, set[tuple[str, str]]]:
    """Give subjects and ends of which people were told, by step; what is told at a step was told at those before."""
    found: dict[int, set[tuple[str, str]]] = {}
    for subject, detail in await session.execute(select(Alarm.subject, Alarm.detail).where(Alarm.kind == KIND)):
        for step in STEPS:
            if step >= detail["step"]:
                found.setdefault(step, set()).add((subject, detail["ends_at"]))
    return found
