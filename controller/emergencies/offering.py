"""With what an emergency can be ended now: each ready message by itself, so that whoever says one has chosen it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.targets import Targets, areas_of
from controller.errors import InvalidError
from controller.nodes.models import Node
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Sight
from edge_agent.protocol.states import Drill

from .composing import composed
from .ending import is_end_of, is_followable
from .hearers import was_heard
from .models import Emergency, ReadyMessage
from .pinning import FOLLOW_UPS, messages_of, sounding
from .rules import act_for, frozen
from .schemas import EndingOut, FollowIn
from .sounds import sounds_of, words_of
from .states import MessageKind

_AS_EVER = FollowIn()


async def endings_of(
    session: AsyncSession, actor: Actor, row: Emergency, nodes: Sequence[Node], *, seen: Sight, now: datetime
) -> tuple[EndingOut, ...] | None:
    """Give what lies ready to end it, the nearest first; None: it is not to be ended, or not by this person.

    Nor is an end offered of what nobody heard, as when it was cancelled under a STOP: it would only alarm people.
    ``nodes``: those at which it is aimed.
    """
    if not is_followable(row, now) or not await _may_end(session, actor, row) or not await was_heard(session, row):
        return None
    if await session.scalar(select(Emergency.id).where(is_end_of(row)).limit(1)) is not None:
        return None
    present = await areas_of(session, row.scopes)
    targets = Targets(tuple(scope for scope in row.scopes if scope in present), tuple(nodes), await read_tree(session))
    chain = [place.id for place in targets.tree.chain(targets.area_id)] if targets.area_id is not None else []
    found = [each for kind in FOLLOW_UPS for each in await messages_of(session, chain, kind)]
    can_sound = await sounding(session, found)
    kinds = {kind: place for place, kind in enumerate(FOLLOW_UPS)}
    found.sort(key=lambda each: (kinds[MessageKind(each.kind)], chain.index(each.area_id), each.title, each.id))
    drill = Drill(row.drill) if row.drill else None
    usable = [each for each in found if each.id in can_sound and seen.knows(each.area_id)]
    offered = [await _out(session, each, targets, drill, seen) for each in usable]
    return tuple(each for each in offered if each is not None)


async def _may_end(session: AsyncSession, actor: Actor, row: Emergency) -> bool:
    """Say whether somebody may in every place at which it was aimed, as ``deciding.require_everywhere`` asks."""
    places = await areas_of(session, row.scopes, removed=True)
    return await rights.allows(session, actor, act_for(row.drill), set(places.values()))


async def _out(
    session: AsyncSession, row: ReadyMessage, targets: Targets, drill: Drill | None, seen: Sight
) -> EndingOut | None:
    """Show what would be heard; None: it would be refused."""
    try:
        slots = await composed(session, row, (), _AS_EVER, targets=targets, drill=drill, seen=seen)
    except InvalidError:
        return None
    words = await words_of(session, slots, targets, row)
    sounds = await sounds_of(session, slots, frozen(slots, words))
    spoken = tuple(each for each in sounds if not each.is_signal)
    return EndingOut(message_id=row.id, kind=MessageKind(row.kind), title=row.title, sounds=spoken)
