"""Hôm nay: did what should have sounded sound, what sounds, what comes, what failed and why, and how the nodes are."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.broadcasts.schemas import BroadcastOut
from controller.people.rights import Act
from web.pages.frame import overview_of, todays_runs, whole_page
from web.pages.setup import may_begin
from web.site import Site, Visit
from web.views.day_sentence import is_not_well
from web.views.standing import look_at, standing
from web.views.today import MOST_NAMED, TO_COME, day

MOST_EXPLAINED = 20
"""Failed broadcasts whose reasons are read; a day with more has another problem, which the strip tells."""


def _chosen(visit: Visit) -> str:
    """Tell which place is looked at; empty: all in sight. An address may say anything."""
    wanted = visit.request.query_params.get("place", "")
    return wanted if any(area.id == wanted for area in visit.areas) else ""


async def _runs(visit: Visit, place: str) -> list[BroadcastOut]:
    if not place:
        return await todays_runs(visit)
    return await visit.services.broadcasts.today(visit.actor, str(visit.form.zone), area_id=place)


async def _context(visit: Visit) -> dict[str, Any]:
    place = _chosen(visit)
    area_id = place or None
    async with visit.services.together():
        found = await (visit.services.overview.of(visit.actor, area_id) if place else overview_of(visit))
        runs = await _runs(visit, place)
        failed = [run.id for run in runs if is_not_well(run)][-MOST_EXPLAINED:]
        unmade = await visit.services.unaired.today(visit.actor, str(visit.form.zone), area_id)
        why = await visit.services.broadcasts.not_well(visit.actor, failed, area_id=area_id, most=MOST_NAMED)
        coming = [run.id for run in runs if run.phase in TO_COME]
        doubtful = await visit.services.overview.doubtful(visit.actor, coming, area_id)
    return {
        "day": day(runs, why, visit.form, unmade, doubtful=doubtful),
        "standing": standing(found, visit.areas, place, visit.form),
        "query": f"?place={place}" if place else "",
        "may_say": visit.may(Act.BROADCASTS_CREATE),
        "may_plan": visit.may(Act.SCHEDULES_WRITE),
        "may_alert": visit.may(Act.EMERGENCIES_PROPOSE),
    }


def add(router: APIRouter, site: Site) -> None:
    """Add the page and its live part."""

    @router.get("/")
    async def home() -> RedirectResponse:
        return RedirectResponse("/today", 303)

    @router.get("/today")
    async def today(request: Request) -> Response:
        visit = await site.visit(request)
        begins = may_begin(visit)
        if begins and not visit.areas:
            return RedirectResponse("/setup", 303)
        unfinished = begins and (await visit.services.overview.of(visit.actor)).total == 0
        place = visit.name_of(_chosen(visit))
        context = await _context(visit)
        context |= {"look_at": look_at(visit.areas, visit.form), "unfinished": unfinished}
        return await whole_page(visit, "today.html", place=place, **context)

    @router.get("/today/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_today.html", **await _context(visit))
