"""A bulletin that changed ends what was said or asked of single broadcasts that say what it said before.

They wait for a yes that is given, or asked for, after the change: one to the words of before is none to them now.

Dates of schedules are laid out anew by rolling; here nobody laid anything out but a person, so the sound stays as it
was sent, and whoever approves decides whether it may still be heard.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals import asking
from controller.approvals.models import ApprovalRequest
from controller.areas.targets import areas_of, resolve
from controller.bulletins.models import Bulletin, BulletinVersion
from controller.bulletins.states import BulletinState
from controller.clock import Clock
from controller.db import Transaction
from controller.events import Event, Topic
from controller.people.actor import Actor
from controller.plans.service import mark
from edge_agent.protocol.states import Drill, Level, StartMode
from edge_agent.protocol.topics import Word

from .drafts import Draft
from .items import slots_of
from .models import Broadcast, BroadcastItem, BroadcastTarget
from .repository import has_begun
from .rules import Window
from .saving import save
from .schemas import as_on_the_wire
from .sending import matter_of, patient
from .superseding import supersede


async def bulletin_changed(tx: Transaction, actor: Actor, bulletin: Bulletin, clock: Clock) -> None:
    """Put versions that wait for a new yes in the place of those that nodes were told of, or that waited before."""
    now = as_on_the_wire(clock())
    rows = [each for each in await _saying_otherwise(tx, bulletin, now) if not await has_begun(tx.session, each.id)]
    drafts = [(await _draft(tx.session, row), await _author(tx.session, row)) for row in rows]
    told: set[tuple[str, Word]] = set()
    for row in rows:
        word = Word.URGENT if row.urgent else Word.PLAN
        told |= {(scope, word) for scope in await supersede(tx, row, now=now)}
    await mark(tx, sorted(told), clock)  # documents before audit, as everywhere
    for draft, author in drafts:
        later = await save(tx, actor, draft, yeses=(), now=now)
        await asking.ask(tx, matter_of(draft).of(f"broadcasts/{later}"), author, now=now)
        tx.tell(Event(Topic.BROADCAST, later))


async def _draft(session: AsyncSession, row: Broadcast) -> Draft:
    """Give a broadcast as it would be sent again."""
    scopes = await session.scalars(select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == row.id))
    window = Window(row.start_at, row.latest_start_at, row.latest_end_at)
    return Draft(
        title=row.title,
        level=Level(row.level),
        urgent=row.urgent,
        window=patient(window, row.length_ms) if row.urgent else window,
        slots=await slots_of(session, row),
        targets=await resolve(session, await areas_of(session, scopes.all())),
        category=row.category,
        drill=Drill(row.drill) if row.drill else None,
        start_mode=StartMode(row.start_mode),
        replays_id=row.replays_id,
        run_id=row.run_id or row.id,
    )


async def _author(session: AsyncSession, row: Broadcast) -> str:
    """Name who asked to air it: whose bulletin it says changes nothing of whose work it is."""
    query = select(ApprovalRequest.asked_by).where(ApprovalRequest.subject == f"broadcasts/{row.id}")
    return await session.scalar(query.order_by(ApprovalRequest.asked_at.desc()).limit(1)) or row.created_by


async def _saying_otherwise(tx: Transaction, bulletin: Bulletin, now: datetime) -> Sequence[Broadcast]:
    """Give the coming broadcasts, made by hand, that say a version which is not approved any more.

    Those that nodes were told of, and those that have waited since before: what was asked anew is asked once.
    """
    older = BroadcastItem.bulletin_version != bulletin.version
    otherwise = older if bulletin.state == BulletinState.APPROVED else true()
    query = (
        select(Broadcast, func.min(BroadcastItem.bulletin_version))
        .join(BroadcastItem, BroadcastItem.broadcast_id == Broadcast.id)
        .where(BroadcastItem.bulletin_id == bulletin.id, otherwise)
        .where(Broadcast.schedule_id.is_(None), Broadcast.level != Level.EMERGENCY)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None), Broadcast.latest_start_at > now)
        .group_by(Broadcast.id)
        .order_by(Broadcast.id)
    )
    over = await _over_at(tx.session, bulletin, now)
    return [
        row
        for row, version in (await tx.session.execute(query)).all()
        if (_is_older(row, over.get(version, now)) if row.awaits_approval else row.start_at > now)
    ]


def _is_older(row: Broadcast, over_at: datetime) -> bool:
    """Say whether it was sent before; at the same millisecond a first version was, and a later one came of it."""
    return row.created_at < over_at or (row.created_at == over_at and row.run_id is None)


async def _over_at(session: AsyncSession, bulletin: Bulletin, now: datetime) -> dict[int | None, datetime]:
    """Say since when each version is not to be heard any more."""
    query = select(BulletinVersion.version, BulletinVersion.saved_at).where(BulletinVersion.bulletin_id == bulletin.id)
    over: dict[int | None, datetime] = {
        version - 1: as_on_the_wire(saved_at) for version, saved_at in (await session.execute(query)).all()
    }
    over[bulletin.version] = as_on_the_wire(bulletin.archived_at or bulletin.decided_at or now)
    return over
