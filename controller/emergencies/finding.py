"""Emergencies and drills in pages: there are few, so words are looked for in their titles one by one."""

from collections.abc import Mapping

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.paging import Wanted, paged
from controller.people.rights import Sight
from controller.search import kept, words

from .models import Emergency
from .repository import in_sight
from .states import EmergencyState

_ORDERS = {"proposed": Emergency.proposed_at, "title": Emergency.title}


async def found_rows(session: AsyncSession, seen: Sight, wanted: Wanted) -> tuple[list[Emergency], int]:
    """Read one part of the list, and count the whole. Filters: ``state``; ``drill``: ``real`` or ``drill``."""
    query = _narrowed(select(Emergency).where(in_sight(seen)), wanted.having)
    if asked := words(wanted.q):
        titles = await session.execute(query.with_only_columns(Emergency.id, Emergency.title))
        said = [key for key, title in titles if all(word in kept([title]) for word in asked)]
        query = query.where(Emergency.id.in_(said))
    rows, total = await paged(session, query, wanted, _ORDERS, last=Emergency.id)
    return [row for (row,) in rows], total


def _narrowed(query: Select[Emergency], having: Mapping[str, str]) -> Select[Emergency]:
    if (state := having.get("state")) in set(EmergencyState):
        query = query.where(Emergency.state == state)
    match having.get("drill"):
        case "drill":
            return query.where(Emergency.drill.is_not(None))
        case "real":
            return query.where(Emergency.drill.is_(None))
        case _:
            return query
