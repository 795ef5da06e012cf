"""Gửi xuống cấp dưới: a bulletin that an area offers to those below, what came from above, and where it is placed."""

from datetime import timedelta
from typing import Any

from controller.bulletins.schemas import BulletinOut, OfferIn
from controller.errors import InvalidError
from controller.paging import Wanted
from controller.people.rights import Act
from web.forms import Form, day_of
from web.site import Visit
from web.views import handing_down as views
from web.views.airings import airing_lines

MOST_FROM_ABOVE = 5
"""Bulletins from above that stand before the list; all of them stand in it."""
MOST_AHEAD = timedelta(days=3660)
"""An offer without an end says so; a year far away is a slip."""


def acts(visit: Visit, known: BulletinOut) -> dict[str, bool]:
    """Say which acts to offer; there must be somebody to offer it to."""
    may = visit.may(Act.BULLETINS_OFFER, known.area_id) and bool(views.below(known, visit.areas))
    return {"offer": may and known.state == "approved", "end_offer": may and known.offered_at is not None}


async def part(visit: Visit, known: BulletinOut, typed: Form | None, problem: str) -> dict[str, Any]:
    """Give what the page of a bulletin shows of it; ``typed``: what was refused, and why."""
    approved, may_place = known.state == "approved", visit.may(Act.PROGRAMMES_WRITE)
    shown: dict[str, Any] = {"handed": None, "ended": [], "takers": None, "until": "", "until_wrong": {}}
    if approved and may_place:
        rows = await visit.services.programmes.list(visit.actor, templates=False)
        places = visit.places(Act.PROGRAMMES_WRITE)
        shown["takers"] = views.takers(known, rows, places, visit.form.now)[: views.MOST_PROGRAMMES]
    if not approved or known.from_above or not views.below(known, visit.areas):
        return shown
    if known.offered_at is None and not visit.may(Act.BULLETINS_OFFER, known.area_id):
        return shown
    airings = await visit.services.airings.of_bulletin(visit.actor, known.id)
    shown["handed"] = views.handed(known, visit.areas, await _owed(visit, known), airings, visit.form)
    shown["ended"] = airing_lines([each for each in airings if each.area_id != known.area_id], visit.form)
    shown["until"] = shown["handed"].until
    if typed and typed.one("act") == "offer":
        shown |= {"until": typed.one("until"), "until_wrong": {"until": problem}}
    return shown


async def _owed(visit: Visit, known: BulletinOut) -> set[str]:
    """Name the areas that owe it, as priority is owed."""
    if known.level != "priority" or known.offered_at is None:
        return set()
    found = await visit.services.bulletins.list(visit.actor, area_id=known.area_id, owed=True, limit=200)
    return {place.area_id for each in found if each.id == known.id for place in each.owed_in}


async def from_above(visit: Visit) -> dict[str, Any]:
    """Give what stands before the list of bulletins: what areas above sent, what they ask for first."""
    wanted = Wanted(sort="saved", down=True, limit=MOST_FROM_ABOVE, having={"of": "above"})
    found = await visit.services.bulletins.find(visit.actor, wanted)
    if not found.rows:
        return {"above": (), "above_count": 0}
    asked = [each for each in await visit.services.bulletins.list(visit.actor, owed=True) if each.from_above]
    owed = {each.id for each in asked}
    first = [*asked, *(each for each in found.rows if each.id not in owed)][: max(MOST_FROM_ABOVE, len(asked))]
    return {"above": [views.from_above(each, owed, visit.form) for each in first], "above_count": found.total}


async def offer(visit: Visit, bulletin_id: str, version: int, typed: Form) -> None:
    """Offer it to the areas below, until the end of a day if one was typed.

    Raises:
        InvalidError: that is no day, or one that is over.
    """
    until, said = None, typed.one("until").strip()
    if said:
        day = day_of(said, visit.form.today())
        if day is None or not visit.form.today() <= day <= visit.form.today() + MOST_AHEAD:
            raise InvalidError("until: no day to come", field="until_at", problem="past")
        until = visit.form.at(day + timedelta(days=1), 0, 0)
    await visit.services.bulletins.offer(visit.actor, bulletin_id, OfferIn(version=version, until_at=until))
