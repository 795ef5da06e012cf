"""Whether places are there: for whoever puts something into one, up to the end of what he does."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import among, locks

from .models import Area


async def standing(session: AsyncSession, area_ids: Iterable[str]) -> set[str]:
    """Give those of these places that are there and were not removed.

    What writes keeps them there to its end, and waits for whoever is removing one of them: the lock of a foreign key
    waits too, and then looks no more whether the place was removed. What reads keeps nothing.
    """
    query = select(Area.id).where(among(Area.id, area_ids), Area.removed_at.is_(None))
    if locks(session):
        query = query.with_for_update(read=True, key_share=True)
    return set(await session.scalars(query))


async def stands(session: AsyncSession, area_id: str) -> bool:
    """Say of one place whether it is there; see ``standing``."""
    return area_id in await standing(session, [area_id])
