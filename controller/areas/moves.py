"""Moves: communes merge, hamlets change hands. One operation, shown before it is done; ids, history and rights stay."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit import service as audit
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.clock import Clock
from controller.db import Database, Transaction, in_pieces
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.holds.models import Hold
from controller.holds.reach import obeyed_by
from controller.nodes import logs
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Grant, Person
from controller.people.rights import Act, Sight
from controller.plans.service import Documents
from controller.plays import service as plays
from controller.schedules.models import Schedule
from edge_agent.protocol.topics import Word

from .handing import hand_over, owned
from .models import Area
from .move_schemas import MoveIn, MoveOut, MoveSeenIn
from .moving import Granted, Move, Said, Stands, moved_to
from .repository import read_tree
from .rules import Tree
from .standing import stands
from .targets import scope_name


class Moves:
    """Moves areas and nodes within the tree."""

    def __init__(self, database: Database, clock: Clock, documents: Documents, live: LiveNodes) -> None:
        self._database, self._clock, self._documents, self._live = database, clock, documents, live

    async def preview(self, actor: Actor, area_id: str, wanted: MoveIn) -> MoveOut:
        """Say what a move into an area would change; saves nothing.

        Raises:
            NotFoundError: there is no such area.
            InvalidError: what is to move is not there, or cannot lie there.
            ForbiddenError: the person may not move things there, or away from where they stand.
        """
        async with self._database.reading() as session:
            return await self._describe(session, await _planned(session, actor, area_id, wanted))

    async def move(self, actor: Actor, area_id: str, wanted: MoveSeenIn) -> MoveOut:
        """Move areas and nodes into an area. Nodes keep their plan until they hold the new one.

        Raises:
            NotFoundError: there is no such area.
            InvalidError: what is to move is not there, or cannot lie there.
            ForbiddenError: the person may not move things there, or away from where they stand.
            ConflictError: what it would change is no longer what was seen.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            planned = await _planned(tx.session, actor, area_id, wanted)
            shown = await self._describe(tx.session, planned)
            if shown.sha256 != wanted.seen_sha256:
                raise ConflictError("what this would change is not what you saw; look again", problem="look_again")
            await _write(tx, planned)
            await self._follow(tx, planned, now)
            await hand_over(tx, planned, now)
            where = planned.before.meeting(planned.touched())
            detail = {"moved": dict(moved_to(planned)), "nodes": len(planned.nodes)}
            await audit.write(tx, actor, Act.AREAS_MOVE, f"areas/{area_id}", detail, at=now, area_id=where)
            for key in (area_id, *planned.areas):
                tx.tell(Event(Topic.AREA, key))
            for node in planned.alone:
                tx.tell(Event(Topic.NODE, node.id))
        return shown

    async def _follow(self, tx: Transaction, move: Move, now: datetime) -> None:
        """Have nodes that stand elsewhere in the tree told so; their plays follow."""
        for node in move.nodes:
            await self._documents.touch(tx, f"nodes/{node.id}", Word.SETTINGS)
            await self._documents.touch(tx, f"nodes/{node.id}", Word.HOLD)  # names what its old areas released
            scopes = move.after.scopes(node.id, move.area_after(node))
            await plays.leave(tx, node.id, scopes, now=now)
            await plays.join(tx, node.id, scopes, now=now)
        await logs.leave_behind(tx.session, [node.id for node in move.nodes])

    async def _describe(self, session: AsyncSession, move: Move) -> MoveOut:
        now = self._clock()
        obeyed = await obeyed_by(session, self._live, [node.id for node in move.nodes])
        found = MoveOut(
            into=move.after.path(move.into),
            moved=tuple(move.moved()),
            node_count=len(move.nodes),
            rules=tuple(move.rules()),
            heard=tuple(move.heard(await _said(session, move.before, obeyed, now))),
            handed_over=tuple(move.hands(await owned(session, now))),
            grants=tuple(move.grants(await _granted(session))),
            sha256="",
        )
        return found.model_copy(update={"sha256": hashlib.sha256(found.model_dump_json().encode()).hexdigest()})


async def _planned(session: AsyncSession, actor: Actor, area_id: str, wanted: MoveIn) -> Move:
    """Check a move against the rows, and that the person may."""
    seen = await rights.sight(session, actor)
    if not seen.knows(area_id) or not await stands(session, area_id):
        raise NotFoundError("there is no such area", resource="areas", id=area_id[:64])
    await rights.require(session, actor, Act.AREAS_MOVE, [area_id])
    tree, nodes = await read_tree(session), await _nodes(session)
    _check_seen(seen, tree, nodes, wanted)
    move = Move(tree, nodes.values(), area_id, wanted.areas, wanted.nodes)
    await rights.require(session, actor, Act.AREAS_MOVE, [*move.touched(), *([None] if move.takes_a_root else ())])
    return move


def _check_seen(seen: Sight, tree: Tree, nodes: dict[str, Stands], wanted: MoveIn) -> None:
    for area_id in wanted.areas:
        if not tree.stands(area_id) or not seen.sees(area_id):
            raise InvalidError("areas: there is no such area", field="areas", problem="unknown")
    for node_id in wanted.nodes:
        if node_id not in nodes or not seen.sees(nodes[node_id].area_id):
            raise InvalidError("nodes: there is no such node", field="nodes", problem="unknown")


async def _nodes(session: AsyncSession) -> dict[str, Stands]:
    query = select(Node.id, Node.name, Node.area_id).where(Node.removed_at.is_(None)).order_by(Node.id)
    return {row.id: Stands(*row) for row in await session.execute(query)}


async def _said(session: AsyncSession, tree: Tree, obeyed: Mapping[str, Collection[str]], now: datetime) -> list[Said]:
    """Read all that will be heard and all silence that was ordered, with whom it reaches; ``obeyed``: by node."""
    coming = (
        select(Broadcast.id, Broadcast.title, Broadcast.start_at, BroadcastTarget.scope)
        .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None), Broadcast.latest_start_at > now)
        .order_by(Broadcast.start_at, Broadcast.id)
    )
    broadcasts: dict[str, Said] = {}
    for key, title, at, scope in await session.execute(coming):
        known = broadcasts.get(key) or Said("broadcast", key, title, at, frozenset())
        broadcasts[key] = known._replace(scopes=known.scopes | {scope})
    schedules = await session.scalars(select(Schedule).where(Schedule.ended_at.is_(None)).order_by(Schedule.id))
    holds = await session.scalars(select(Hold).where(Hold.released_at.is_(None)).order_by(Hold.ordered_at, Hold.id))
    return [
        *broadcasts.values(),
        *(Said("schedule", row.id, row.title, None, frozenset(row.scopes)) for row in schedules),
        *(
            Said(
                "hold",
                row.id,
                scope_name(row.scope, tree, {}),
                row.ordered_at,
                frozenset() if row.is_found else frozenset([row.scope]),
                frozenset(node_id for node_id, kept in obeyed.items() if row.wire_id in kept),
            )
            for row in holds
        ),
    ]


async def _granted(session: AsyncSession) -> list[Granted]:
    query = (
        select(Person.id, Person.name, Grant.role, Grant.area_id)
        .join(Grant, Grant.person_id == Person.id)
        .where(Person.disabled_at.is_(None), Grant.area_id.is_not(None))
        .order_by(Person.name, Person.id, Grant.id)
    )
    rows = await session.execute(query)
    return [Granted(key, name, role, area_id) for key, name, role, area_id in rows if area_id is not None]


async def _write(tx: Transaction, move: Move) -> None:
    for some in in_pieces(move.areas):
        await tx.session.execute(update(Area).where(Area.id.in_(some)).values(parent_id=move.into))
    for some in in_pieces([node.id for node in move.alone]):
        await tx.session.execute(update(Node).where(Node.id.in_(some)).values(area_id=move.into))
    await tx.session.flush()
