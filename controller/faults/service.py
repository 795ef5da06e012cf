"""Faults: shown to whoever sees the node, acknowledged by whoever looks after them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import tree_around
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database
from controller.errors import ConflictError, NotFoundError
from controller.events import Event, Topic
from controller.names import clean_name
from controller.nodes.models import Node
from controller.paging import Found, Order, Wanted, paged
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act, Sight
from controller.search import matches

from .models import Fault
from .rules import OFFLINE, FaultState, state_of
from .schemas import FaultEntryOut

MAX_NOTE = 500
_ORDERS: Mapping[str, Order | tuple[Order, ...]] = {
    "need": (
        case((Fault.cleared_at.is_not(None), 2), (Fault.acknowledged_at.is_not(None), 1), else_=0),
        case((Fault.code == OFFLINE, 0), else_=1),
        Fault.since_at,
        Fault.code,
    ),
    "since": Fault.since_at,
}


class _Read(NamedTuple):
    fault: Fault
    node_name: str
    area_id: str
    by_name: str | None


class Faults:
    """The book of faults, as people read it. Written by ``keeping``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def list(
        self,
        actor: Actor,
        *,
        area_id: str | None = None,
        node_id: str | None = None,
        standing: bool | None = None,
        limit: int = 100,
    ) -> list[FaultEntryOut]:
        """Give the faults in sight, the latest first. ``standing``: only those that are not over, or only the others.

        Raises:
            NotFoundError: there is no such area or node.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = _query(seen)
            if area_id is not None:
                query = query.where(Node.area_id.in_(await _below(session, seen, area_id)))
            if node_id is not None:
                query = query.where(Fault.node_id == await _node(session, seen, node_id))
            if standing is not None:
                query = query.where(Fault.cleared_at.is_(None) == standing)
            rows = await session.execute(query.order_by(Fault.began_at.desc(), Fault.id).limit(limit))
            return [_out(_Read(fault, name, area, by)) for fault, name, area, by in rows]

    async def find(self, actor: Actor, wanted: Wanted) -> Found[FaultEntryOut]:
        """Give one part of the faults in sight: ``need`` (new ones first, then lost nodes, then the oldest), ``since``.

        Words are those of the node's name. Filters: ``state`` (``FaultState``, or nothing: all that stand), ``code``,
        ``area`` (there and below), ``node``.

        Raises:
            NotFoundError: there is no such area or node.
        """
        having = wanted.having
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = _query(seen).where(_stands_so(having.get("state", "")), matches(Node.search, wanted.q))
            if code := having.get("code"):
                query = query.where(Fault.code == code)
            if area_id := having.get("area"):
                query = query.where(Node.area_id.in_(await _below(session, seen, area_id)))
            if node_id := having.get("node"):
                query = query.where(Fault.node_id == await _node(session, seen, node_id))
            rows, total = await paged(session, query, wanted, _ORDERS, last=Fault.id)
            return Found(tuple(_out(_Read(fault, name, area, by)) for fault, name, area, by in rows), total)

    async def get(self, actor: Actor, fault_id: str) -> FaultEntryOut:
        """Give one fault.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            return _out(await _one(session, await rights.sight(session, actor), fault_id))

    async def acknowledge(self, actor: Actor, fault_id: str, *, note: str = "") -> FaultEntryOut:
        """Say that somebody looks after it.

        Raises:
            NotFoundError: there is no such fault.
            ForbiddenError: the person may not say so there.
            InvalidError: the note is too long, or hides what is read.
            ConflictError: somebody did already, or it is over.
        """
        note = clean_name(note, field="note", most=MAX_NOTE) if note.strip() else ""
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            found = await _one(tx.session, seen, fault_id, lock=True)
            row, subject = found.fault, f"faults/{fault_id}"
            await rights.require(tx.session, actor, Act.FAULTS_ACKNOWLEDGE, [found.area_id])
            if row.cleared_at is not None:
                raise ConflictError("this fault is over", problem="cleared")
            if row.acknowledged_at is not None:
                raise ConflictError("somebody looks after this fault already", problem="acknowledged")
            row.acknowledged_at, row.acknowledged_by, row.note = self._clock(), actor.person_id, note
            detail = {"node_id": row.node_id, "code": row.code, "note": note}
            at = row.acknowledged_at
            await audit.write(tx, actor, Act.FAULTS_ACKNOWLEDGE, subject, detail, at=at, area_id=found.area_id)
            tx.tell(Event(Topic.FAULT, fault_id))
            tx.tell(Event(Topic.NODE, row.node_id))
            await tx.session.flush()
            return _out(await _one(tx.session, seen, fault_id))


async def forget(session: AsyncSession, now: datetime, after: timedelta) -> None:
    """Delete what has been over for so long."""
    await session.execute(delete(Fault).where(Fault.cleared_at <= now - after))


def _query(seen: Sight) -> Select[Fault, str, str, str]:
    """Ask for faults with the names that belong to them; those of nodes that are no more are shown to nobody."""
    return (
        select(Fault, Node.name, Node.area_id, Person.name)
        .join(Node, Node.id == Fault.node_id)
        .outerjoin(Person, Person.id == Fault.acknowledged_by)
        .where(Node.removed_at.is_(None), seen.where(Node.area_id))
    )


def _stands_so(state: str) -> ColumnElement[bool]:
    stands = Fault.cleared_at.is_(None)
    match state:
        case FaultState.NEW:
            return and_(stands, Fault.acknowledged_at.is_(None))
        case FaultState.ACKNOWLEDGED:
            return and_(stands, Fault.acknowledged_at.is_not(None))
        case FaultState.CLEARED:
            return Fault.cleared_at.is_not(None)
        case _:
            return stands


async def _one(session: AsyncSession, seen: Sight, fault_id: str, *, lock: bool = False) -> _Read:
    query = _query(seen).where(Fault.id == fault_id)
    row = (await session.execute(query.with_for_update(of=Fault) if lock else query)).one_or_none()
    if row is None:
        raise NotFoundError("there is no such fault", resource="faults", id=fault_id[:64])
    fault, name, area_id, by_name = row
    return _Read(fault, name, area_id, by_name)


async def _below(session: AsyncSession, seen: Sight, area_id: str) -> list[str]:
    return sorted((await tree_around(session, seen, area_id, whole=True)).below(area_id))


async def _node(session: AsyncSession, seen: Sight, node_id: str) -> str:
    row = await session.get(Node, node_id)
    if row is None or row.removed_at is not None or not seen.sees(row.area_id):
        raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
    return row.id


def _out(read: _Read) -> FaultEntryOut:
    row = read.fault
    return FaultEntryOut(
        id=row.id,
        node_id=row.node_id,
        node_name=read.node_name,
        area_id=read.area_id,
        code=row.code,
        detail=row.detail,
        state=state_of(row.acknowledged_at, row.cleared_at),
        since_at=row.since_at,
        began_at=row.began_at,
        times=row.times,
        cleared_at=row.cleared_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_by_name=read.by_name,
        note=row.note,
    )
