"""What areas above ask to be heard, and programmes lack: priority bulletins on offer. Nothing is put in by itself."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.bulletins.models import Bulletin, BulletinVersion
from controller.bulletins.repository import current_version, offered
from controller.people.rights import Sight
from controller.schedules.models import Schedule

from .checks import PRIORITY, areas_above, ref_of
from .models import Programme, ProgrammeItem
from .schemas import BulletinRef


async def owed(
    session: AsyncSession, programme: Programme, present: frozenset[str], *, now: datetime
) -> list[BulletinRef]:
    """Give the priority bulletins that areas above offer now and that are not ``present`` in a programme."""
    if programme.is_template or programme.archived_at is not None:
        return []
    offers = await _offers(session, now)
    return lacking(offers, await areas_above(session, programme.area_id), present) if offers else []


async def owed_by(session: AsyncSession, programme_id: str, *, now: datetime) -> list[BulletinRef]:
    """Give the same for a programme by its id, as it is now."""
    programme = await session.get(Programme, programme_id)
    if programme is None:
        return []
    held = select(ProgrammeItem.bulletin_id).where(ProgrammeItem.programme_id == programme_id)
    present = frozenset(key for key in await session.scalars(held) if key is not None)
    return await owed(session, programme, present, now=now)


async def owed_in(session: AsyncSession, seen: Sight, *, now: datetime) -> dict[str, list[str]]:
    """Give what areas in sight owe: by bulletin the areas that air programmes of theirs, none of which holds it."""
    offers = await _offers(session, now)
    if not offers:
        return {}
    tree = await read_tree(session)
    found: dict[str, list[str]] = defaultdict(list)
    aired = await _aired(session, seen, now)
    for place in tree.walk():
        if place.id in aired:
            above = {each.id for each in tree.chain(place.id)[1:]}
            for each in lacking(offers, above, aired[place.id]):
                found[each.bulletin_id].append(place.id)
    return found


def lacking(offers: Iterable[BulletinRef], above: Collection[str], present: Collection[str]) -> list[BulletinRef]:
    """Give what is offered by areas ``above`` and is not ``present``. Pure."""
    return [each for each in offers if each.area_id in above and each.bulletin_id not in present]


async def _offers(session: AsyncSession, now: datetime) -> list[BulletinRef]:
    """Give the priority bulletins that any area offers now, the newest first."""
    query = (
        select(Bulletin, BulletinVersion)
        .join(BulletinVersion, current_version())
        .where(offered(now), BulletinVersion.level == PRIORITY)
        .order_by(Bulletin.created_at.desc(), Bulletin.id.desc())
    )
    return [ref_of(row, words) for row, words in (await session.execute(query)).all()]


async def _aired(session: AsyncSession, seen: Sight, now: datetime) -> dict[str, set[str]]:
    """Give the bulletins in programmes that schedules in sight still air, by the programmes' area."""
    today = (now - timedelta(days=1)).date()  # wherever it is the earliest
    query = (
        select(Programme.area_id, ProgrammeItem.bulletin_id)
        .join(Schedule, Schedule.programme_id == Programme.id)
        .outerjoin(ProgrammeItem, ProgrammeItem.programme_id == Programme.id)
        .where(seen.where(Schedule.area_id), seen.where(Programme.area_id), Schedule.ended_at.is_(None))
        .where(or_(Schedule.last_date.is_(None), Schedule.last_date >= today))
        .where(or_(Schedule.rule.is_not(None), Schedule.starts_at_local >= today.isoformat()))
        .distinct()
    )
    found: dict[str, set[str]] = defaultdict(set)
    for area_id, bulletin_id in await session.execute(query):
        found[area_id].update([bulletin_id] if bulletin_id is not None else [])
    return found
