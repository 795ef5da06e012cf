"""Puts requests into the words of the API, as they stand to whoever looks."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, CompoundSelect, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.targets import node_names, scope_name
from controller.broadcasts.models import Broadcast, BroadcastItem
from controller.broadcasts.wire_form import wire_forms
from controller.bulletins.models import BulletinVoice
from controller.people import rights
from controller.people.actor import Actor
from controller.people.repository import names_of
from controller.people.rights import Sight
from controller.programmes.models import ProgrammeItem
from controller.recordings.models import Recording
from controller.recordings.states import RecordingOrigin, RecordingState
from controller.schedules.models import Schedule, ScheduleException
from edge_agent.protocol.content import content_hash
from edge_agent.protocol.states import Level

from . import listening
from .changes import subjects_of
from .models import ApprovalRequest
from .schemas import AimOut, ApprovalRow, FileOut
from .states import RequestState


async def rows_out(session: AsyncSession, rows: Sequence[ApprovalRequest], now: datetime) -> list[ApprovalRow]:
    """Give requests as the queue shows them."""
    if not rows:
        return []  # the strip of every page asks
    tree = await read_tree(session)
    people = await names_of(session, {each for row in rows for each in (row.asked_by, row.decided_by) if each})
    nodes = await node_names(session, {scope for row in rows for scope in row.scopes})
    starts = await first_starts(session, rows, now)
    return [
        ApprovalRow(
            id=row.id,
            subject=row.subject,
            title=row.title,
            area_id=row.area_id,
            targets=tuple(AimOut(scope=scope, name=scope_name(scope, tree, nodes)) for scope in row.scopes),
            level=Level(row.level),
            categories=tuple(row.categories),
            length_ms=row.length_ms,
            first_start_at=starts[row.id],
            not_before_at=row.not_before_at,
            not_after_at=row.not_after_at,
            content_sha256=row.content_sha256,
            state=RequestState(row.state),
            document_number=row.document_number,
            scan_type=row.scan_type,
            asked_by=people.get(row.asked_by, ""),
            asked_by_id=row.asked_by,
            asked_at=row.asked_at,
            decided_by=people.get(row.decided_by or ""),
            decided_by_id=row.decided_by,
            decided_at=row.decided_at,
            returned_reason=row.returned_reason,
        )
        for row in rows
    ]


async def files_out(session: AsyncSession, actor: Actor, request: ApprovalRequest) -> tuple[FileOut, ...]:
    """Give the files that would be heard, each once, in order."""
    known = await listening.of_person(session, actor.person_id or "", request.recordings)
    recordings = await _recordings(session, request, await rights.sight(session, actor))
    before = await _approved_before(session, actor, request)
    found = []
    for sha256 in request.recordings:
        row, heard = recordings.get(sha256), known.get(sha256)
        found.append(
            FileOut(
                recording_id=row.id if row else None,
                title=row.title if row else "",
                language=row.language if row else "",
                sha256=sha256,
                media_url=f"/media/{sha256}.opus",
                length_ms=(row.length_ms if row else None) or 0,
                is_machine=row is not None and (row.voice is not None or row.origin == RecordingOrigin.MACHINE),
                words=row.words if row else None,
                news="known" if heard and heard.approved_at else "changed" if before else "new",
                heard_ms=listening.heard_ms(heard.heard) if heard else 0,
                whole=heard is not None and heard.whole_at is not None,
            )
        )
    return tuple(found)


async def _recordings(session: AsyncSession, request: ApprovalRequest, seen: Sight) -> dict[str, Recording]:
    """Give the recording of each file: the one that would be used, else one in sight; of others not even the title."""
    used = set(
        await session.scalars(
            select(BroadcastItem.recording_id)
            .join(Broadcast, Broadcast.id == BroadcastItem.broadcast_id)
            .where(_broadcasts(request.subject))
        )
    )
    kind, _, key = request.subject.partition("/")
    if kind == "schedules":
        used |= set(await session.scalars(_said_by(key)))
    query = select(Recording).where(Recording.sha256.in_(request.recordings), Recording.state == RecordingState.READY)
    rows = sorted(await session.scalars(query), key=lambda row: (row.id in used, row.created_at))
    return {row.sha256 or "": row for row in rows if row.id in used or seen.sees(row.area_id)}


def _said_by(schedule_id: str) -> CompoundSelect[str | None]:
    """Name the recordings of a schedule's programmes: of what is asked for weeks ahead, nothing is planned yet."""
    on_a_date = select(ScheduleException.programme_id).where(ScheduleException.schedule_id == schedule_id)
    always = select(Schedule.programme_id).where(Schedule.id == schedule_id)
    aired = or_(ProgrammeItem.programme_id.in_(always), ProgrammeItem.programme_id.in_(on_a_date))
    spoken = select(BulletinVoice.recording_id).join(
        ProgrammeItem, ProgrammeItem.bulletin_id == BulletinVoice.bulletin_id
    )
    return union(
        select(ProgrammeItem.recording_id).where(aired),
        spoken.where(aired),
        select(Schedule.filler_recording_id).where(Schedule.id == schedule_id),
    )


def _broadcasts(subject: str) -> ColumnElement[bool]:
    kind, _, key = subject.partition("/")
    return Broadcast.schedule_id == key if kind == "schedules" else Broadcast.id == key


async def _approved_before(session: AsyncSession, actor: Actor, request: ApprovalRequest) -> bool:
    """Say whether somebody approved the same schedule, or an earlier version of the same broadcast."""
    query = select(ApprovalRequest.id).where(
        ApprovalRequest.subject.in_(await subjects_of(session, request)),
        ApprovalRequest.state == RequestState.APPROVED,
        ApprovalRequest.decided_by == actor.person_id,
    )
    return await session.scalar(query.limit(1)) is not None


async def first_starts(session: AsyncSession, rows: Sequence[ApprovalRequest], now: datetime) -> dict[str, datetime]:
    """Give the first start of what waits for each: as it was asked, or the next one when that has passed by."""
    found = {row.id: row.first_start_at for row in rows}
    late = [row for row in rows if row.state == RequestState.OPEN and row.first_start_at <= now]
    ids = [row.subject.removeprefix("schedules/") for row in late if row.subject.startswith("schedules/")]
    query = (
        select(Broadcast)
        .where(Broadcast.schedule_id.in_(ids), Broadcast.awaits_approval.is_(True), Broadcast.start_at > now)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
        .order_by(Broadcast.start_at.desc())
    )
    waiting = (await session.scalars(query)).all() if ids else []
    wires = await wire_forms(session, waiting)
    starts = {(f"schedules/{each.schedule_id}", content_hash(wires[each.id].items)): each.start_at for each in waiting}
    return found | {row.id: starts.get((row.subject, row.content_sha256), row.first_start_at) for row in late}
