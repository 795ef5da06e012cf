"""Nodes: how they stand, and what a person may change about them."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.areas.targets import require_place
from controller.audit import service as audit
from controller.broadcasts.models import Broadcast
from controller.clock import Clock
from controller.db import Database, in_pieces
from controller.errors import InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.faults.repository import Standing, acknowledged
from controller.ids import new_id
from controller.names import clean_name, in_reading_order
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight
from controller.plans.models import Document
from controller.plans.service import Documents
from controller.plays import service as plays
from edge_agent.protocol.calling import call_number
from edge_agent.protocol.topics import Word

from .live import Heard, LiveNodes
from .models import Node
from .rules import NodeKind, NodeStatus, StatusSince, status_of
from .schemas import (
    ConditionOut,
    FaultOut,
    NodeOut,
    NowPlayingOut,
    PositionIn,
    PositionOut,
    ReferenceOut,
    SelfTestOut,
    UpdateOut,
)

Versions = dict[str, dict[str, tuple[int, int]]]

LEAST_MB, MOST_MB = -6000, 1200
"""Range of ``edge_agent.protocol.fields.Millibel``."""
AT_ONCE = 200
"""Nodes read between two looks at what is urgent."""


class Nodes:
    """The nodes of all areas."""

    def __init__(self, database: Database, clock: Clock, documents: Documents, live: LiveNodes) -> None:
        self._database, self._clock, self._documents = database, clock, documents
        self.live = live
        """Where the ingest notes what nodes say."""

    async def all(self, actor: Actor) -> list[NodeOut]:
        """Give the nodes in sight, area by area in the order of the tree."""
        async with self._database.reading() as session:
            return await self._read(session, await rights.sight(session, actor))

    async def get(self, actor: Actor, node_id: str) -> NodeOut:
        """Give one node.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            return await self._one(session, await rights.sight(session, actor), node_id)

    async def some(self, actor: Actor, node_ids: Collection[str]) -> list[NodeOut]:
        """Give those of these nodes that are in sight, in the order given: a page of a list."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            found: dict[str, NodeOut] = {}
            for some in in_pieces(list(node_ids), AT_ONCE):
                found |= {node.id: node for node in await self._read(session, seen, some)}
        return [found[node_id] for node_id in node_ids if node_id in found]

    async def create(self, actor: Actor, *, kind: NodeKind, area_id: str, name: str) -> NodeOut:
        """Add a cluster without an agent. It has no key: nobody can speak in its name.

        Raises:
            InvalidError: a field is wrong.
            ForbiddenError: the person may not add nodes there.
        """
        if kind is NodeKind.AGENT:
            raise InvalidError("kind: nodes with an agent ask for themselves", field="kind", problem="unknown")
        name, now = clean_name(name), self._clock()
        async with self._database.transaction() as tx:
            tree = await require_place(tx.session, actor, Act.NODES_ADOPT, area_id)
            row = Node(
                id=new_id(),
                area_id=area_id,
                name=name,
                kind=kind,
                public_key="",
                certificate_serial="",
                certificate_expires_at=None,
                volume_mb=0,
                trim_mb=0,
                enrolled_at=now,
            )
            tx.session.add(row)
            await tx.session.flush()
            await plays.join(tx, row.id, tree.scopes(row.id, area_id), now=now)
            detail = {"name": name, "area_id": area_id, "kind": str(kind)}
            await audit.write(tx, actor, Act.NODES_ADOPT, f"nodes/{row.id}", detail, at=now, area_id=area_id)
            tx.tell(Event(Topic.NODE, row.id))
            return await self._one(tx.session, await rights.sight(tx.session, actor), row.id)

    async def change(
        self,
        actor: Actor,
        node_id: str,
        *,
        name: str | None = None,
        volume_mb: int | None = None,
        trim_mb: int | None = None,
        position: PositionIn | None = None,
    ) -> NodeOut:
        """Rename, set the volume, or say where it stands on the ground; what is None stays. Its area, a move changes.

        Raises:
            NotFoundError: there is no such node.
            InvalidError: a field is wrong.
        """
        wanted = {
            "name": None if name is None else clean_name(name),
            "volume_mb": _gain(volume_mb, "volume_mb"),
            "trim_mb": _gain(trim_mb, "trim_mb"),
        }
        changed: dict[str, Any] = {field: value for field, value in wanted.items() if value is not None}
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            row = await _row(tx.session, seen, node_id)
            await rights.require(tx.session, actor, Act.NODES_CHANGE, [row.area_id])
            at = self._clock()
            for field, value in changed.items():
                setattr(row, field, value)
            if position is not None:
                _place(row, position, actor, at)
            await tx.session.flush()
            if changed.keys() - {"name"}:
                await self._documents.touch(tx, f"nodes/{node_id}", Word.SETTINGS)
            if position is not None:
                changed["position"] = position.model_dump()
            await audit.write(tx, actor, Act.NODES_CHANGE, f"nodes/{node_id}", changed, at=at, area_id=row.area_id)
            tx.tell(Event(Topic.NODE, node_id))
            return await self._one(tx.session, seen, node_id)

    async def _one(self, session: AsyncSession, seen: Sight, node_id: str) -> NodeOut:
        found = await self._read(session, seen, [node_id], whole=True)
        if not found:
            raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
        return found[0]

    async def _read(
        self, session: AsyncSession, seen: Sight, node_ids: Sequence[str] | None = None, *, whole: bool = False
    ) -> list[NodeOut]:
        """Read nodes in sight: all, or these; ``whole``: with what is told of one alone."""
        query = select(Node).where(Node.removed_at.is_(None), seen.where(Node.area_id))
        if node_ids is not None:
            query = query.where(Node.id.in_(node_ids))
        rows: list[Node] = []
        stream = await session.stream_scalars(query.execution_options(yield_per=AT_ONCE))
        async for part in stream.partitions():
            rows += part
        tree, versions = await read_tree(session), await _versions(session, node_ids)
        unsigned = await _unsigned(session, node_ids)
        heard = {row.id: self.live.over(row) for row in rows}
        titles, looked_after = await _titles(session, heard.values()), await acknowledged(session)
        order = {place.id: index for index, place in enumerate(tree.walk())}
        now = self._clock()
        found: list[NodeOut] = []
        for count, row in enumerate(rows):
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)  # a STOP does not wait until a province has been read
            node = _out(row, heard[row.id], tree=tree, versions=versions, titles=titles, now=now)
            if whole:
                node = _with_condition(node, heard[row.id].health, titles)
            if row.kind == NodeKind.AGENT:
                told = False if node.scope in unsigned else _confirmed(heard[row.id].health, node.scope, versions)
                node = node.model_copy(update={"settings_confirmed": told})
            found.append(_with_care(node, looked_after))
        return sorted(found, key=lambda node: (order[node.area_id], in_reading_order(node.name), node.id))


async def _row(session: AsyncSession, seen: Sight, node_id: str) -> Node:
    row = await session.get(Node, node_id)
    if row is None or row.removed_at is not None or not seen.sees(row.area_id):
        raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
    return row


def _place(row: Node, position: PositionIn, actor: Actor, at: datetime) -> None:
    row.latitude, row.longitude = position.latitude, position.longitude
    row.position_accuracy_m, row.position_by, row.position_at = position.accuracy_m, actor.person_id, at


async def _unsigned(session: AsyncSession, node_ids: Sequence[str] | None) -> frozenset[str]:
    """Name the nodes (as scopes) whose settings were changed and not signed yet."""
    query = select(Document.scope).where(Document.word == Word.SETTINGS, Document.dirty_since.is_not(None))
    if node_ids is not None:
        query = query.where(Document.scope.in_([f"nodes/{node_id}" for node_id in node_ids]))
    return frozenset(await session.scalars(query))


async def _versions(session: AsyncSession, node_ids: Sequence[str] | None = None) -> Versions:
    """Give the newest signed version by scope and word: of all, or of areas and these nodes."""
    query = select(Document.scope, Document.word, Document.epoch, Document.version).where(Document.version.is_not(None))
    if node_ids is not None:
        own = Document.scope.in_([f"nodes/{node_id}" for node_id in node_ids])
        query = query.where(Document.scope.startswith("areas/") | own)
    found: Versions = {}
    for scope, word, epoch, version in await session.execute(query):
        if epoch is not None and version is not None:
            found.setdefault(scope, {})[word] = (epoch, version)
    return found


def _lacks(health: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    said: Sequence[Mapping[str, Any]] = ((health or {}).get("cache") or {}).get("lacks", ())
    return said


async def _titles(session: AsyncSession, heard: Any) -> dict[str, str]:
    named = {now["broadcast_id"] for words in heard if (now := (words.health or {}).get("now_playing"))}
    named |= {lack["broadcast_id"] for words in heard for lack in _lacks(words.health)}
    if not named:
        return {}
    rows = await session.execute(select(Broadcast.id, Broadcast.title).where(Broadcast.id.in_(named)))
    return dict(rows.all())


def up_to_date(health: Mapping[str, Any] | None, scopes: Sequence[str], versions: Versions) -> bool:
    """Say whether a node holds the newest document of every word of its scopes, bodies included."""
    held = (health or {}).get("held", {})
    for scope in scopes:
        for word, newest in versions.get(scope, {}).items():
            has = held.get(scope, {}).get(word)
            if has is None or (has["epoch"], has["version"]) < newest or not has.get("complete", True):
                return False
    return True


def _confirmed(health: Mapping[str, Any] | None, scope: str, versions: Versions) -> bool | None:
    """Say whether a node obeys its newest signed settings; None: none were signed."""
    newest = versions.get(scope, {}).get(Word.SETTINGS)
    if newest is None:
        return None
    has = (health or {}).get("held", {}).get(scope, {}).get(Word.SETTINGS)
    return has is not None and (has["epoch"], has["version"]) >= newest


def _position(row: Node) -> PositionOut | None:
    if row.latitude is None or row.longitude is None:
        return None
    return PositionOut(
        latitude=row.latitude, longitude=row.longitude, accuracy_m=row.position_accuracy_m, at=row.position_at
    )


def _out(
    row: Node, heard: Heard, *, tree: Tree, versions: Versions, titles: Mapping[str, str], now: datetime
) -> NodeOut:
    status = status_of(heard.presence, heard.presence_at, heard.last_heard_at, now)
    if row.kind != NodeKind.AGENT:
        status = StatusSince(NodeStatus.UNREPORTING, None)
    health, abilities = heard.health or {}, heard.abilities or {}
    clock = health.get("clock") or {}
    return NodeOut(
        id=row.id,
        name=row.name,
        call_number=call_number(row.id),
        kind=NodeKind(row.kind),
        area_id=row.area_id,
        area_path=tree.path(row.area_id),
        status=status.status,
        status_since=status.since_at,
        last_heard_at=heard.last_heard_at,
        leaving_reason=heard.presence_reason if heard.presence == "leaving" else None,
        now_playing=_now_playing(health.get("now_playing"), titles, now),
        held_up_to_date=up_to_date(heard.health, tree.scopes(row.id, row.area_id), versions),
        holds=tuple(health.get("holds", ())),
        clock_state=clock.get("state"),
        clock_offset_ms=clock.get("offset_ms"),
        faults=tuple(
            FaultOut(code=fault["code"], since_at=fault["since_at"], detail=fault.get("detail", ""))
            for fault in health.get("faults", ())
        ),
        best_grade=abilities.get("best_grade"),
        simulated_output=abilities.get("output") == "virtual",
        simulated_input=bool(abilities.get("input_simulated")),
        commands=tuple(abilities.get("commands", ())),
        self_test=SelfTestOut(**said) if (said := health.get("self_test")) else None,
        identified=SelfTestOut(**said) if (said := health.get("identified")) else None,
        reference=ReferenceOut(**told) if (told := health.get("reference")) is not None else None,
        software=abilities.get("software"),
        release=health.get("release", 0) if abilities.get("board") else None,
        board=abilities.get("board"),
        update=_update(health.get("update")),
        disk_free_bytes=health.get("disk_free_bytes"),
        temperature_c=health.get("temperature_c"),
        volume_mb=row.volume_mb,
        trim_mb=row.trim_mb,
        position=_position(row),
        enrolled_at=row.enrolled_at,
        certificate_expires_at=row.certificate_expires_at,
    )


def _with_care(node: NodeOut, looked_after: Standing) -> NodeOut:
    codes = looked_after.get(node.id)
    return node.model_copy(update={"looked_after": tuple(sorted(codes))}) if codes else node


def _with_condition(node: NodeOut, health: Mapping[str, Any] | None, titles: Mapping[str, str]) -> NodeOut:
    """Add what is told of one node alone."""
    if health is None:
        return node
    why = (health.get("clock") or {}).get("why")
    said = {**health, "clock_why": why}
    if cache := health.get("cache"):
        lacks = [{**lack, "title": titles.get(lack["broadcast_id"])} for lack in _lacks(health)]
        said["cache"] = {**cache, "lacks": lacks}
    return node.model_copy(update={"condition": ConditionOut.model_validate(said)})


def _now_playing(said: Mapping[str, Any] | None, titles: Mapping[str, str], now: datetime) -> NowPlayingOut | None:
    if said is None:
        return None
    found = NowPlayingOut(
        broadcast_id=said["broadcast_id"],
        title=titles.get(said["broadcast_id"]),
        started_at=said["started_at"],
        ends_at=said["ends_at"],
    )
    return found if found.ends_at > now else None  # a node that fell silent is not on air for ever


def _update(said: Mapping[str, Any] | None) -> UpdateOut | None:
    if said is None:
        return None
    words = {"release": said.get("release", 0), "version": said.get("version", ""), "reason": said.get("reason")}
    return UpdateOut(state=said["state"], **words)


def _gain(millibels: int | None, field: str) -> int | None:
    if millibels is not None and not LEAST_MB <= millibels <= MOST_MB:
        raise InvalidError(f"{field}: {LEAST_MB} to {MOST_MB}", field=field, problem="range")
    return millibels
