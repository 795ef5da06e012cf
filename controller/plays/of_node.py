"""The plays of one node, the latest first; and what of ours sounds there now."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.broadcasts.models import Broadcast, BroadcastItem
from controller.clock import Clock
from controller.db import Database
from controller.errors import NotFoundError
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import HEARD
from controller.nodes.schemas import SoundsOut
from controller.paging import Found, Wanted, paged
from controller.people import rights
from controller.people.actor import Actor
from controller.search import matches
from edge_agent.protocol.states import Level, Outcome

from .models import Play
from .schemas import PlayOut
from .service import out

FAILED = (Outcome.INTERRUPTED, Outcome.MISSED, Outcome.REFUSED, Outcome.EXPIRED, Outcome.UNKNOWN)


class NodePlayOut(BaseModel):
    """A play, with what it was a play of."""

    model_config = ConfigDict(frozen=True)

    title: str
    start_at: AwareDatetime
    level: Level
    drill: str | None
    awaits_approval: bool = False
    """Nobody said yes to it yet: no node was told of it."""
    play: PlayOut


class NodePlays:
    """Reads what became of a node's plays."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes) -> None:
        self._database, self._clock, self._live = database, clock, live

    async def find(self, actor: Actor, node_id: str, wanted: Wanted) -> Found[NodePlayOut]:
        """Give one part of the plays of a node that began or were due, the latest first (``start``, downwards).

        Filter ``result``: ``played``, ``failed``, ``open``. Words are those of the title.

        Raises:
            NotFoundError: there is no such node.
        """
        now = self._clock()
        async with self._database.reading() as session:
            node = await _node(session, actor, node_id)
            virtual = (node.abilities or {}).get("output") == "virtual"
            query = (
                select(
                    Play,
                    Broadcast.title,
                    Broadcast.start_at,
                    Broadcast.level,
                    Broadcast.drill,
                    Broadcast.awaits_approval,
                )
                .join(Broadcast, Broadcast.id == Play.broadcast_id)
                .where(Play.node_id == node_id, Broadcast.superseded_at.is_(None))
            )
            query = query.where(_having(wanted, now), matches(Broadcast.search, wanted.q))
            rows, total = await paged(session, query, wanted, {"start": Broadcast.start_at}, last=Play.broadcast_id)
            path = (await read_tree(session)).path(node.area_id)
        found = tuple(
            NodePlayOut(
                title=title,
                start_at=start_at,
                level=Level(level),
                drill=drill,
                awaits_approval=awaits,
                play=out(play, node.name, node.kind, path, virtual=virtual),
            )
            for play, title, start_at, level, drill, awaits in rows
        )
        return Found(found, total)

    async def sounds(self, actor: Actor, node_id: str) -> SoundsOut | None:
        """Give the recording that a node says it plays, and where in it that is; None: nothing of ours.

        Raises:
            NotFoundError: there is no such node.
        """
        now = self._clock()
        async with self._database.reading() as session:
            node = await _node(session, actor, node_id)
            said = (self._live.over(node).health or {}).get("now_playing")
            if not said or self._live.status(node, now) not in HEARD or _instant(said["ends_at"]) <= now:
                return None
            broadcast = await session.get(Broadcast, said["broadcast_id"])
            query = select(BroadcastItem).where(
                BroadcastItem.broadcast_id == said["broadcast_id"], BroadcastItem.position == said.get("item", 0)
            )
            voices = (await session.scalars(query.order_by(BroadcastItem.voice))).all()
            if broadcast is None or not voices:
                return None
            voice = _heard(voices, (await read_tree(session)).effective(node.area_id).languages)
        if voice is None:
            return None
        at_ms = max(0, round((now - _instant(said["started_at"])).total_seconds() * 1000))
        return SoundsOut(
            broadcast_id=broadcast.id,
            title=broadcast.title,
            sha256=voice.sha256,
            language=voice.language,
            length_ms=voice.length_ms,
            at_ms=min(at_ms, voice.length_ms),
            ends_at=_instant(said["ends_at"]),
        )


def _having(wanted: Wanted, now: datetime) -> ColumnElement[bool]:
    match wanted.having.get("result", ""):
        case "played":
            return Play.outcome == Outcome.PLAYED
        case "failed":
            return Play.outcome.in_(FAILED)
        case "open":
            return Play.outcome.is_(None)
        case _:
            return or_(Play.outcome.is_not(None), Broadcast.start_at <= now)


def _heard(voices: Sequence[BroadcastItem], languages: Iterable[str]) -> BroadcastItem | None:
    """Pick the voice that a node plays of a slot: as ``protocol.content.Item.voice_for`` does."""
    by_language = {voice.language: voice for voice in reversed(voices)}
    fitting = [by_language[tag] for tag in dict.fromkeys(languages) if tag in by_language]
    choice = voices[0].choice
    if choice < len(fitting):
        return fitting[choice]
    return None if choice else voices[0]


def _instant(said: object) -> datetime:
    return said if isinstance(said, datetime) else msgspec.convert(said, datetime)


async def _node(session: AsyncSession, actor: Actor, node_id: str) -> Node:
    seen, row = await rights.sight(session, actor), await session.get(Node, node_id)
    if row is None or row.removed_at is not None or not seen.sees(row.area_id):
        raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
    return row
