"""Zones that this machine knows no more: tables of time lose names, and a centre may move to a machine with fewer.

What keeps time by such a zone can be reckoned no more. Whoever asks for it is told which zone that is, and those who
look after the place are, too: they install the tables again, or choose another zone.
"""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.db import Database
from controller.names import is_zone
from controller.schedules.models import Schedule

from .models import Area

ZONES = "zones"
"""Name of the regular work."""
ZONES_S = 600
KIND = "zones.gone"
"""Of the alarm."""


class _Lost(NamedTuple):
    """A place or schedule whose zone is gone."""

    subject: str
    area_id: str
    title: str
    zone: str


class ZoneWatch:
    """Raises the alarms."""

    def __init__(self, database: Database, alarms: Alarms) -> None:
        self._database, self._alarms = database, alarms

    async def look(self) -> None:
        """Tell of each zone that is gone, once while that waits for somebody."""
        async with self._database.reading() as session:
            lost = await _lost(session)
        if not lost:
            return
        async with self._database.transaction() as tx:
            for each in await _lost(tx.session):
                detail = {"name": each.zone, "title": each.title}
                await self._alarms.raise_(tx, KIND, each.area_id, each.subject, detail, unless_open=True)


async def _lost(session: AsyncSession) -> list[_Lost]:
    areas = await session.execute(select(Area.id, Area.id, Area.name, Area.zone).where(Area.zone.is_not(None)))
    standing = Schedule.ended_at.is_(None)
    columns = (Schedule.id, Schedule.area_id, Schedule.title, Schedule.zone)
    schedules = await session.execute(select(*columns).where(standing))
    named = [("areas", *row) for row in areas] + [("schedules", *row) for row in schedules]
    known = {zone: is_zone(zone) for *_, zone in named if zone}
    return [
        _Lost(f"{noun}/{key}", area_id, title, zone)
        for noun, key, area_id, title, zone in sorted(named)
        if zone and not known[zone]
    ]
