"""Places that were added by mistake, or are none any more: put away when nothing is there. Their rows stay.

What was said there, who did what there, and the rights of those above go on naming them; only lists do not.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit import service as audit
from controller.bulletins.models import Bulletin
from controller.clock import Clock
from controller.db import Base, Database
from controller.emergencies.models import ReadyMessage
from controller.errors import NotFoundError
from controller.events import Event, Topic
from controller.holds.models import Hold
from controller.nodes.models import Node
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Grant
from controller.people.rights import Act
from controller.programmes.models import Programme
from controller.schedules.models import Calendar

from .errors import AreaInUseError
from .handing import owned
from .models import Area
from .move_schemas import RemovalOut


class Removals:
    """Puts places away."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def preview(self, actor: Actor, area_id: str) -> RemovalOut:
        """Say what is still there; with nothing there it can be removed.

        Raises:
            NotFoundError: there is no such area.
            ForbiddenError: the person may not, where it belongs.
        """
        async with self._database.reading() as session:
            await _known(session, actor, area_id)
            return await _there(session, area_id, self._clock())

    async def remove(self, actor: Actor, area_id: str) -> None:
        """Put a place away.

        Raises:
            NotFoundError: there is no such area.
            ForbiddenError: the person may not, where it belongs.
            AreaInUseError: something is there.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            # Of who removes it and who puts something in (``standing``) the second waits for the first, and looks then.
            row = await _known(tx.session, actor, area_id, lock=True)
            there = await _there(tx.session, area_id, now)
            if not there.is_empty:
                said = ", ".join(f"{count} {kind}" for kind, count in there.model_dump().items() if count)
                raise AreaInUseError(f"this area is in use: {said}", **there.model_dump())
            row.removed_at = now
            detail = {"name": row.name, "kind": row.kind, "parent_id": row.parent_id}
            await tx.session.flush()
            await audit.write(tx, actor, Act.AREAS_REMOVE, f"areas/{area_id}", detail, at=now, area_id=area_id)
            tx.tell(Event(Topic.AREA, area_id))


async def _known(session: AsyncSession, actor: Actor, area_id: str, *, lock: bool = False) -> Area:
    """Give a place whose owner the person is: who may add one beside it."""
    seen = await rights.sight(session, actor)
    row: Area | None = await session.get(Area, area_id, with_for_update=lock) if seen.sees(area_id) else None
    if row is None or row.removed_at is not None:
        raise NotFoundError("there is no such area", resource="areas", id=area_id[:64])
    await rights.require(session, actor, Act.AREAS_REMOVE, [row.parent_id])
    return row


async def _there(session: AsyncSession, area_id: str, now: datetime) -> RemovalOut:
    async def count(table: type[Base], *such: ColumnElement[bool]) -> int:
        return await session.scalar(select(func.count()).select_from(table).where(*such)) or 0

    scope = f"areas/{area_id}"
    coming = [each for each in await owned(session, now) if each.area_id == area_id or scope in each.scopes]
    return RemovalOut(
        areas=await count(Area, Area.parent_id == area_id, Area.removed_at.is_(None)),
        nodes=await count(Node, Node.area_id == area_id, Node.removed_at.is_(None)),
        grants=await count(Grant, Grant.area_id == area_id),
        coming=len(coming),
        holds=await count(Hold, Hold.scope == scope, Hold.released_at.is_(None)),
        kept=sum(
            [
                await count(Bulletin, Bulletin.area_id == area_id, Bulletin.archived_at.is_(None)),
                await count(Programme, Programme.area_id == area_id, Programme.archived_at.is_(None)),
                await count(Calendar, Calendar.area_id == area_id, Calendar.ended_at.is_(None)),
                await count(ReadyMessage, ReadyMessage.area_id == area_id, ReadyMessage.archived_at.is_(None)),
            ]
        ),
    )
