"""Nhật ký hoạt động: who did what, when."""

from dataclasses import replace
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.paging import PAGE, Wanted
from controller.people.rights import Act
from web.listing import Listing, asked, csv_answer, in_parts
from web.pages.frame import whole_page
from web.site import Site, Visit
from web.views.activity import COLUMNS, HEADS, Deed, deed, exported, filters
from web.views.places import scope_names
from web.views.spans import span_having


async def _wanted(visit: Visit) -> tuple[Listing[Deed], Wanted]:
    """Read what the address asks for."""
    narrow = filters(await visit.services.audit.people(visit.actor), visit.form)
    wish = asked(visit.request, COLUMNS, narrow, sort="at", down=True)
    listing: Listing[Deed] = Listing("/activity", COLUMNS, narrow, wish, (), 0, default=("at", True))
    return listing, replace(wish.wanted(PAGE), having=span_having(wish, visit.form))


def add(router: APIRouter, site: Site) -> None:
    """Add the list, and its table."""

    @router.get("/activity")
    async def page(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        listing, wanted = await _wanted(visit)
        found = await visit.services.audit.find(visit.actor, wanted)
        places = scope_names(visit.areas, [])
        people = visit.may(Act.PEOPLE_CHANGE)
        rows = tuple(deed(each, places, visit.form, people=people) for each in found.rows)
        return await whole_page(visit, "activity.html", listing=replace(listing, rows=rows, total=found.total))

    @router.get("/activity.csv")
    async def table(request: Request) -> Response:
        visit = await site.visit(request)
        _, wanted = await _wanted(visit)
        total = (await visit.services.audit.find(visit.actor, replace(wanted, offset=0, limit=1))).total
        await visit.services.audit.taken(visit.actor, "audit", total)
        heads = [visit.text(f"activity.{head}") for head in HEADS]
        places = scope_names(visit.areas, [])
        found = in_parts(partial(visit.services.audit.find, visit.actor), wanted)
        rows = (exported(entry, places, visit.form) async for entry in found)
        return csv_answer("nhat-ky-hoat-dong", heads, rows, visit.text)
