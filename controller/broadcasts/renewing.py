"""A bulletin that changed ends the yes to single broadcasts that say what it said before: they wait for another one.

Dates of schedules are laid out anew by rolling; here nobody laid anything out but a person, so the sound stays as it
was sent, and whoever approves decides whether it may still be heard.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, true
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals import asking
from controller.areas.targets import areas_of, resolve
from controller.bulletins.models import Bulletin, BulletinState
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
from .sending import matter_of
from .superseding import supersede


async def bulletin_changed(tx: Transaction, actor: Actor, bulletin: Bulletin, clock: Clock) -> None:
    """Put versions that wait for a yes in the place of those that nodes were told of."""
    now = as_on_the_wire(clock())
    rows = [each for each in await _saying_otherwise(tx, bulletin, now) if not await has_begun(tx.session, each.id)]
    drafts = [await _draft(tx.session, row) for row in rows]
    told = frozenset[str]().union(*[await supersede(tx, row, now=now) for row in rows])
    await mark(tx, [(scope, Word.PLAN) for scope in sorted(told)], clock)  # documents before audit, as everywhere
    for draft in drafts:
        later = await save(tx, actor, draft, yeses=(), now=now)
        await asking.ask(tx, matter_of(draft).of(f"broadcasts/{later}"), actor.person_id or "", now=now)
        tx.tell(Event(Topic.BROADCAST, later))


async def _draft(session: AsyncSession, row: Broadcast) -> Draft:
    """Give a broadcast as it would be sent again."""
    scopes = await session.scalars(select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == row.id))
    return Draft(
        title=row.title,
        level=Level(row.level),
        urgent=False,
        window=Window(row.start_at, row.latest_start_at, row.latest_end_at),
        slots=await slots_of(session, row),
        targets=await resolve(session, await areas_of(session, scopes.all())),
        category=row.category,
        drill=Drill(row.drill) if row.drill else None,
        start_mode=StartMode(row.start_mode),
        replays_id=row.replays_id,
        run_id=row.run_id or row.id,
    )


async def _saying_otherwise(tx: Transaction, bulletin: Bulletin, now: datetime) -> Sequence[Broadcast]:
    """Give the coming broadcasts, made by hand and told to nodes, that say a version which is not approved any more."""
    older = BroadcastItem.bulletin_version != bulletin.version
    otherwise = older if bulletin.state == BulletinState.APPROVED else true()
    holding = select(BroadcastItem.broadcast_id).where(BroadcastItem.bulletin_id == bulletin.id, otherwise)
    query = (
        select(Broadcast)
        .where(Broadcast.id.in_(holding), Broadcast.schedule_id.is_(None), Broadcast.level != Level.EMERGENCY)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
        .where(Broadcast.awaits_approval.is_(False), Broadcast.urgent.is_(False), Broadcast.start_at > now)
        .order_by(Broadcast.id)
    )
    return (await tx.session.scalars(query)).all()
