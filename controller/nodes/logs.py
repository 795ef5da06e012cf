"""Logs of nodes: a place for one is made when a person asks, and taken by what the node brings; once, and not for long.

The text is a node's own and believed by nobody: bounded, made harmless as it comes, and given as text alone.
"""

import asyncio
import gzip
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction, in_pieces
from controller.errors import InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act
from edge_agent.protocol.documents import CommandAction
from edge_agent.protocol.errors import ProtocolError
from edge_agent.protocol.logs import LOG_WITHIN, unpack_log

from .acts import NodeActs
from .models import Node, NodeLog
from .schemas import AskedOut, LogOut
from .shown import Shown, node_of

KEPT = 5
"""Of each node; an older one goes when a newer one comes."""
KEPT_FOR = timedelta(days=30)
"""Whoever asked has looked long since; nothing of what was aired rests on it."""
CAME = "nodes.log_came"
"""In the audit, by nobody: the node's own certificate brought it."""


class NodeLogs:
    """Asks for logs, takes them in, shows them."""

    def __init__(self, database: Database, clock: Clock, acts: NodeActs) -> None:
        self._database, self._clock, self._acts = database, clock, acts

    async def ask(self, actor: Actor, node_id: str) -> AskedOut:
        """Let a node send its log. A place that waits for an earlier one is closed.

        Raises:
            NotFoundError, ForbiddenError, NodeAwayError, NodeUnableError, BusyError: as for other acts.
        """

        async def open_place(tx: Transaction, command_id: str, now: datetime) -> None:
            waiting = (NodeLog.node_id == node_id) & NodeLog.received_at.is_(None)
            await tx.session.execute(delete(NodeLog).where(waiting))
            tx.session.add(NodeLog(id=command_id, node_id=node_id, asked_at=now, asked_by=actor.person_id))

        return await self._acts.ask(actor, node_id, CommandAction.SEND_LOG, act=Act.NODES_LOG, also=open_place)

    async def take(self, asks: Shown | None, node_id: str, log_id: str, packed: bytes) -> None:
        """Take in what a node brings to the place that was made for it.

        Raises:
            NotFoundError: no place waits for it, or no more; strangers and other nodes are told the same.
            InvalidError: it is too large, or not packed as it should be.
        """
        now = self._clock()
        async with self._database.reading() as session:
            await _place(session, asks, node_id, log_id, now)
        try:
            text = await asyncio.to_thread(unpack_log, packed)
        except ProtocolError as error:
            raise InvalidError(str(error), field="body", problem="malformed") from None
        kept = await asyncio.to_thread(gzip.compress, text.encode(), mtime=0)
        async with self._database.transaction() as tx:
            node = await _place(tx.session, asks, node_id, log_id, now)
            waits = (NodeLog.id == log_id) & NodeLog.received_at.is_(None)
            lines, size = text.count("\n"), len(text.encode())
            taken = await tx.session.execute(
                update(NodeLog).where(waits).values(received_at=now, packed=kept, lines=lines, bytes=size)
            )
            if not isinstance(taken, CursorResult) or taken.rowcount != 1:
                raise _none(log_id)
            await _drop_older(tx.session, node_id)
            detail = {"command_id": log_id, "bytes": size}
            await audit.write(tx, Actor(None, "node"), CAME, f"nodes/{node_id}", detail, at=now, area_id=node.area_id)
            tx.tell(Event(Topic.NODE, node_id))

    async def list(self, actor: Actor, node_id: str) -> list[LogOut]:
        """Give the logs of a node, the newest first, with what is still awaited.

        Raises:
            NotFoundError: there is no such node.
            ForbiddenError: the person may not read logs there.
        """
        now = self._clock()
        async with self._database.reading() as session:
            await _readable(session, actor, node_id)
            query = (
                select(NodeLog.id, NodeLog.asked_at, NodeLog.received_at, NodeLog.lines, NodeLog.bytes, Person.name)
                .outerjoin(Person, Person.id == NodeLog.asked_by)
                .where(NodeLog.node_id == node_id)
                .order_by(NodeLog.asked_at.desc(), NodeLog.id)
            )
            rows = (await session.execute(query)).all()
        return [
            LogOut(
                id=row.id,
                asked_at=row.asked_at,
                asked_by_name=row.name,
                state="here" if row.received_at else "waiting" if now < row.asked_at + LOG_WITHIN else "missed",
                received_at=row.received_at,
                lines=row.lines,
                bytes=row.bytes,
            )
            for row in rows
        ]

    async def text(self, actor: Actor, node_id: str, log_id: str) -> str:
        """Give one as text.

        Raises:
            NotFoundError: there is no such node, or none that has come with this id.
            ForbiddenError: the person may not read logs there.
        """
        async with self._database.reading() as session:
            await _readable(session, actor, node_id)
            row = await session.get(NodeLog, log_id)
            if row is None or row.node_id != node_id or row.packed is None:
                raise _none(log_id)
            packed = row.packed
        return (await asyncio.to_thread(gzip.decompress, packed)).decode()


async def forget(session: AsyncSession, now: datetime) -> None:
    """Delete what nobody looks at any more."""
    await session.execute(delete(NodeLog).where(NodeLog.asked_at <= now - KEPT_FOR))


async def leave_behind(session: AsyncSession, node_ids: Iterable[str]) -> None:
    """Delete the logs of nodes that go elsewhere, and close places that wait: they are of where they were asked for."""
    for some in in_pieces(sorted(node_ids)):
        await session.execute(delete(NodeLog).where(NodeLog.node_id.in_(some)))


async def _place(session: AsyncSession, asks: Shown | None, node_id: str, log_id: str, now: datetime) -> Node:
    """Give the node for whose log the place stands open."""
    node, row = await node_of(session, asks), await session.get(NodeLog, log_id)
    if node is None or node.id != node_id or row is None or row.node_id != node_id:
        raise _none(log_id)
    if row.received_at is not None or now >= row.asked_at + LOG_WITHIN:
        raise _none(log_id)
    return node


async def _drop_older(session: AsyncSession, node_id: str) -> None:
    came = select(NodeLog.id).where(NodeLog.node_id == node_id, NodeLog.received_at.is_not(None))
    newest = list(await session.scalars(came.order_by(NodeLog.asked_at.desc(), NodeLog.id).limit(KEPT)))
    old = (NodeLog.node_id == node_id) & NodeLog.received_at.is_not(None) & NodeLog.id.not_in(newest)
    await session.execute(delete(NodeLog).where(old))


async def _readable(session: AsyncSession, actor: Actor, node_id: str) -> None:
    seen, node = await rights.sight(session, actor), await session.get(Node, node_id)
    if node is None or node.removed_at is not None or not seen.sees(node.area_id):
        raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
    await rights.require(session, actor, Act.NODES_LOG, [node.area_id])


def _none(log_id: str) -> NotFoundError:
    return NotFoundError("there is no such log", resource="logs", id=log_id[:64])
