"""Ngày của cụm: what a node plays on a day, hour by hour, and what it refuses."""

from datetime import date, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller.schedules.days import FIRST_DAY, LAST_DAY
from web.pages.frame import whole_page
from web.pages.nodes import tabs
from web.site import Site, Visit
from web.views.day import entry_lines, unconfirmed_lines


def _day(visit: Visit) -> date:
    """Tell which day is looked at; an address may say anything."""
    try:
        day = date.fromisoformat(visit.request.query_params.get("date", ""))
    except ValueError:
        return visit.form.today()
    return min(max(day, FIRST_DAY + timedelta(days=1)), LAST_DAY - timedelta(days=1))


async def _page(visit: Visit, node_id: str) -> HTMLResponse:
    node = await visit.services.nodes.get(visit.actor, node_id)
    day = _day(visit)
    found = await visit.services.days.of(visit.actor, node_id, day)
    return await whole_page(
        visit,
        "node_day.html",
        place=visit.name_of(node.area_id),
        of=tabs(visit, node),
        said=visit.form.day(day),
        entries=entry_lines(found, visit.form),
        unconfirmed=unconfirmed_lines(found, visit.form),
        is_today=day == visit.form.today(),
        before=f"/nodes/{node_id}/day?date={(day - timedelta(days=1)).isoformat()}",
        after=f"/nodes/{node_id}/day?date={(day + timedelta(days=1)).isoformat()}",
        today=f"/nodes/{node_id}/day",
    )


def add(router: APIRouter, site: Site) -> None:
    """Add the page."""

    @router.get("/nodes/{node_id}/day")
    async def day(request: Request, node_id: str) -> HTMLResponse:
        return await _page(await site.visit(request), node_id)
