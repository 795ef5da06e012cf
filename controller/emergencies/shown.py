"""One emergency as whoever has it in sight sees it: the holds in its way, all that is heard, how every node stands."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in, read_tree
from controller.areas.targets import areas_of
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.people.actor import Actor
from controller.people.rights import Sight
from controller.plays import service as plays

from .composing import heard, signal_of
from .errors import no_emergency
from .hearers import not_followed
from .models import Emergency
from .offering import endings_of
from .repository import in_sight
from .schemas import EmergencyFollowUp, EmergencyOut
from .seconds import seconds_of
from .sounds import sounds_of
from .states import UNDECIDED
from .views import count_standings, decided_at, follow_up, holds_in_the_way, outs, refs


async def row_in_sight(session: AsyncSession, seen: Sight, emergency_id: str, *, locked: bool = False) -> Emergency:
    """Give the row of an emergency; ``locked``: for who changes it.

    Raises:
        NotFoundError: there is none in sight.
    """
    query = select(Emergency).where(Emergency.id == emergency_id, in_sight(seen))
    row = await session.scalar(query.with_for_update() if locked else query)
    if row is None:
        raise no_emergency(emergency_id)
    return row


async def nodes_of(session: AsyncSession, row: Emergency, seen: Sight) -> list[Node]:
    """Give the nodes in sight at which it is aimed."""
    nodes = await nodes_in(session, await read_tree(session), row.scopes, reports=False)
    return [node for node in nodes if seen.sees(node.area_id)]


async def shown(
    session: AsyncSession,
    live: LiveNodes,
    actor: Actor,
    row: Emergency,
    nodes: Sequence[Node],
    *,
    seen: Sight,
    as_proposed: bool,
) -> EmergencyOut:
    """Show one with the holds that silence some of its ``nodes``, and those that a yes to it lifts.

    ``as_proposed``: see ``draft_of``.
    """
    lifted = row.release_holds if row.state in UNDECIDED else ()
    holds, _ = await holds_in_the_way(session, live, actor, nodes, lifted, wherever=True)
    (found,) = await outs(session, [row], seen, as_proposed=as_proposed)
    return found.model_copy(update={"holds": tuple(holds)})


async def followed_up(
    session: AsyncSession,
    live: LiveNodes,
    actor: Actor,
    row: Emergency,
    seen: Sight,
    *,
    as_proposed: bool,
    now: datetime,
) -> EmergencyFollowUp:
    """Show one with how every node in sight stands; those that missed it come first."""
    said = await plays.of_broadcast(session, row.broadcast_id, seen) if row.broadcast_id else []
    nodes = await nodes_of(session, row, seen)
    found = await shown(session, live, actor, row, nodes, seen=seen, as_proposed=as_proposed)
    slots = await heard(session, row, as_proposed=as_proposed)
    stands = follow_up(said, {node.id: live.status(node, now) for node in nodes}, decided_at(row))
    return EmergencyFollowUp(
        **found.model_dump(),
        standings=count_standings(stands),
        nodes=stands,
        not_followed=refs(await _left(session, row, seen)),
        endings=await endings_of(session, actor, row, nodes, seen=seen, now=now),
        seconds=await seconds_of(session, actor, row),
        sounds=await sounds_of(session, slots, row.slots),
        signal=await signal_of(session, row, slots, as_proposed=as_proposed),
    )


async def _left(session: AsyncSession, row: Emergency, seen: Sight) -> list[Node]:
    """Give the nodes that did not hear the end; who sees but a part of where it was aimed sees none elsewhere."""
    places = await areas_of(session, row.scopes, removed=True)
    whole = all(map(seen.sees, places.values()))
    return [node for node in await not_followed(session, row) if whole or seen.sees(node.area_id)]
