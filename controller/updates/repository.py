"""Rollouts in SQL: their rows laid beside what nodes say."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.db import in_pieces
from controller.nodes.live import Contact, LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import HEARD, NodeStatus, status_of
from controller.people.rights import EVERYTHING, Sight
from edge_agent.protocol.documents import CommandAction
from edge_agent.protocol.states import Level
from edge_agent.protocol.updates import UpdateReport

from .models import Release, Rollout, RolloutNode
from .states import OPEN, SETTLED, Course, Member, State

EMERGENCY_AHEAD = timedelta(minutes=10)
"""As far ahead of what is to sound a node begins with nothing else (issue 4)."""

READ_AT_ONCE = 200
"""Nodes read between two looks at what is urgent."""

Bundles = Mapping[tuple[str, str], Release]
"""Of one release, by board and Python."""
_Said = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]
"""Abilities and health."""
_NOTHING: _Said = (None, None)
_OVER = SETTLED - {State.LOST}
"""Who is lost may still say how it ended."""


async def bundles_of(session: AsyncSession, release: int) -> dict[tuple[str, str], Release]:
    """Give the bundles of a release."""
    rows = await session.scalars(select(Release).where(Release.release == release))
    return {(row.board, row.python): row for row in rows}


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


class Known(NamedTuple):
    """A node of a rollout as its rows have it. Plain values: thousands of objects would be in everybody's way."""

    node_id: str
    name: str
    area_id: str
    kind: str
    removed_at: datetime | None
    presence: str | None
    presence_at: datetime | None
    presence_reason: str | None
    last_heard_at: datetime | None
    state: str
    state_at: datetime
    reason: str | None
    wave: int | None
    sent_at: datetime | None
    commands: list[str]
    unbelieved: str | None


_COLUMNS = (
    *(Node.id, Node.name, Node.area_id, Node.kind, Node.removed_at),
    *(Node.presence, Node.presence_at, Node.presence_reason, Node.last_heard_at),
    *(RolloutNode.state, RolloutNode.state_at, RolloutNode.reason, RolloutNode.wave),
    *(RolloutNode.sent_at, RolloutNode.commands, RolloutNode.unbelieved),
)


class Nodes:
    """The nodes of one rollout at one moment: their rows, and what they say."""

    def __init__(self, session: AsyncSession, live: LiveNodes, now: datetime, bundles: Bundles) -> None:
        self._session, self._live, self._now, self._bundles = session, live, now, bundles
        self._emergencies: frozenset[str] = frozenset()
        self._tree: Tree | None = None
        self.tokens: dict[str, str] = {}
        """By node: what it would be sent; those that can take nothing are left out."""

    async def look_for_emergencies(self) -> None:
        """Find out which nodes have something more important to do now, or soon."""
        self._emergencies = await _emergencies(self._session, self._now)
        self._tree = await read_tree(self._session) if self._emergencies else None

    async def read(
        self, rollout_id: str, seen: Sight = EVERYTHING, *, settled: bool = True, soaking: int | None = None
    ) -> AsyncIterator[list[tuple[Known, Member]]]:
        """Give those in sight, some at a time; without those of which nothing more is expected if wanted.

        ``soaking`` names a wave whose good ones are looked at all the same.
        """
        of_rollout = RolloutNode.rollout_id == rollout_id
        query = select(*_COLUMNS).join(Node, Node.id == RolloutNode.node_id).where(of_rollout, seen.where(Node.area_id))
        if not settled:
            query = query.where(~_is_over(soaking))
        query, last = query.order_by(RolloutNode.node_id).limit(READ_AT_ONCE), ""
        while True:
            rows = [Known._make(row) for row in await self._session.execute(query.where(RolloutNode.node_id > last))]
            if not rows:
                return
            written = await self._written([each.node_id for each in rows])
            yield [(each, self._member(each, written.get(each.node_id, _NOTHING))) for each in rows]
            last = rows[-1].node_id

    async def _written(self, node_ids: Sequence[str]) -> dict[str, _Said]:
        """Read from rows what nodes said that were not heard since the start."""
        heard = {node_id: self._live.heard(node_id) for node_id in node_ids}
        lacking = [each for each in node_ids if heard[each].health is None or heard[each].abilities is None]
        query = select(Node.id, Node.abilities, Node.health).where(Node.id.in_(lacking))
        rows = await self._session.execute(query) if lacking else ()
        return {node_id: (abilities, health) for node_id, abilities, health in rows}

    def status(self, known: Known) -> NodeStatus:
        """Say whether a node is heard from."""
        contact = self._contact(known)
        return status_of(contact.presence, contact.presence_at, contact.last_heard_at, self._now).status

    def _contact(self, known: Known) -> Contact:
        written = Contact(known.presence, known.presence_at, known.presence_reason, known.last_heard_at)
        return self._live.fresher(known.node_id, written)

    def _member(self, known: Known, written: _Said) -> Member:
        """Lay a node's words beside its row."""
        contact, heard = self._contact(known), self._live.heard(known.node_id)
        abilities = heard.abilities if heard.abilities is not None else written[0]
        health = (heard.health if heard.health is not None else written[1]) or {}
        bundle = bundle_for(abilities or {}, self._bundles)
        if bundle is not None:
            self.tokens[known.node_id] = bundle.token
        return Member(
            node_id=known.node_id,
            state=State(known.state),
            state_at=known.state_at,
            wave=known.wave,
            sent_at=known.sent_at,
            commands=tuple(known.commands),
            heard_at=contact.last_heard_at,
            online=self.status(known) in HEARD,
            left_for_update=contact.presence == "leaving" and contact.presence_reason == "update",
            able=bundle is not None,
            spared=self._is_spared(known),
            gone=known.removed_at is not None,
            running=int(health.get("release", 0)),
            report=msgspec.convert(said, UpdateReport) if (said := health.get("update")) else None,
            unbelieved=known.unbelieved,
        )

    def _is_spared(self, known: Known) -> bool:
        if self._tree is None:
            return False
        return not self._emergencies.isdisjoint(self._tree.scopes(known.node_id, known.area_id))


def bundle_for(abilities: Mapping[str, Any], bundles: Bundles) -> Release | None:
    """Give the bundle that a node can take; None: it takes no updates, or there is none for it."""
    if CommandAction.UPDATE.value not in abilities.get("commands", ()):
        return None
    return bundles.get((str(abilities.get("board")), str(abilities.get("python"))))


def soaking_in(course: Course) -> int | None:
    """Name the wave whose good nodes have to stay so before the next may begin; None: there is no next."""
    return course.wave if course.wave + 1 < len(course.waves) else None


def _is_over(soaking: int | None) -> ColumnElement[bool]:
    over = RolloutNode.state.in_(_OVER)
    if soaking is None:
        return over
    # A row without a wave compares to neither.
    return over & ~((RolloutNode.state == State.GOOD) & (func.coalesce(RolloutNode.wave, -1) == soaking))


async def settled_of(session: AsyncSession, rollout_id: str, soaking: int | None = None) -> list[Member]:
    """Give the nodes of which nothing more is expected; what they say now does not matter."""
    columns = (RolloutNode.node_id, RolloutNode.state, RolloutNode.state_at, RolloutNode.wave)
    query = select(*columns).where(RolloutNode.rollout_id == rollout_id)
    rows = await session.execute(query.where(_is_over(soaking)))
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


async def _emergencies(session: AsyncSession, now: datetime) -> frozenset[str]:
    """Give the scopes in which an emergency sounds, or is to sound soon."""
    query = (
        select(BroadcastTarget.scope)
        .join(Broadcast, Broadcast.id == BroadcastTarget.broadcast_id)
        .where(Broadcast.level == Level.EMERGENCY, Broadcast.latest_end_at > now)
        .where(Broadcast.start_at <= now + EMERGENCY_AHEAD)
        .where(
            Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None), Broadcast.awaits_approval.is_(False)
        )
    )
    return frozenset(await session.scalars(query))
