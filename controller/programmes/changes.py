"""Tells that what a programme would sound like has changed: whatever was made from it has to be made anew."""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.bulletins.models import Bulletin, BulletinVoice
from controller.db import Transaction, in_pieces
from controller.events import Event, Topic
from controller.schedules.models import Calendar, Schedule, ScheduleException
from controller.schedules.stale import roll_anew

from .models import Programme, ProgrammeItem


async def programme_changed(tx: Transaction, programme_id: str, now: datetime) -> None:
    """Have the schedules that may air it rolled anew, and tell whoever looks at it."""
    for airing in await airing_it(tx.session, programme_id):
        await tx.session.execute(roll_anew([airing], now))
    tx.tell(Event(Topic.PROGRAMME, programme_id))


async def airing_it(session: AsyncSession, programme_id: str) -> list[ColumnElement[bool]]:
    """Give the conditions under which a schedule may air a programme: its own, on a date, or by a calendar."""
    on_a_date = select(ScheduleException.schedule_id).where(ScheduleException.programme_id == programme_id)
    places = in_pieces(await _where_it_replaces(session, programme_id))
    either = or_(Schedule.programme_id == programme_id, Schedule.id.in_(on_a_date))
    return [Schedule.ended_at.is_(None) & each for each in (either, *(Schedule.area_id.in_(some) for some in places))]


async def bulletin_changed(tx: Transaction, bulletin_id: str, now: datetime) -> None:
    """Say the same of every programme in which a bulletin stands."""
    await _all_changed(tx, _programmes().where(ProgrammeItem.bulletin_id == bulletin_id), now)


async def recording_changed(tx: Transaction, recording_id: str, now: datetime) -> None:
    """Say the same of every programme that speaks with a recording, and of what it fills up."""
    spoken = (
        select(Bulletin.id)
        .join(BulletinVoice, (BulletinVoice.bulletin_id == Bulletin.id) & (BulletinVoice.version == Bulletin.version))
        .where(BulletinVoice.recording_id == recording_id)
    )
    holding = or_(ProgrammeItem.recording_id == recording_id, ProgrammeItem.bulletin_id.in_(spoken))
    await _all_changed(tx, _programmes().where(holding), now)
    await tx.session.execute(roll_anew([Schedule.filler_recording_id == recording_id], now))


def _programmes() -> Select[str]:
    query = select(ProgrammeItem.programme_id).join(Programme, Programme.id == ProgrammeItem.programme_id)
    return query.where(Programme.archived_at.is_(None)).distinct().order_by(ProgrammeItem.programme_id)


async def _all_changed(tx: Transaction, programmes: Select[str], now: datetime) -> None:
    for programme_id in (await tx.session.scalars(programmes)).all():
        await programme_changed(tx, programme_id, now)


async def _where_it_replaces(session: AsyncSession, programme_id: str) -> list[str]:
    """Give the areas in which a calendar puts it in the place of others."""
    query = select(Calendar.area_id).where(Calendar.programme_id == programme_id, Calendar.ended_at.is_(None))
    places = set(await session.scalars(query))
    if not places:
        return []
    tree = await read_tree(session)
    return sorted({each for area_id in places for each in tree.below(area_id)})
