"""Writes down a proposal, once: what the same person sent twice is one, what others proposed already is told."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in, read_tree
from controller.broadcasts.drafts import Draft
from controller.broadcasts.room import check_room
from controller.db import Transaction
from controller.errors import InvalidError
from controller.holds.models import Hold
from controller.ids import new_id
from controller.nodes.live import LiveNodes
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Sight

from . import attention
from .drafting import Wish
from .errors import AlreadyProposedError
from .models import Emergency
from .repository import in_sight
from .rules import SAME_AGAIN_WITHIN, frozen, is_stale
from .schemas import EmergencyIn
from .states import UNDER_WAY, EmergencyState
from .views import holds_in_the_way

SIGNAL_BYTES = 512
"""What the alarm signal adds at most: a slot of one voice."""


async def write_row(
    tx: Transaction,
    wish: Wish,
    person_id: str,
    now: datetime,
    *,
    follows_id: str | None = None,
    release_holds: Sequence[str] = (),
    idempotency_key: str | None = None,
) -> Emergency:
    """Write down what was wished for, not decided yet."""
    row = Emergency(
        id=new_id(),
        area_id=wish.area_id,
        kind=wish.kind,
        title=wish.title,
        drill=wish.drill,
        scopes=list(wish.targets.scopes),
        message_id=wish.message_id,
        slots=frozen(wish.slots, wish.words),
        release_holds=list(release_holds),
        state=EmergencyState.PROPOSED,
        proposed_by=person_id,
        proposed_at=now,
        idempotency_key=idempotency_key,
        follows_id=follows_id,
    )
    tx.session.add(row)
    await tx.session.flush()
    return row


async def proposed_before(
    session: AsyncSession, wish: Wish, wanted: EmergencyIn, person_id: str, *, key: str | None, now: datetime
) -> Emergency | None:
    """Give the proposal of this person that this one repeats. What was cancelled, or differs, is none.

    The signal tells no two apart: it may have become ready between two taps.
    """
    await session.get_one(Person, person_id, with_for_update=True)  # two taps at once come one after the other
    same_tap = [Emergency.idempotency_key == (key or "")]
    if not wanted.again:
        same_tap.append(Emergency.proposed_at > now - SAME_AGAIN_WITHIN)
    first = Emergency.follows_id.is_(None)
    query = select(Emergency).where(Emergency.proposed_by == person_id, first, or_(*same_tap))
    query = query.where(Emergency.state.in_(UNDER_WAY))
    signals = await attention.ids(session)
    said = _said(frozen(wish.slots), signals)
    mine = (wish.message_id, wish.title, wish.drill, list(wish.targets.scopes), list(wanted.release_holds))
    for row in await session.scalars(query.order_by(Emergency.proposed_at.desc(), Emergency.id)):
        theirs = (row.message_id, row.title, row.drill, row.scopes, row.release_holds)
        if theirs == mine and _said(row.slots, signals) == said:
            return row
    return None


async def check_in_the_way(
    session: AsyncSession, live: LiveNodes, actor: Actor, wish: Wish, hold_ids: Collection[str]
) -> None:
    """Refuse to lift silence elsewhere: whoever says yes to this decides about the places at which it is aimed.

    Raises:
        InvalidError: one of these holds stands, and silences none of its nodes.
    """
    if not hold_ids:
        return
    over, _ = await holds_in_the_way(session, live, actor, wish.targets.nodes)
    beyond = select(Hold.id).where(Hold.id.in_(hold_ids), Hold.released_at.is_(None))
    if not set(await session.scalars(beyond)) <= {each.hold_id for each in over}:
        raise InvalidError(
            "release_holds: one of them silences no node at which this is aimed",
            field="release_holds",
            problem="elsewhere",
        )


async def check_fits(session: AsyncSession, draft: Draft, now: datetime) -> None:
    """Refuse before anybody is called what could not be sent: with the signal, which may still be on its way.

    Raises:
        InvalidError: it is too large for what nodes are sent at once.
        UrgentFullError: too much is being said at once in a place.
    """
    await check_room(session, draft, covers=timedelta.max, now=now, spare=SIGNAL_BYTES)


async def check_first(session: AsyncSession, wish: Wish, seen: Sight, now: datetime) -> None:
    """Refuse what is under way already: two who hear of one flood both propose it.

    Raises:
        AlreadyProposedError: the same is proposed or sounds there.
    """
    there, signals = {node.id for node in wish.targets.nodes}, await attention.ids(session)
    said = {*_said(frozen(wish.slots), signals)}
    query = select(Emergency).where(Emergency.state.in_(UNDER_WAY), Emergency.kind == wish.kind, in_sight(seen))
    tree = await read_tree(session)
    for row in await session.scalars(query.order_by(Emergency.proposed_at, Emergency.id)):
        same = row.message_id == wish.message_id if wish.message_id else {*_said(row.slots, signals)} == said
        if is_stale(row.state, row.proposed_at, now) or not same or row.drill != wish.drill:
            continue
        if any(node.id in there for node in await nodes_in(session, tree, row.scopes, reports=False)):
            raise AlreadyProposedError(
                f"{row.title!r} is {row.state} there already; say again to propose it all the same",
                field="again",
                emergency_id=row.id,
                title=row.title,
                state=str(row.state),
            )


def _said(slots: Sequence[dict[str, Any]], signals: Collection[str]) -> list[str]:
    """Name the recordings of slots in their order, without the signal."""
    return [each for slot in slots for each in slot["recording_ids"] if each not in signals]
