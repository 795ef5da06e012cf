"""Broadcasts that there are, as those see them in whose sight they are: one, some, a day, and their plays."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in, read_tree
from controller.clock import Clock
from controller.db import Database, in_pieces
from controller.errors import NotFoundError
from controller.holds.over import Over, holds_over, is_any_held
from controller.nodes.live import LiveNodes
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Sight
from controller.plays import service as plays
from controller.plays.grouped import grouped
from controller.plays.not_well import not_well
from controller.plays.schemas import PlayedNotOut, PlayGroupsOut, PlayOut
from controller.plays.unconfirmed import Watch, with_doubts

from .around import day_of, ids_around, ids_due
from .models import Broadcast, BroadcastTarget
from .repository import in_sight, is_left_behind, is_seen, outs, sounds_in
from .rules import ENDED, Phase
from .schemas import BroadcastOut, as_on_the_wire

NotWell = dict[str, list[PlayedNotOut]]
"""By broadcast."""


class KnownBroadcasts:
    """What there is to read of broadcasts; changes nothing."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes) -> None:
        self._database, self._clock, self._live = database, clock, live

    async def get(self, actor: Actor, broadcast_id: str) -> BroadcastOut:
        """Give one broadcast.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            return await self._one(session, await rights.sight(session, actor), broadcast_id)

    async def some(self, actor: Actor, ids: Collection[str]) -> dict[str, BroadcastOut]:
        """Give those of these that are in sight, by id."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            watch, found = Watch(self._live, seen, self._now()), []
            for piece in in_pieces(sorted(ids)):
                found += await outs(session, select(Broadcast).where(Broadcast.id.in_(piece), in_sight(seen)), watch)
        return {each.id: each for each in found}

    async def plays(self, actor: Actor, broadcast_id: str) -> list[PlayOut]:
        """Give what became of it at each node in sight, area by area.

        Raises:
            NotFoundError: there is no such broadcast.
        """
        async with self._database.reading() as session:
            seen, row = await _in_sight(session, actor, broadcast_id)
            found = await plays.of_broadcast(session, broadcast_id, seen)
            return await with_doubts(session, self._live, row, found, now=self._now())

    async def play_groups(
        self, actor: Actor, broadcast_id: str, *, most: int, silent: Collection[str] = ()
    ) -> PlayGroupsOut:
        """Give how many plays became what, and ``most`` of each; of ``silent`` nodes, which have not done their part.

        Raises:
            NotFoundError: there is no such broadcast.
        """
        async with self._database.reading() as session:
            seen, row = await _in_sight(session, actor, broadcast_id)
            found = await grouped(session, broadcast_id, seen, most=most, silent=silent)
            first = await with_doubts(session, self._live, row, found.first, now=self._now())
            return found.model_copy(update={"first": tuple(first)})

    async def not_well(self, actor: Actor, ids: Collection[str], *, area_id: str | None = None, most: int) -> NotWell:
        """Give, by broadcast, where in sight it did not sound as it should, and why; ``most`` of each reason are named.

        Raises:
            NotFoundError: there is no such area in sight.
        """
        async with self._database.reading() as session:
            seen = await rights.within(session, await rights.sight(session, actor), area_id)
            return await not_well(session, ids, seen, most=most)

    async def today(
        self, actor: Actor, zone: str = "Asia/Ho_Chi_Minh", area_id: str | None = None
    ) -> list[BroadcastOut]:
        """Give the broadcasts of today by the wall clock of ``zone``, with those of yesterday that are not over."""
        midnight, tomorrow = day_of(self._now(), zone)
        return await self.list(actor, from_at=midnight, to_at=tomorrow, area_id=area_id)

    async def around(
        self, actor: Actor, zone: str, ids: Collection[str], *, failed_for: timedelta, due: bool
    ) -> list[BroadcastOut]:
        """Give what of today stands on top of every page, by start: few of a day's, and what they are told by.

        That is these ``ids``, what failed in the time before, the next ones, and what is ``due`` where that is asked.
        It is not said whether they sound at virtual outputs alone: nodes' own words tell that.
        """
        now = self._now()
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            wanted = await ids_around(session, seen, now, until_at=day_of(now, zone)[1], failed_for=failed_for)
            if due:
                wanted |= await ids_due(session, seen, now)
            watch, found = Watch(self._live, seen, now), []
            for some in in_pieces(sorted(wanted.union(ids))):
                query = select(Broadcast).where(Broadcast.id.in_(some), in_sight(seen))
                found += await outs(session, query, watch, look_at_outputs=False)
        return sorted(found, key=lambda each: (each.start_at, each.id))

    async def list(
        self, actor: Actor, *, from_at: datetime, to_at: datetime, area_id: str | None = None, limit: int = 500
    ) -> list[BroadcastOut]:
        """Give those that start in ``[from_at, to_at)`` or began before and still may sound, by start.

        What was replaced is not among them, but where nothing stands in its place and nodes may still sound it.
        ``area_id``: only what is for nodes there, and of it only what becomes of it there.

        Raises:
            NotFoundError: there is no such area in sight.
        """
        now = self._now()
        under_way = (Broadcast.start_at < from_at) & (Broadcast.latest_end_at > max(now, from_at))
        query = (
            select(Broadcast)
            .where(or_(Broadcast.superseded_at.is_(None), is_left_behind(now)))
            .where(Broadcast.start_at < to_at, or_(Broadcast.start_at >= from_at, under_way))
            .order_by(Broadcast.start_at, Broadcast.id)
            .limit(limit)
        )
        async with self._database.reading() as session:
            whole = await rights.sight(session, actor)
            seen = await rights.within(session, whole, area_id)
            query = query.where(in_sight(whole)) if area_id is None else query.where(in_sight(whole), sounds_in(seen))
            found = await outs(session, query, Watch(self._live, seen, now), whole=whole)
        return [each for each in found if each.phase is not Phase.REPLACED or each.unconfirmed is not None]

    def _now(self) -> datetime:
        return as_on_the_wire(self._clock())

    async def _one(self, session: AsyncSession, seen: Sight, broadcast_id: str) -> BroadcastOut:
        query = select(Broadcast).where(Broadcast.id == broadcast_id, in_sight(seen))
        found = await outs(session, query, Watch(self._live, seen, self._now()))
        if not found:
            raise no_broadcast(broadcast_id)
        if found[0].phase in ENDED:
            return found[0]
        held = await self._held_by(session, seen, broadcast_id)
        return found[0].model_copy(update={"held_by": tuple(each.shown for each in held)})

    async def _held_by(self, session: AsyncSession, seen: Sight, broadcast_id: str) -> Sequence[Over]:
        """Give the holds over its nodes in sight; where nothing is held, nobody asks which nodes those are."""
        if not await is_any_held(session):
            return []
        tree = await read_tree(session)
        scopes = await session.scalars(
            select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == broadcast_id)
        )
        nodes = await nodes_in(session, tree, scopes.all(), reports=False)
        areas = {node.id: node.area_id for node in nodes if seen.sees(node.area_id)}
        return await holds_over(session, self._live, tree, areas)


async def _in_sight(session: AsyncSession, actor: Actor, broadcast_id: str) -> tuple[Sight, Broadcast]:
    seen = await rights.sight(session, actor)
    if not await is_seen(session, seen, broadcast_id):
        raise no_broadcast(broadcast_id)
    return seen, await session.get_one(Broadcast, broadcast_id)


def no_broadcast(broadcast_id: str) -> NotFoundError:
    """Say that there is none in sight."""
    return NotFoundError("there is no such broadcast", resource="broadcasts", id=broadcast_id[:64])
