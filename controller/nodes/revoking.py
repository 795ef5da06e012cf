"""Revoking: a node that was stolen, or whose key somebody has, is nobody's from this moment. There is no way back."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.faults.repository import clear_all
from controller.names import clean_name
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.plans.models import Document
from controller.plays import service as plays
from controller.renewals.models import NodeCertificate, Renewal

from .models import Node
from .rules import NodeKind
from .schemas import RevokedOut

ALARM = "nodes.revoked"


class Revocations:
    """Ends what the centre has to do with a node. The wire follows: ``controller.wire.revoker``."""

    def __init__(self, database: Database, clock: Clock, alarms: Alarms) -> None:
        self._database, self._clock, self._alarms = database, clock, alarms

    async def revoke(self, actor: Actor, node_id: str, reason: str) -> RevokedOut:
        """Void a node's certificates, forget its documents, end its plays. One that enrols again is a new node.

        Raises:
            NotFoundError: there is no such node.
            ConflictError: it was revoked before.
            ForbiddenError: the person may not do that there.
            InvalidError: no reason was given, or the node has no key that could be stolen.
        """
        reason, now = clean_name(reason, field="reason"), self._clock()
        async with self._database.transaction() as tx:
            row = await _row(tx.session, actor, node_id)
            await rights.require(tx.session, actor, Act.NODES_REVOKE, [row.area_id])
            if row.kind != NodeKind.AGENT:
                raise InvalidError("node: it has no certificate", field="node_id", problem="unknown")
            serials, ended = await cut_off(tx, row, now)
            detail = {"name": row.name, "reason": reason, "certificates": serials, "plays": ended}
            subject = f"nodes/{node_id}"
            await audit.write(tx, actor, Act.NODES_REVOKE, subject, detail, at=now, area_id=row.area_id)
            await self._alarms.raise_(tx, ALARM, row.area_id, subject, {"name": row.name, "reason": reason})
            tx.tell(Event(Topic.REVOCATION, node_id))
            tx.tell(Event(Topic.NODE, node_id))
        return RevokedOut(id=node_id, name=row.name, revoked_at=now, certificates=tuple(serials), plays_ended=ended)


async def cut_off(tx: Transaction, row: Node, now: datetime) -> tuple[list[str], int]:
    """Void all that a node has; gives the serial numbers of its certificates, and how many plays that ended."""
    row.removed_at = row.revoked_at = now
    row.previous_public_key = None
    serials = await _void(tx.session, row.id, now)
    await tx.session.execute(delete(Document).where(Document.scope == f"nodes/{row.id}"))
    await clear_all(tx.session, row.id, now)
    return serials, await plays.lose(tx, row.id, now=now)


async def _row(session: AsyncSession, actor: Actor, node_id: str) -> Node:
    seen, row = await rights.sight(session, actor), await session.get(Node, node_id)
    there = row is not None and (row.removed_at is None or row.revoked_at is not None)
    if row is None or not there or not seen.sees(row.area_id):
        raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
    if row.revoked_at is not None:
        raise ConflictError(f"{row.name}: was revoked already, {row.revoked_at:%Y-%m-%d %H:%M} UTC", id=row.id)
    return row


async def _void(session: AsyncSession, node_id: str, now: datetime) -> list[str]:
    """Void all certificates of a node, and end its wish for another; give their serial numbers."""
    own = NodeCertificate.node_id == node_id
    await session.execute(
        update(NodeCertificate).where(own, NodeCertificate.revoked_at.is_(None)).values(revoked_at=now)
    )
    waiting = (Renewal.node_id == node_id) & Renewal.decided_at.is_(None)
    await session.execute(update(Renewal).where(waiting).values(decided_at=now, confirmed=False))
    return list(await session.scalars(select(NodeCertificate.serial).where(own).order_by(NodeCertificate.serial)))
