"""Rollouts in SQL: their rows laid beside what nodes say."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.db import in_pieces
from controller.nodes.live import Heard, LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import NodeStatus
from controller.people.rights import Sight
from edge_agent.protocol.documents import CommandAction
from edge_agent.protocol.states import Level
from edge_agent.protocol.updates import UpdateReport

from .models import Release, Rollout, RolloutNode
from .rules import OPEN, SETTLED, Course, Member, State

EMERGENCY_AHEAD = timedelta(minutes=10)
"""As far ahead of what is to sound a node begins with nothing else (issue 4)."""

READ_AT_ONCE = 100
"""Nodes read between two looks at what is urgent."""

Bundles = Mapping[tuple[str, str], Release]
"""Of one release, by board and Python."""


async def bundles_of(session: AsyncSession, release: int) -> dict[tuple[str, str], Release]:
    """Give the bundles of a release."""
    rows = await session.scalars(select(Release).where(Release.release == release))
    return {(row.board, row.python): row for row in rows}


def bundle_for(heard: Heard, bundles: Bundles) -> Release | None:
    """Give the bundle that a node can take; None: it takes no updates, or there is none for it."""
    said = heard.abilities or {}
    if CommandAction.UPDATE.value not in said.get("commands", ()):
        return None
    return bundles.get((str(said.get("board")), str(said.get("python"))))


def report_of(heard: Heard) -> UpdateReport | None:
    """Give what became of the last release that a node was told to take, as it says."""
    said = (heard.health or {}).get("update")
    return msgspec.convert(said, UpdateReport) if said else None


def course_of(row: Rollout) -> Course:
    """Give what the rules need of a rollout."""
    return Course(
        release=row.release,
        total=row.total,
        waves=tuple(row.waves),
        soak=timedelta(seconds=row.soak_s),
        error_percent=row.error_percent,
        wave=row.wave,
        wave_since_at=row.wave_since_at,
        expires_at=row.expires_at,
    )


class Look:
    """What is known of nodes at one moment."""

    def __init__(self, live: LiveNodes, now: datetime, bundles: Bundles, spared: frozenset[str]) -> None:
        self._live, self._now, self._bundles, self._spared = live, now, bundles, spared

    def member(self, row: RolloutNode, node: Node) -> Member:
        """Lay a node's words beside its row."""
        heard = self._live.over(node)
        return Member(
            node_id=row.node_id,
            state=State(row.state),
            state_at=row.state_at,
            wave=row.wave,
            sent_at=row.sent_at,
            commands=tuple(row.commands),
            heard_at=heard.last_heard_at,
            online=self.status(node) in {NodeStatus.ONLINE, NodeStatus.LATE},
            left_for_update=heard.presence == "leaving" and heard.presence_reason == "update",
            able=bundle_for(heard, self._bundles) is not None,
            spared=node.id in self._spared,
            gone=node.removed_at is not None,
            running=int((heard.health or {}).get("release", 0)),
            report=report_of(heard),
            unbelieved=row.unbelieved,
        )

    def status(self, node: Node) -> NodeStatus:
        """Say whether a node is heard from."""
        return self._live.status(node, self._now)


async def rows_of(
    session: AsyncSession, rollout_id: str, seen: Sight | None = None, *, settled: bool = True
) -> Sequence[tuple[RolloutNode, Node]]:
    """Give the nodes of a rollout with their rows, those in sight or all; without those that are settled if wanted."""
    query = (
        select(RolloutNode, Node)
        .join(Node, Node.id == RolloutNode.node_id)
        .where(RolloutNode.rollout_id == rollout_id)
        .order_by(RolloutNode.node_id)
    )
    if seen is not None:
        query = query.where(seen.where(Node.area_id))
    if not settled:
        query = query.where(RolloutNode.state.not_in(SETTLED - {State.LOST}))
    found: list[tuple[RolloutNode, Node]] = []
    stream = await session.stream(query.execution_options(yield_per=READ_AT_ONCE))
    async for part in stream.partitions():
        found += [(row, node) for row, node in part]
        await asyncio.sleep(0)  # a STOP does not wait until a province has been read
    return found


async def settled_of(session: AsyncSession, rollout_id: str) -> list[Member]:
    """Give the nodes of which nothing more is expected; what they say now does not matter."""
    columns = (RolloutNode.node_id, RolloutNode.state, RolloutNode.state_at, RolloutNode.wave)
    query = select(*columns).where(RolloutNode.rollout_id == rollout_id)
    rows = await session.execute(query.where(RolloutNode.state.in_(SETTLED - {State.LOST})))
    return [Member(node_id, State(state), at, wave) for node_id, state, at, wave in rows]


def in_sight(seen: Sight) -> ColumnElement[bool]:
    """Give the condition under which a rollout is seen: it is for a node in sight."""
    of_node = (RolloutNode.rollout_id == Rollout.id) & (Node.id == RolloutNode.node_id)
    return select(RolloutNode.node_id).where(of_node, seen.where(Node.area_id)).exists()


async def running_on(session: AsyncSession, live: LiveNodes, node_ids: Sequence[str]) -> dict[str, int]:
    """Give the releases that nodes say that they run; those of which nothing is known are left out."""
    heard = {node_id: health for node_id in node_ids if (health := live.health(node_id)) is not None}
    for some in in_pieces([node_id for node_id in node_ids if node_id not in heard]):
        rows = await session.execute(select(Node.id, Node.health).where(Node.id.in_(some), Node.health.is_not(None)))
        heard |= {node_id: health for node_id, health in rows if health}
        await asyncio.sleep(0)
    return {node_id: int(health.get("release", 0)) for node_id, health in heard.items()}


async def busy_elsewhere(session: AsyncSession, node_ids: Iterable[str]) -> dict[str, str]:
    """Give the nodes that are in a rollout that is not over, with its id."""
    wanted = frozenset(node_ids)
    query = (
        select(RolloutNode.node_id, RolloutNode.rollout_id)
        .join(Rollout, Rollout.id == RolloutNode.rollout_id)
        .where(Rollout.state.in_(OPEN), RolloutNode.state.not_in(SETTLED))
    )
    return {node_id: rollout_id for node_id, rollout_id in await session.execute(query) if node_id in wanted}


async def spared(session: AsyncSession, now: datetime, nodes: Iterable[Node]) -> frozenset[str]:
    """Name the nodes for which an emergency sounds, or is to sound soon."""
    query = (
        select(BroadcastTarget.scope)
        .join(Broadcast, Broadcast.id == BroadcastTarget.broadcast_id)
        .where(Broadcast.level == Level.EMERGENCY, Broadcast.latest_end_at > now)
        .where(Broadcast.start_at <= now + EMERGENCY_AHEAD)
        .where(
            Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None), Broadcast.awaits_approval.is_(False)
        )
    )
    scopes = frozenset(await session.scalars(query))
    if not scopes:
        return frozenset()
    tree: Tree = await read_tree(session)
    return frozenset(node.id for node in nodes if scopes.intersection(tree.scopes(node.id, node.area_id)))
