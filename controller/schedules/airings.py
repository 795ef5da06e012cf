"""Which schedules air a programme, bulletin or recording, and when next: to be known before one is changed."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.bulletins.models import Bulletin, BulletinVoice
from controller.clock import Clock
from controller.db import Database
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Sight
from controller.programmes.changes import airing_it
from controller.programmes.models import Programme, ProgrammeItem

from .looking import Looking
from .models import Schedule
from .planning import is_aired
from .repository import exceptions_of
from .schemas import AiringOut

AHEAD = timedelta(days=30)


class Airings:
    """Looks ahead from what is aired to where it is."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def of_programme(self, actor: Actor, programme_id: str) -> list[AiringOut]:
        """Give the schedules in sight that air a programme in the coming 30 days, by their next date."""
        return await self._of(actor, select(Programme.id).where(Programme.id == programme_id))

    async def of_bulletin(self, actor: Actor, bulletin_id: str) -> list[AiringOut]:
        """Give those that air a programme in which a bulletin stands."""
        return await self._of(actor, _holding().where(ProgrammeItem.bulletin_id == bulletin_id))

    async def of_recording(self, actor: Actor, recording_id: str) -> list[AiringOut]:
        """Give those that speak with a recording, by itself or in a bulletin, or whose time it fills up.

        Of a filler every date counts: without it none can be aired, whether it has time to sound or not.
        """
        spoken = (
            select(Bulletin.id)
            .join(BulletinVoice, BulletinVoice.bulletin_id == Bulletin.id)
            .where(BulletinVoice.version == Bulletin.version, BulletinVoice.recording_id == recording_id)
        )
        either = or_(ProgrammeItem.recording_id == recording_id, ProgrammeItem.bulletin_id.in_(spoken))
        return await self._of(actor, _holding().where(either), filler_id=recording_id)

    async def _of(self, actor: Actor, programmes: Select[str], *, filler_id: str | None = None) -> list[AiringOut]:
        now = self._clock()
        async with self._database.reading() as session:
            wanted, seen = set(await session.scalars(programmes)), await rights.sight(session, actor)
            rows = await _airing(session, seen, wanted)
            if filler_id is not None:
                rows |= await _filled_with(session, seen, filler_id)
            changes = await exceptions_of(session, list(rows))
            looking = Looking(session, await read_tree(session), (now, now + AHEAD))
            found: list[AiringOut] = []
            for row in rows.values():
                dates = [each for each in await looking.dates(row, changes.get(row.id, ())) if is_aired(each)]
                is_filled = filler_id is not None and row.filler_recording_id == filler_id
                airing = [each for each in dates if is_filled or each.programme_id in wanted]
                starts = [each.start_at for each in airing if each.start_at > now]
                if starts:
                    next_at, times = min(starts), len(starts)
                    found.append(
                        AiringOut(
                            schedule_id=row.id, area_id=row.area_id, title=row.title, next_at=next_at, times=times
                        )
                    )
        return sorted(found, key=lambda each: (each.next_at, each.title, each.schedule_id))


def _holding() -> Select[str]:
    query = select(ProgrammeItem.programme_id).join(Programme, Programme.id == ProgrammeItem.programme_id)
    return query.where(Programme.archived_at.is_(None)).distinct()


async def _airing(session: AsyncSession, seen: Sight, programmes: Collection[str]) -> dict[str, Schedule]:
    rows: dict[str, Schedule] = {}
    for programme_id in sorted(programmes):
        for airing in await airing_it(session, programme_id):
            query = select(Schedule).where(airing, seen.where(Schedule.area_id)).order_by(Schedule.id)
            rows |= {row.id: row for row in await session.scalars(query)}
    return rows


async def _filled_with(session: AsyncSession, seen: Sight, recording_id: str) -> dict[str, Schedule]:
    query = select(Schedule).where(Schedule.filler_recording_id == recording_id, Schedule.ended_at.is_(None))
    rows = await session.scalars(query.where(seen.where(Schedule.area_id)).order_by(Schedule.id))
    return {row.id: row for row in rows}
