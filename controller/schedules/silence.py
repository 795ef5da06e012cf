"""Days that calendars silence: which do, and who may let something sound on one all the same."""

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.needs import asks_another
from controller.areas.rules import Tree
from controller.errors import ConflictError
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act
from edge_agent.protocol.states import Level

from .models import Calendar, Schedule
from .repository import Calendars
from .schemas import UnheededOut
from .states import OnCalendarDay

ROUTINE = (Level.NORMAL, Level.PRIORITY)


class DaySuspendedError(ConflictError):
    """A date was to be moved onto a day that calendars silence; ``calendars`` names them."""

    code = "day_suspended"


async def silencing(session: AsyncSession, tree: Tree, row: Schedule, day: date) -> list[Calendar]:
    """Give the calendars that silence a schedule on a day, those of the nearest area first."""
    rules = (await Calendars.read(session, tree, area_id=row.area_id)).of(row.area_id, day, day).get(day, ())
    return [await session.get_one(Calendar, each.calendar_id) for each in rules if each.programme_id is None]


async def unheeded(
    session: AsyncSession, tree: Tree, row: Schedule, places: Iterable[str], days: AbstractSet[date]
) -> list[UnheededOut]:
    """Give the calendars of ``places`` below a schedule's area that silence days on which it sounds there."""
    if not days:
        return []
    calendars, first, last = await Calendars.read(session, tree), min(days), max(days)
    followed = {each.id for each in tree.chain(row.area_id)}
    found: dict[str, set[date]] = defaultdict(set)
    for area_id in sorted(set(places)):
        said = calendars.of(area_id, first, last)
        for day in days & said.keys():
            for rule in said[day]:
                if rule.programme_id is None:
                    found[rule.calendar_id].add(day)
    rows = [await session.get_one(Calendar, calendar_id) for calendar_id in sorted(found)]
    return [
        UnheededOut(
            title=each.title,
            area_id=each.area_id,
            area_name=tree.places[each.area_id].name,
            dates=tuple(sorted(found[each.id])),
        )
        for each in rows
        if each.area_id not in followed
    ]


async def in_spite_of(session: AsyncSession, actor: Actor, tree: Tree, row: Schedule, day: date) -> list[str]:
    """Name the calendars against which somebody keeps a date. Those of an area above are not theirs to pass over.

    For those of its own area whoever may approve the schedule is asked, as for a date that is moved.

    Raises:
        ForbiddenError: one holds from above, and the person may not end its silence there.
    """
    calendars = await silencing(session, tree, row, day)
    for each in calendars:
        if each.area_id != row.area_id:
            await require_lifting(session, actor, tree, each)
    return [each.id for each in calendars]


async def require_lifting(session: AsyncSession, actor: Actor, tree: Tree, calendar: Calendar) -> None:
    """Let somebody end a calendar, or not.

    What sounds again has its yes; that it is silent was said later. So it takes who may approve there, unless the
    policy asks nobody but the author.

    Raises:
        ForbiddenError: no role of the person allows it there.
    """
    await rights.require(session, actor, Act.CALENDARS_WRITE, [calendar.area_id])
    if calendar.effect != OnCalendarDay.SUSPEND:
        return
    policy = tree.effective(calendar.area_id)
    if any(asks_another([policy], {None}, level) is not False for level in ROUTINE):
        await rights.require(session, actor, Act.APPROVALS_GIVE, [calendar.area_id])
