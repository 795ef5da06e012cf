"""Whether one more broadcast fits into the documents of the places it is aimed at. A full document reaches nobody."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import in_pieces
from controller.errors import ConflictError, InvalidError
from edge_agent.protocol.content import MAX_BODY_BYTES
from edge_agent.protocol.signing import MAX_TOKEN_BYTES
from edge_agent.protocol.states import Level

from .drafts import Draft
from .forecast import draft_broadcast
from .models import Broadcast, BroadcastTarget

IDS_BYTES = 160
"""What the two names that a draft has not yet take more at most, and what stands between two broadcasts."""


class Room(NamedTuple):
    """What one document takes. A little below the wire's own limits: two may be sent at the same moment."""

    broadcasts: int
    bytes: int
    """As JSON, unpacked."""


PLAN_ROOM = Room(broadcasts=4950, bytes=MAX_BODY_BYTES * 98 // 100)
"""``content.PlanBody`` lists at most 5,000."""
URGENT_ROOM = Room(broadcasts=60, bytes=MAX_TOKEN_BYTES * 6 // 10)
"""``documents.Urgent`` lists at most 64; signing writes three bytes as four, and stops and short audio ride along."""
EMERGENCY_ROOM = Room(broadcasts=30, bytes=MAX_TOKEN_BYTES // 10)
"""Beside the room of what else is said now: no number of notices keeps an emergency out. It stands first in urgents."""


class PlanFullError(ConflictError):
    """The plan of a place is full at that time. ``place`` says whose, ``most`` how many broadcasts it takes."""

    code = "plan_full"


class UrgentFullError(ConflictError):
    """Too much is being said at once in a place. ``place`` says where, ``most`` how many broadcasts may wait."""

    code = "urgent_full"


class Listed(NamedTuple):
    """One broadcast in a document."""

    from_at: datetime
    """Not listed before."""
    until_at: datetime
    """Its latest end."""
    bytes: int


def wire_bytes(draft: Draft) -> int:
    """Say how large a draft will be in the documents that list it."""
    return len(msgspec.json.encode(draft_broadcast(draft))) + IDS_BYTES


def fits(new: Listed, others: Iterable[Listed], room: Room) -> bool:
    """Say whether there is room for ``new`` among ``others`` as long as it is listed."""
    steps: list[tuple[datetime, int, int]] = []
    for each in others:
        if each.from_at < new.until_at and new.from_at < each.until_at:
            steps += [(each.from_at, 1, each.bytes), (each.until_at, -1, -each.bytes)]
    steps.sort()  # at one instant, what ends goes before what begins
    most = max(accumulate((count for _, count, _ in steps), initial=0))
    largest = max(accumulate((size for _, _, size in steps), initial=0))
    return most < room.broadcasts and largest + new.bytes <= room.bytes


async def check_room(session: AsyncSession, draft: Draft, *, covers: timedelta, now: datetime, spare: int = 0) -> None:
    """Look into the documents that would list a draft. A plan lists what starts within ``covers``.

    ``spare``: bytes that it may still grow by.

    Raises:
        InvalidError: it is too large by itself.
        PlanFullError, UrgentFullError: one of them would be too large with it.
    """
    covers = timedelta.max if draft.urgent else covers  # an urgent lists all that it has
    room = _room_for(draft)
    size = wire_bytes(draft) + spare
    if size > room.bytes:
        raise InvalidError(
            "items: too many parts and targets for one broadcast; repeat it less often, say it in fewer languages, "
            "or aim it at areas instead of their nodes",
            field="items",
            problem="too_large",
        )
    new = _listed(draft.window.start_at, draft.window.latest_end_at, size, covers, now)
    for scope in await _suspects(session, draft, new, room, covers=covers, now=now):
        columns = (Broadcast.start_at, Broadcast.latest_end_at, Broadcast.wire_bytes)
        rows = await session.execute(_alive(draft, [scope], new, covers, now).with_only_columns(*columns))
        if not fits(new, [_listed(*row, covers, now) for row in rows], room):
            raise _full(draft, scope, room)


def _room_for(draft: Draft) -> Room:
    if not draft.urgent:
        return PLAN_ROOM
    return EMERGENCY_ROOM if draft.level is Level.EMERGENCY else URGENT_ROOM


def _full(draft: Draft, scope: str, room: Room) -> ConflictError:
    place = draft.targets.name(scope)
    if draft.urgent:
        return UrgentFullError(
            f"{place}: too much is waiting to be said there already; cancel some", place=place, most=room.broadcasts
        )
    return PlanFullError(
        f"{place}: its plan is full around that time; cancel some broadcasts or choose another day",
        place=place,
        most=room.broadcasts,
    )


def _listed(start_at: datetime, until_at: datetime, size: int, covers: timedelta, now: datetime) -> Listed:
    early = now if start_at - now <= covers else start_at - covers
    return Listed(early, until_at, size)


async def _suspects(
    session: AsyncSession, draft: Draft, new: Listed, room: Room, *, covers: timedelta, now: datetime
) -> list[str]:
    """Name the scopes in which all that is ever listed beside the draft would not fit at once: few or none."""
    counts = (func.count(), func.coalesce(func.sum(Broadcast.wire_bytes), 0))
    found: list[str] = []
    for some in in_pieces(draft.targets.scopes):
        query = _alive(draft, some, new, covers, now).with_only_columns(BroadcastTarget.scope, *counts)
        for scope, count, size in await session.execute(query.group_by(BroadcastTarget.scope)):
            if count >= room.broadcasts or size + new.bytes > room.bytes:
                found.append(scope)
    return found


def _alive(draft: Draft, scopes: Sequence[str], new: Listed, covers: timedelta, now: datetime) -> Select[Broadcast]:
    query = (
        select(Broadcast)
        .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(BroadcastTarget.scope.in_(scopes), Broadcast.urgent.is_(draft.urgent))
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
        .where(Broadcast.latest_end_at > max(now, new.from_at), Broadcast.id != (draft.replaces_id or ""))
    )
    if draft.level is Level.EMERGENCY:
        query = query.where(Broadcast.level == Level.EMERGENCY)
    return query if draft.urgent else query.where(Broadcast.start_at < new.until_at + covers)
