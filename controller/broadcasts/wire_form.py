"""Broadcasts as nodes get them: rows turned into wire types. Plans, urgents and previews read them here alike."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import Approval
from controller.db import in_pieces
from edge_agent.protocol import content
from edge_agent.protocol.states import Drill, Level, StartMode

from .models import Broadcast, BroadcastItem

_log = logging.getLogger(__name__)


async def wire_forms(session: AsyncSession, rows: Sequence[Broadcast]) -> dict[str, content.Broadcast]:
    """Give broadcasts by id. One that makes no sense is left out."""
    items, approvals = await _parts(session, [row.id for row in rows])
    found = {row.id: _broadcast(row, items[row.id], approvals[row.id]) for row in rows}
    return {key: broadcast for key, broadcast in found.items() if broadcast is not None}


async def _parts(
    session: AsyncSession, ids: Sequence[str]
) -> tuple[dict[str, list[BroadcastItem]], dict[str, list[Approval]]]:
    items: dict[str, list[BroadcastItem]] = defaultdict(list)
    approvals: dict[str, list[Approval]] = defaultdict(list)
    for some in in_pieces(ids):
        query = (
            select(BroadcastItem)
            .where(BroadcastItem.broadcast_id.in_(some))
            .order_by(BroadcastItem.position, BroadcastItem.voice)
        )
        for item in await session.scalars(query):
            items[item.broadcast_id].append(item)
        subjects = [f"broadcasts/{each}" for each in some]
        yeses = select(Approval).where(Approval.subject.in_(subjects), Approval.voided_at.is_(None))
        for approval in await session.scalars(yeses.order_by(Approval.given_at, Approval.id)):
            approvals[approval.subject.partition("/")[2]].append(approval)
    return items, approvals


def _broadcast(
    row: Broadcast, items: Sequence[BroadcastItem], approvals: Sequence[Approval]
) -> content.Broadcast | None:
    """Write one broadcast for the wire. A row that makes no sense is left out: it must not silence the others."""
    try:
        return content.Broadcast(
            broadcast_id=row.id,
            level=Level(row.level),
            start_at=row.start_at,
            latest_start_at=row.latest_start_at,
            latest_end_at=row.latest_end_at,
            order=row.position,
            start=StartMode(row.start_mode),
            resumes=row.resumes,
            drill=Drill(row.drill) if row.drill else None,
            run=row.run_id,
            approvals=tuple(map(_approval, approvals)),
            items=_slots(items),
        )
    except ValueError:
        _log.exception("broadcast %s cannot be sent to nodes; it is left out of their plans", row.id)
        return None


def _approval(row: Approval) -> content.Approval:
    return content.Approval(
        approval_id=row.id,
        content_sha256=row.content_sha256,
        scopes=tuple(row.scopes),
        not_before_at=row.not_before_at,
        not_after_at=row.not_after_at,
    )


def _slots(rows: Sequence[BroadcastItem]) -> tuple[content.Item, ...]:
    """Put the voices of one slot together."""
    return tuple(
        content.Item(offset_ms=slot[0].offset_ms, choice=slot[0].choice, voices=tuple(map(_voice, slot)))
        for slot in (list(rows) for _, rows in groupby(rows, key=lambda row: row.position))
    )


def _voice(row: BroadcastItem) -> content.Voice:
    return content.Voice(
        language=row.language, sha256=row.sha256, bytes=row.bytes, length_ms=row.length_ms, gain_mb=row.gain_mb
    )
