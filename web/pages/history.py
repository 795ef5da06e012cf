"""Nhật ký phát thanh: what was aired, to whom, and what became of it."""

from dataclasses import replace
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.broadcasts.schemas import BroadcastOut
from controller.paging import PAGE, Found, Wanted
from controller.schedules.schemas import UnairedOut
from web.listing import Listing, asked, csv_answer, in_parts
from web.pages.frame import whole_page
from web.site import Site, Visit
from web.views.history import COLUMNS, HEADS, RunRow, exported, filters, row
from web.views.spans import span_having


def _wanted(visit: Visit) -> tuple[Listing[RunRow], Wanted]:
    """Read what the address asks for."""
    narrow = filters(visit.areas, visit.form)
    wish = asked(visit.request, COLUMNS, narrow, sort="start", down=True)
    listing: Listing[RunRow] = Listing("/history", COLUMNS, narrow, wish, (), 0, default=("start", True))
    return listing, replace(wish.wanted(PAGE), having=span_having(wish, visit.form))


async def _listing(visit: Visit) -> Listing[RunRow]:
    listing, wanted = _wanted(visit)
    found = await _find(visit, wanted)
    return replace(listing, rows=tuple(row(each, visit.form) for each in found.rows), total=found.total)


async def _find(visit: Visit, wanted: Wanted) -> Found[BroadcastOut | UnairedOut]:
    return await visit.services.history.find(visit.actor, wanted)


def add(router: APIRouter, site: Site) -> None:
    """Add the list, its live part and its table."""

    @router.get("/history")
    async def page(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return await whole_page(visit, "history.html", listing=await _listing(visit))

    @router.get("/history/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_history.html", listing=await _listing(visit))

    @router.get("/history.csv")
    async def table(request: Request) -> Response:
        visit = await site.visit(request)
        _, wanted = _wanted(visit)
        total = (await _find(visit, replace(wanted, offset=0, limit=1))).total
        await visit.services.audit.taken(visit.actor, "broadcasts", total)
        await visit.read_kinds()
        heads = [visit.text(f"history.{head}") for head in HEADS]
        runs = in_parts(partial(visit.services.history.find, visit.actor), wanted)
        return csv_answer("nhat-ky-phat-thanh", heads, (exported(run, visit.form) async for run in runs), visit.text)
