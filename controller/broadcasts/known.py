"""A broadcast that there is, as whoever has it in sight sees it."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in, read_tree
from controller.errors import NotFoundError
from controller.holds.over import Over, holds_over, is_any_held
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Sight
from controller.plays.unconfirmed import Watch

from .models import Broadcast, BroadcastTarget
from .repository import in_sight, is_seen, outs
from .rules import ENDED, Phase
from .schemas import BroadcastOut
from .versions import successor_of


async def known_row(session: AsyncSession, actor: Actor, broadcast_id: str) -> tuple[Sight, Broadcast]:
    """Give what this person sees, and the row of a broadcast there.

    Raises:
        NotFoundError: there is none.
    """
    seen = await rights.sight(session, actor)
    if not await is_seen(session, seen, broadcast_id):
        raise no_broadcast(broadcast_id)
    return seen, await session.get_one(Broadcast, broadcast_id)


async def shown(session: AsyncSession, watch: Watch, broadcast_id: str) -> BroadcastOut:
    """Show one broadcast, with the holds over its nodes while it is not over, and what took its place if that did.

    Raises:
        NotFoundError: there is none in sight.
    """
    query = select(Broadcast).where(Broadcast.id == broadcast_id, in_sight(watch.seen))
    found = await outs(session, query, watch)
    if not found:
        raise no_broadcast(broadcast_id)
    if found[0].phase is Phase.REPLACED:
        return found[0].model_copy(update={"replaced_by": await _replaced_by(session, watch.seen, broadcast_id)})
    if found[0].phase in ENDED:
        return found[0]
    held = await _held_by(session, watch, broadcast_id)
    return found[0].model_copy(update={"held_by": tuple(each.shown for each in held)})


async def _replaced_by(session: AsyncSession, seen: Sight, broadcast_id: str) -> str | None:
    """Give the id of the version in its place, if that is in sight too."""
    later = await successor_of(session, await session.get_one(Broadcast, broadcast_id))
    return later if later is not None and await is_seen(session, seen, later) else None


async def _held_by(session: AsyncSession, watch: Watch, broadcast_id: str) -> Sequence[Over]:
    """Give the holds over its nodes in sight; where nothing is held, nobody asks which nodes those are."""
    if not await is_any_held(session):
        return []
    tree = await read_tree(session)
    scopes = await session.scalars(select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == broadcast_id))
    nodes = await nodes_in(session, tree, scopes.all(), reports=False)
    areas = {node.id: node.area_id for node in nodes if watch.seen.sees(node.area_id)}
    return await holds_over(session, watch.live, tree, areas)


def no_broadcast(broadcast_id: str) -> NotFoundError:
    """Say that there is none in sight."""
    return NotFoundError("there is no such broadcast", resource="broadcasts", id=broadcast_id[:64])
