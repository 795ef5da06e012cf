"""Cảnh báo: what administrators must know, and saying that one looks after it."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import ConflictError
from web.forms import read_form
from web.pages.frame import back, whole_page
from web.site import Site, Visit
from web.views.alarms import Line, line

MOST = 100


async def _lines(visit: Visit) -> list[Line]:
    found = await visit.services.alarms.list(visit.actor, limit=MOST)
    names = {area.id: area.name for area in visit.areas}
    waiting_first = sorted(found, key=lambda each: each.acknowledged_at is not None)
    emergencies = await visit.services.emergencies.list(visit.actor, limit=MOST)
    gone = {f"emergencies/{each.id}" for each in emergencies if each.state == "cancelled"}
    return [line(each, names, visit.form, cancelled=each.subject in gone) for each in waiting_first]


def add(router: APIRouter, site: Site) -> None:
    """Add the page, its live part and its one act."""

    @router.get("/alarms")
    async def alarms(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return await whole_page(visit, "alarms.html", alarms=await _lines(visit))

    @router.get("/alarms/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_alarms.html", alarms=await _lines(visit))

    @router.post("/alarms/{alarm_id}/acknowledgement")
    async def acknowledge(request: Request, alarm_id: str) -> RedirectResponse:
        visit = await site.visit(request)
        await read_form(request)
        try:
            await visit.services.alarms.acknowledge(visit.actor, alarm_id)
        except ConflictError:  # somebody did already: the page says who
            return back("/alarms")
        return back("/alarms", "acknowledged")
