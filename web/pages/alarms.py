"""Cảnh báo: what administrators must know, and saying that one looks after it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import ConflictError
from controller.paging import MOST_ROWS, PAGE, part_of
from controller.search import kept, words
from web.forms import read_form
from web.listing import Asked, Listing, asked, csv_answer
from web.pages.frame import back, whole_page
from web.site import Site, Visit
from web.views.alarms import COLUMNS, HEADS, Line, filters, line

MOST = 500
"""The latest: looked through at once for a page; a table to take along has them all."""


def _wish(visit: Visit) -> Asked:
    return asked(visit.request, COLUMNS, filters(visit.areas, visit.text), sort="need")


async def _lines(visit: Visit, wish: Asked, most: int) -> tuple[list[Line], bool]:
    """Give what the address asks for of the latest ``most``, and whether there are older ones.

    Those that wait come first, unless it says otherwise.
    """
    state, area_id = wish.having.get("state"), wish.having.get("area")
    waiting = {"waiting": True, "acknowledged": False}.get(state or "")
    found = await visit.services.alarms.list(visit.actor, waiting=waiting, limit=most + 1)
    names = {area.id: area.name for area in visit.areas}
    emergencies = await visit.services.emergencies.list(visit.actor, limit=most)
    gone = {f"emergencies/{each.id}" for each in emergencies if each.state == "cancelled"}
    those = [each for each in found[:most] if not area_id or each.area_id == area_id]
    if wish.sort == "need":
        those.sort(key=lambda each: each.acknowledged_at is not None)
    if wish.down is (wish.sort == "need"):  # they come newest first
        those.reverse()
    lines = [line(each, names, visit.form, cancelled=each.subject in gone) for each in those]
    looked_for = words(wish.q)
    shown = [each for each in lines if all(word in kept([each.mark.word, each.said]) for word in looked_for)]
    return shown, len(found) > most


async def _listing(visit: Visit) -> dict[str, Any]:
    narrow, wish = filters(visit.areas, visit.text), _wish(visit)
    lines, is_cut = await _lines(visit, wish, MOST)
    part = part_of(lines, wish.wanted(PAGE))
    listing = Listing("/alarms", COLUMNS, narrow, wish, part.rows, part.total, default=("need", False))
    return {"listing": listing, "newest": MOST if is_cut else 0}


async def _table(lines: Sequence[Line]) -> AsyncIterator[Sequence[str]]:
    for each in lines:
        yield [each.mark.word, each.said]


def add(router: APIRouter, site: Site) -> None:
    """Add the page, its live part, its table and its one act."""

    @router.get("/alarms")
    async def alarms(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return await whole_page(visit, "alarms.html", **await _listing(visit))

    @router.get("/alarms/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_alarms.html", **await _listing(visit))

    @router.get("/alarms.csv")
    async def table(request: Request) -> Response:
        visit = await site.visit(request)
        lines, _ = await _lines(visit, _wish(visit), MOST_ROWS + 1)
        return csv_answer("canh-bao", [visit.text(key) for key in HEADS], _table(lines), visit.text)

    @router.post("/alarms/{alarm_id}/acknowledgement")
    async def acknowledge(request: Request, alarm_id: str) -> RedirectResponse:
        visit, typed = await site.visit(request), await read_form(request)
        listed = typed.one("next") if typed.one("next").partition("?")[0] == "/alarms" else "/alarms"
        try:
            await visit.services.alarms.acknowledge(visit.actor, alarm_id)
        except ConflictError:  # somebody did already: the page says who
            return back(listed)
        return back(listed, "acknowledged")
