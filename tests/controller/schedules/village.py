"""What tests of schedules start from: a commune with programmes, and short ways to say what they want."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from controller.areas.schemas import AreaOut
from controller.broadcasts.models import Broadcast
from controller.plans.models import Document
from controller.plays.models import Play
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn, ProgrammeIn
from controller.schedules.schemas import ScheduleIn, ScheduleOut
from tests.controller.factories import Centre, made_once

HANOI_BEHIND = timedelta(hours=7)
MINUTE_MS = 60_000


async def programme(here: Centre, area: AreaOut, *minutes: float, title: str = "Sáng", **given: Any) -> str:
    """A programme with a recording for each length in minutes."""
    items = [
        ItemIn(
            kind=ItemKind.RECORDING, recording_id=await here.recording(length_ms=int(each * MINUTE_MS), area_id=area.id)
        )
        for each in minutes or (10,)
    ]
    wanted = ProgrammeIn(area_id=area.id, title=title, items=items, **given)
    return (await here.services.programmes.create(here.actor, wanted)).id


def wish(area: AreaOut, programme_id: str, starts: str = "2026-03-10T05:00:00", **given: Any) -> ScheduleIn:
    """Daily at five from the day after ``MORNING`` on."""
    said: dict[str, Any] = {
        "title": "Chương trình sáng",
        "programme_id": programme_id,
        "targets": (f"areas/{area.id}",),
        "starts_at_local": datetime.fromisoformat(starts),
        "rule": "FREQ=DAILY",
    }
    return ScheduleIn(**{**said, **given})


async def scheduled(here: Centre, area: AreaOut, *minutes: float, **given: Any) -> ScheduleOut:
    """A schedule with a programme of its own."""
    return await here.services.schedules.create(here.actor, wish(area, await programme(here, area, *minutes), **given))


@made_once
async def trung_loc(here: Centre, **area: Any) -> tuple[AreaOut, ScheduleOut]:
    """A commune that hears its relay at five, and has for a month."""
    commune = await here.area("Trung Lộc", kind="commune", **area)
    for number in range(3):
        await here.node(await here.area(f"Thôn {number}", commune), f"Cụm {number}")
    made = await scheduled(here, commune, 10, title="Tiếp sóng", confirm_unusual=True)
    for _ in range(5):
        here.clock.step(days=6)
        await sounded(here)
        await here.services.schedules.roll_due()
    return commune, made


async def sounded(here: Centre) -> None:
    """Let nodes have begun everything that was approved and whose time has come."""
    come = Broadcast.start_at <= here.clock(), Broadcast.awaits_approval.is_(False)
    async with here.database.transaction() as tx:
        begun = Play.broadcast_id.in_(select(Broadcast.id).where(*come))
        await tx.session.execute(update(Play).where(begun, Play.started_at.is_(None)).values(started_at=here.clock()))


async def broadcasts(here: Centre, schedule_id: str | None = None) -> list[Broadcast]:
    """What stands in plans, by start."""
    query = select(Broadcast).where(Broadcast.superseded_at.is_(None), Broadcast.cancelled_at.is_(None))
    if schedule_id is not None:
        query = query.where(Broadcast.schedule_id == schedule_id)
    async with here.database.reading() as session:
        return list(await session.scalars(query.order_by(Broadcast.start_at, Broadcast.id)))


def locals_of(rows: list[Broadcast]) -> list[str]:
    """Their starts by the clock of Hanoi."""
    return [f"{row.start_at + HANOI_BEHIND:%d %H:%M}" for row in rows]


async def dirty(here: Centre) -> set[tuple[str, str]]:
    async with here.database.reading() as session:
        query = select(Document.scope, Document.word).where(Document.dirty_since.is_not(None))
        return {(scope, word) for scope, word in await session.execute(query)}


async def clean(here: Centre) -> None:
    async with here.database.transaction() as tx:
        for document in await tx.session.scalars(select(Document)):
            document.dirty_since = None
