"""What keeps schedules from sounding for want of a yes: asked for, or refused since the last edit."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import ApprovalRequest
from controller.approvals.states import RequestState
from controller.broadcasts.asked import REFUSED, said_of
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import AskedOut, as_on_the_wire
from controller.broadcasts.wire_form import wire_forms
from controller.db import in_pieces
from edge_agent.protocol.content import content_hash

from .models import Schedule


async def asked_of(session: AsyncSession, rows: Sequence[Schedule], *, now: datetime) -> dict[str, AskedOut]:
    """Give, by schedule, the request on which its next dates wait: a refused one first, as somebody has to act."""
    edited = {row.id: as_on_the_wire(row.changed_at) for row in rows if row.ended_at is None}
    latest = await _latest(session, edited)
    refused = {schedule_id for (schedule_id, _), row in latest.items() if row.state in REFUSED}
    waiting = await _waiting(session, sorted(refused), now)
    found: dict[str, ApprovalRequest] = {}
    for (schedule_id, content_sha256), row in latest.items():
        stands = row.state in REFUSED and content_sha256 in waiting.get(schedule_id, {content_sha256})
        if stands or (row.state == RequestState.OPEN and schedule_id not in found):
            found[schedule_id] = row
    return dict(zip(found, await said_of(session, found.values()), strict=True))


async def _latest(session: AsyncSession, edited: Mapping[str, datetime]) -> dict[tuple[str, str], ApprovalRequest]:
    """Give the last request for each content of each schedule, of those since its last edit."""
    found: dict[tuple[str, str], ApprovalRequest] = {}
    for some in in_pieces([f"schedules/{each}" for each in edited]):
        query = (
            select(ApprovalRequest)
            .where(ApprovalRequest.subject.in_(some), ApprovalRequest.state != RequestState.VOID)
            .order_by(ApprovalRequest.asked_at, ApprovalRequest.id)
        )
        for row in await session.scalars(query):
            schedule_id = row.subject.removeprefix("schedules/")
            if row.state == RequestState.OPEN or row.asked_at >= edited[schedule_id]:
                found[schedule_id, row.content_sha256] = row
    return found


async def _waiting(session: AsyncSession, ids: Sequence[str], now: datetime) -> dict[str, set[str]]:
    """Give the contents that wait, of schedules with dates planned; of others all that was refused counts."""
    query = (
        select(Broadcast)
        .where(Broadcast.schedule_id.in_(ids), Broadcast.start_at > now)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
    )
    rows = (await session.scalars(query)).all() if ids else []
    found: dict[str, set[str]] = {row.schedule_id: set() for row in rows if row.schedule_id}
    wires = await wire_forms(session, [row for row in rows if row.awaits_approval])
    for row in rows:
        if row.schedule_id and row.id in wires:
            found[row.schedule_id].add(content_hash(wires[row.id].items))
    return found
