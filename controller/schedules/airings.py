"""Which schedules air a programme, bulletin or recording, and when next: to be known before one is changed."""

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
        """Give those that speak with a recording, by itself or in a bulletin."""
        spoken = (
            select(Bulletin.id)
            .join(BulletinVoice, BulletinVoice.bulletin_id == Bulletin.id)
            .where(BulletinVoice.version == Bulletin.version, BulletinVoice.recording_id == recording_id)
        )
        either = or_(ProgrammeItem.recording_id == recording_id, ProgrammeItem.bulletin_id.in_(spoken))
        return await self._of(actor, _holding().where(either))

    async def _of(self, actor: Actor, programmes: Select[str]) -> list[AiringOut]:
        now = self._clock()
        async with self._database.reading() as session:
            wanted = set(await session.scalars(programmes))
            rows = await _airing(session, await rights.sight(session, actor), wanted)
            changes = await exceptions_of(session, [row.id for row in rows])
            looking = Looking(session, await read_tree(session), (now, now + AHEAD))
            found: list[AiringOut] = []
            for row in rows:
                dates = [each for each in await looking.dates(row, changes.get(row.id, ())) if is_aired(each)]
                starts = [each.start_at for each in dates if each.programme_id in wanted and each.start_at > now]
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


async def _airing(session: AsyncSession, seen: Sight, programmes: set[str]) -> list[Schedule]:
    rows: dict[str, Schedule] = {}
    for programme_id in sorted(programmes):
        for airing in await airing_it(session, programme_id):
            query = select(Schedule).where(airing, seen.where(Schedule.area_id)).order_by(Schedule.id)
            rows |= {row.id: row for row in await session.scalars(query)}
    return list(rows.values())
