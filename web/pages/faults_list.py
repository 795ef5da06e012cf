"""Sự cố: open faults, what asks for a hand first, with whom to call."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.faults.schemas import FaultEntryOut
from controller.people.rights import Act
from web.listing import Asked, Listing, asked, csv_answer, in_parts
from web.pages.frame import whole_page
from web.site import Site, Visit
from web.views.node_lists import FAULT_COLUMNS, FaultRow, fault_filters, fault_row

HEADS = ("what", "node", "place", "since_head", "said")


def _wish(visit: Visit) -> Asked:
    return asked(visit.request, FAULT_COLUMNS, fault_filters(visit.areas, visit.text), sort="need")


async def _listing(visit: Visit) -> dict[str, Any]:
    filters, wanted = fault_filters(visit.areas, visit.text), _wish(visit)
    found = await visit.services.faults.find(visit.actor, wanted.wanted())
    rows = await _rows(visit, found.rows)
    listing = Listing("/faults", FAULT_COLUMNS, filters, wanted, rows, found.total, default=("need", False))
    return {"listing": listing}


async def _rows(visit: Visit, faults: Sequence[FaultEntryOut]) -> tuple[FaultRow, ...]:
    areas = {each.area_id for each in faults}
    contacts = await visit.services.contacts.of_areas(visit.actor, areas)
    may_in = {area.id for area in visit.places(Act.FAULTS_ACKNOWLEDGE)}
    names = {area.id: area.name for area in visit.areas}
    rows = []
    for each in faults:
        call = next((one for one in contacts.get(each.area_id, ()) if one.phone), None)
        may = each.area_id in may_in
        rows.append(fault_row(each, names.get(each.area_id, ""), call, visit.form, may_acknowledge=may))
    return tuple(rows)


async def _table(visit: Visit) -> AsyncIterator[Sequence[str]]:
    names = {area.id: area.name for area in visit.areas}
    found = in_parts(partial(visit.services.faults.find, visit.actor), _wish(visit).wanted())
    async for each in found:
        row = fault_row(each, names.get(each.area_id, ""), None, visit.form, may_acknowledge=False)
        yield [row.entry.mark.word, row.node_name, row.place, row.since, row.entry.said]


def add(router: APIRouter, site: Site) -> None:
    """Add the list, its live part and its table."""

    @router.get("/faults")
    async def page(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return await whole_page(visit, "faults.html", **await _listing(visit))

    @router.get("/faults/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_faults.html", **await _listing(visit))

    @router.get("/faults.csv")
    async def table(request: Request) -> Response:
        visit = await site.visit(request)
        return csv_answer("su-co", [visit.text(f"faults.{head}") for head in HEADS], _table(visit), visit.text)
