"""Reminds of silence that lasts: a hold is never forgotten (DESIGN section 4)."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.models import Alarm
from controller.alarms.service import Alarms
from controller.areas.repository import read_tree
from controller.areas.targets import areas_of, scope_name
from controller.clock import Clock
from controller.db import Database
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import NodeKind

from .models import Hold
from .reach import silencing

REMIND = "remind-of-holds"
"""Name of the regular work."""
REMIND_S = 300
KIND = "holds.lasting"
AFTER = timedelta(hours=1)
"""How long a hold stands before people are told, and told again."""


class LastingHolds:
    """Raises alarms about holds that stand."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes, alarms: Alarms) -> None:
        self._database, self._clock, self._live, self._alarms = database, clock, live, alarms

    async def remind(self) -> None:
        """Tell of every hold that has stood for an hour; once an hour at most, and not while the last one is unread."""
        now = self._clock()
        async with self._database.transaction() as tx:
            for hold, area_id, place in await _lasting(tx.session, self._live, now):
                if not await _told_lately(tx.session, hold, now):
                    detail = {"scope": hold.scope, "place": place, "ordered_at": hold.ordered_at.isoformat()}
                    subject = f"holds/{hold.id}"
                    await self._alarms.raise_(tx, KIND, area_id, subject, detail, unless_open=True)


class _Lasting(NamedTuple):
    """A hold that has stood for long, and where."""

    hold: Hold
    area_id: str
    place: str
    """Name of its scope."""


async def _lasting(session: AsyncSession, live: LiveNodes, now: datetime) -> list[_Lasting]:
    """Give old holds. One over wired and FM clusters alone silences nothing of ours."""
    query = select(Hold).where(Hold.released_at.is_(None), Hold.ordered_at <= now - AFTER)
    holds = (await session.scalars(query.order_by(Hold.ordered_at, Hold.id))).all()
    if not holds:
        return []
    tree, areas = await read_tree(session), await areas_of(session, [hold.scope for hold in holds])
    agents = select(Node.id, Node.area_id, Node.name).where(Node.kind == NodeKind.AGENT, Node.removed_at.is_(None))
    nodes = (await session.execute(agents)).all()
    silent = await silencing(session, live, tree, {key: area_id for key, area_id, _ in nodes})
    reaching = frozenset[str]().union(*silent.values())
    names = {key: name for key, _, name in nodes}
    return [
        _Lasting(hold, areas[hold.scope], scope_name(hold.scope, tree, names))
        for hold in holds
        if hold.id in reaching and hold.scope in areas
    ]


async def _told_lately(session: AsyncSession, hold: Hold, now: datetime) -> bool:
    same = (Alarm.kind == KIND) & (Alarm.subject == f"holds/{hold.id}")
    return await session.scalar(select(Alarm.id).where(same, Alarm.raised_at > now - AFTER).limit(1)) is not None
