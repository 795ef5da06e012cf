"""What keeps schedules from sounding for want of a yes: asked for, or refused since the last edit."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import ApprovalRequest
from controller.approvals.shown import PROGRAMME
from controller.approvals.states import RequestState
from controller.areas.repository import read_tree
from controller.broadcasts.asked import REFUSED, said_of
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import as_on_the_wire
from controller.broadcasts.wire_form import wire_forms
from controller.db import in_pieces
from edge_agent.protocol.content import content_hash

from .far import far_contents
from .models import Schedule
from .repository import exceptions_of
from .schemas import DatesAskedOut

Contents = dict[str, datetime]
"""Hash of what is to be heard → start of the first date with it."""


class _Found(NamedTuple):
    row: ApprovalRequest
    start_at: datetime | None


async def asked_of(
    session: AsyncSession, rows: Sequence[Schedule], *, now: datetime
) -> dict[str, tuple[DatesAskedOut, ...]]:
    """Give, by schedule, the requests on which its next dates wait: refused ones first, as somebody has to act."""
    edited = {row.id: as_on_the_wire(row.changed_at) for row in rows if row.ended_at is None}
    latest = await _latest(session, edited)
    refused: dict[str, dict[str, ApprovalRequest]] = defaultdict(dict)
    found: dict[str, list[_Found]] = {row.id: [] for row in rows}
    for (schedule_id, content_sha256), request in latest.items():
        if request.state in REFUSED:
            refused[schedule_id][content_sha256] = request
    stand = await _standing(session, [row for row in rows if row.id in refused], refused, now=now)
    for schedule_id, there in stand.items():
        found[schedule_id] += [_Found(refused[schedule_id][key], start_at) for key, start_at in there.items()]
    for (schedule_id, _), request in latest.items():
        if request.state == RequestState.OPEN:
            start_at = request.first_start_at
            found[schedule_id].append(_Found(request, start_at if start_at > now else None))
    flat = [(schedule_id, each) for schedule_id, those in found.items() for each in sorted(those, key=_urgency)]
    said = await said_of(session, [each.row for _, each in flat])
    outs: dict[str, tuple[DatesAskedOut, ...]] = {}
    for (schedule_id, each), asked in zip(flat, said, strict=True):
        out = DatesAskedOut(**dict(asked), programme_id=each.row.shown.get(PROGRAMME), start_at=each.start_at)
        outs[schedule_id] = (*outs.get(schedule_id, ()), out)
    return outs


def _urgency(each: _Found) -> tuple[bool, bool, datetime]:
    """Put what was refused first, and of each kind the soonest date."""
    return each.row.state not in REFUSED, each.start_at is None, each.start_at or each.row.asked_at


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


async def _standing(
    session: AsyncSession,
    rows: Sequence[Schedule],
    refused: Mapping[str, Mapping[str, ApprovalRequest]],
    *,
    now: datetime,
) -> dict[str, dict[str, datetime | None]]:
    """Give, by schedule, those of the refused contents that are to be heard yet, with their first date.

    With dates planned that is what waits of them, and what is to come of programmes of which none is planned yet; of
    what has no date planned at all whatever was refused counts.
    """
    planned = await _waiting(session, [row.id for row in rows], now)
    found: dict[str, dict[str, datetime | None]] = {}
    for row in rows:
        those, near = refused[row.id], planned.get(row.id)
        if near is None:
            found[row.id] = dict.fromkeys(those)
            continue
        found[row.id] = {key: near[key] for key in those if key in near}
        if rest := {key: each for key, each in those.items() if key not in near}:
            found[row.id] |= await _far(session, row, rest, now)
    return found


async def _far(session: AsyncSession, row: Schedule, those: Mapping[str, ApprovalRequest], now: datetime) -> Contents:
    changes = (await exceptions_of(session, [row.id])).get(row.id, [])
    programmes = {each.shown.get(PROGRAMME) for each in those.values()}
    found = await far_contents(session, row, await read_tree(session), changes, programmes, now=now)
    return {key: start_at for key, start_at in found.items() if key in those}


async def _waiting(session: AsyncSession, ids: Sequence[str], now: datetime) -> dict[str, Contents]:
    """Give the contents that wait, of schedules with dates planned."""
    query = (
        select(Broadcast)
        .where(Broadcast.schedule_id.in_(ids), Broadcast.start_at > now)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
        .order_by(Broadcast.start_at)
    )
    rows = (await session.scalars(query)).all() if ids else []
    found: dict[str, Contents] = {row.schedule_id: {} for row in rows if row.schedule_id}
    wires = await wire_forms(session, [row for row in rows if row.awaits_approval])
    for row in rows:
        if row.schedule_id and row.id in wires:
            found[row.schedule_id].setdefault(content_hash(wires[row.id].items), row.start_at)
    return found
