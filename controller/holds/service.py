"""Holds: STOP and its release. One person, one click, any scope."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.areas.targets import areas_of, check_scopes, scope_name
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, NotFoundError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.nodes.live import Contact, LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import NodeKind, NodeStatus, status_of
from controller.people import rights
from controller.people.actor import Actor
from controller.people.repository import names_of
from controller.people.rights import Act, Sight
from controller.plans.service import Documents
from edge_agent.protocol.topics import Word

from .models import Hold
from .reach import Reach, reaching
from .schemas import HoldOut, NotYetOut

LETTING_GO = timedelta(minutes=10)
"""So long after its release it is told who has not obeyed that; a node out of reach is told by other means."""
AT_ONCE = 200
"""Nodes between two looks at what is urgent: some 3 ms."""

# Below the ORM, and of a report only the holds, cut out by the database: all of it takes ten times as long.
_NODES = (
    select(
        Node.id,
        Node.name,
        Node.area_id,
        Node.kind,
        *(Node.__table__.c[name] for name in Contact._fields),
        Node.health.is_not(None),
        Node.health["holds"],
    )
    .where(Node.removed_at.is_(None))
    .order_by(Node.id)
)


class _Standing(NamedTuple):
    """How a node stands to holds."""

    id: str
    name: str
    area_id: str
    status: NodeStatus
    reported: bool
    obeyed: tuple[str, ...]
    """Holds that silence it, as it says."""


class FoundHold(NamedTuple):
    """A hold, and in which area it is."""

    hold: Hold
    area_id: str


class Holds:
    """Silence ordered, until released."""

    def __init__(self, database: Database, clock: Clock, documents: Documents, live: LiveNodes) -> None:
        self._database, self._clock, self._documents, self._live = database, clock, documents, live

    async def order(self, actor: Actor, scopes: Sequence[str]) -> list[HoldOut]:
        """Silence every node at or under the scopes. A scope that is held already keeps its hold.

        Raises:
            InvalidError: no scope, or one that is not there.
        """
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            checked = await check_scopes(tx.session, await read_tree(tx.session), scopes, seen)
            await rights.require(tx.session, actor, Act.HOLDS_ORDER, set(checked.values()))
            # Documents before audit, as everywhere, so that no two wait crosswise; and before the look at what is
            # held, so that of two clicks at once the second one sees the first.
            for scope in sorted(checked):
                await self._documents.touch(tx, scope, Word.HOLD)
            held = {hold.scope: hold for hold in await _active(tx.session) if not hold.is_found}
            holds = [
                held.get(scope) or await self._add(tx, actor, scope, area_id) for scope, area_id in checked.items()
            ]
        async with self._database.reading() as session:  # after the commit: the order is on its way while we look
            return await self._out(session, holds, actor, seen)

    async def release(self, actor: Actor, hold_id: str) -> HoldOut:
        """Let the nodes of a hold sound again, unless another hold keeps them.

        Raises:
            NotFoundError: there is no such hold.
            ForbiddenError: no role of the person allows its release where it was ordered: nobody elsewhere ends it.
            ConflictError: it is released already.
        """
        async with self._database.transaction() as tx:
            found = await self.find(tx, actor, hold_id)
            if found.hold.released_at is not None:
                raise ConflictError("this hold is released already", problem="released")
            await self.let_go(tx, [found], by=actor.person_id)
            await self.note_released(tx, actor, [found])
        return await self.get(actor, hold_id)

    async def find(self, tx: Transaction, actor: Actor, hold_id: str) -> FoundHold:
        """Give a hold to be released by somebody who may, released already or not.

        Raises:
            NotFoundError: there is no such hold.
            ForbiddenError: no role of the person allows its release.
        """
        hold = await tx.session.get(Hold, hold_id, with_for_update=True)
        area_id = await self._known_area(tx.session, hold, await rights.sight(tx.session, actor))
        if hold is None or area_id is None:
            raise NotFoundError("there is no such hold", resource="holds", id=hold_id[:64])
        await rights.require(tx.session, actor, Act.HOLDS_RELEASE, [area_id])
        return FoundHold(hold, area_id)

    async def let_go(self, tx: Transaction, found: Sequence[FoundHold], *, by: str | None) -> None:
        """Release holds within somebody's transaction, and mark their documents; ``note_released`` writes the audit."""
        now, moved = self._clock(), set[str]()
        for hold, _ in found:
            hold.released_at, hold.released_by = now, by
        await tx.session.flush()
        tree, nodes = await read_tree(tx.session), await self._standing(tx.session) if found else []
        for hold, _ in found:
            if hold.is_found:
                told = {node.id for node in nodes if node.id in (hold.nodes or ()) or hold.wire_id in node.obeyed}
                named, hold.nodes = hold.nodes or [], await _let_go(tx.session, hold, nodes, tree)
                moved |= {f"nodes/{node_id}" for node_id in told.intersection((*named, *hold.nodes))}
                continue
            obeying = [node for node in _concerned(hold, nodes, tree) if hold.wire_id in node.obeyed]
            away = [node for node in obeying if hold.scope not in tree.scopes(node.id, node.area_id)]
            moved |= {hold.scope, *(f"nodes/{node.id}" for node in away)}
        for scope in sorted(moved):
            await self._documents.touch(tx, scope, Word.HOLD)

    async def note_released(self, tx: Transaction, actor: Actor, found: Sequence[FoundHold]) -> None:
        """Write the audit of released holds, after all documents are marked, and tell whoever looks."""
        for hold, area_id in found:
            detail, at = {"scope": hold.scope}, hold.released_at or self._clock()
            await audit.write(tx, actor, Act.HOLDS_RELEASE, f"holds/{hold.id}", detail, at=at, area_id=area_id)
            tx.tell(Event(Topic.HOLD, hold.id))

    async def active(self, actor: Actor) -> list[HoldOut]:
        """Give the holds that are not released and reach into what is in sight, oldest first.

        Among them those ordered elsewhere that a node obeys which was moved here.
        """
        async with self._database.reading() as session:
            seen, holds = await rights.sight(session, actor), await _active(session)
            shown = await reaching(session, self._live, seen, holds)
            return await self._out(session, [hold for hold in holds if hold.id in shown], actor, seen)

    async def letting_go(self, actor: Actor) -> list[HoldOut]:
        """Give the holds released within ``LETTING_GO`` that some node in sight still obeys, oldest first."""
        since = self._clock() - LETTING_GO
        query = select(Hold).where(Hold.released_at > since).order_by(Hold.released_at, Hold.id)
        async with self._database.reading() as session:
            seen, holds = await rights.sight(session, actor), list(await session.scalars(query))
            shown = await reaching(session, self._live, seen, holds) if holds else frozenset()
            found = await self._out(session, [hold for hold in holds if hold.id in shown], actor, seen)
            return [each for each in found if any(node.status is not NodeStatus.NEVER_SEEN for node in each.not_yet)]

    async def get(self, actor: Actor, hold_id: str) -> HoldOut:
        """Give one hold, released or not.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            hold = await session.get(Hold, hold_id)
            if hold is None or await self._known_area(session, hold, seen) is None:
                raise NotFoundError("there is no such hold", resource="holds", id=hold_id[:64])
            return (await self._out(session, [hold], actor, seen))[0]

    async def _known_area(self, session: AsyncSession, hold: Hold | None, seen: Sight) -> str | None:
        """Give the area of a hold that reaches into what is in sight."""
        if hold is None or not await reaching(session, self._live, seen, [hold]):
            return None
        return (await areas_of(session, [hold.scope], removed=True)).get(hold.scope)

    async def _add(self, tx: Transaction, actor: Actor, scope: str, area_id: str) -> Hold:
        now = self._clock()
        hold = Hold(id=new_id(), scope=scope, ordered_by=actor.person_id, ordered_at=now)
        tx.session.add(hold)
        await tx.session.flush()
        await audit.write(tx, actor, Act.HOLDS_ORDER, f"holds/{hold.id}", {"scope": scope}, at=now, area_id=area_id)
        tx.tell(Event(Topic.HOLD, hold.id))
        return hold

    async def _out(self, session: AsyncSession, holds: Sequence[Hold], actor: Actor, seen: Sight) -> list[HoldOut]:
        """Show holds with the nodes in sight: of one ordered above, those of other places are left out."""
        if not holds:
            return []
        tree, nodes = await read_tree(session), await self._standing(session)
        nodes = [node for node in nodes if seen.sees(node.area_id)]
        people = await names_of(session, (hold.ordered_by for hold in holds if hold.ordered_by is not None))
        by = {hold.id: people.get(hold.ordered_by or "", "") for hold in holds}
        places = await areas_of(session, {hold.scope for hold in holds}, removed=True)
        may = await rights.reach(session, actor, Act.HOLDS_RELEASE)
        return [
            _out(hold, _concerned(hold, nodes, tree), tree, by[hold.id], may_release=may.sees(places.get(hold.scope)))
            for hold in holds
        ]

    async def _standing(self, session: AsyncSession) -> list[_Standing]:
        """Say how every node stands to holds. Part by part: a STOP of somebody else is not to wait for it."""
        now, found = self._clock(), []
        result = await session.stream(_NODES)
        async for part in result.partitions(AT_ONCE):
            for node_id, name, area_id, kind, *link, reported, obeyed in part:
                heard = self._live.health(node_id)
                at = self._live.fresher(node_id, Contact(*link))
                status = status_of(at.presence, at.presence_at, at.last_heard_at, now).status
                if kind != NodeKind.AGENT:
                    status = NodeStatus.UNREPORTING
                obeys = tuple((obeyed if heard is None else heard.get("holds")) or ())
                found.append(_Standing(node_id, name, area_id, status, reported or heard is not None, obeys))
        return found


def _concerned(hold: Hold, nodes: Sequence[_Standing], tree: Tree) -> list[_Standing]:
    """Pick the nodes of its scope, and those that obey it wherever they stand now."""
    reach = Reach(tree, hold)
    return [node for node in nodes if reach.takes(node.id, node.area_id, node.obeyed)]


async def _let_go(session: AsyncSession, hold: Hold, nodes: Sequence[_Standing], tree: Tree) -> list[str]:
    """Name whom the release of found silence is for: all who stand there and whom no other row keeps silent."""
    same = (Hold.wire_id == hold.wire_id) & Hold.released_at.is_(None) & (Hold.id != hold.id)
    kept = {node_id for other in await session.scalars(select(Hold).where(same)) for node_id in other.nodes or ()}
    reach = Reach(tree, hold)
    return sorted(node.id for node in nodes if node.id not in kept and reach.covers(node.id, node.area_id))


def _out(hold: Hold, concerned: Sequence[_Standing], tree: Tree, ordered_by: str, *, may_release: bool) -> HoldOut:
    active = hold.released_at is None
    nodes = [node for node in concerned if node.status is not NodeStatus.UNREPORTING]
    waiting = [node for node in nodes if not node.reported or (hold.wire_id in node.obeyed) is not active]
    return HoldOut(
        id=hold.id,
        scope=hold.scope,
        scope_name=scope_name(hold.scope, tree, {node.id: node.name for node in concerned}),
        ordered_at=hold.ordered_at,
        ordered_by=ordered_by,
        wire_id=hold.wire_id,
        found=hold.is_found,
        released_at=hold.released_at,
        may_release=may_release,
        node_count=len(nodes),
        unreporting_count=len(concerned) - len(nodes),
        confirmed_count=len(nodes) - len(waiting),
        not_yet=tuple(NotYetOut(node_id=node.id, name=node.name, status=node.status) for node in waiting),
    )


async def _active(session: AsyncSession) -> list[Hold]:
    query = select(Hold).where(Hold.released_at.is_(None)).order_by(Hold.ordered_at, Hold.id)
    return list(await session.scalars(query))
