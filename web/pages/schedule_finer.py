"""The finer fields of a schedule's form: how it begins and ends, what fills it up, its order; and finding a filler."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller.errors import NotFoundError
from controller.paging import Wanted
from controller.schedules.schemas import ScheduleOut
from web.site import Site, Visit
from web.views import schedule_finer as views
from web.views.schedule_finer import Finer

MOST_FILLERS = 30
"""Recordings that are listed at once; others are found by their words."""


async def finer_context(
    visit: Visit, typed: Finer | None, known: ScheduleOut | None, problems: Mapping[str, str]
) -> dict[str, Any]:
    """Give what ``_schedule_finer.html`` shows."""
    finer = typed or (views.finer_of(known, visit.form) if known else Finer())
    return {
        "finer": asdict(finer),
        "finer_open": finer != Finer() or not views.FIELDS.isdisjoint(problems),
        "finer_options": views.options(visit.form),
        "zones": views.zone_choices((each.effective.zone for each in visit.areas), finer.zone, visit.form),
        **await _fillers(visit, "", finer.filler),
    }


async def filler_title(visit: Visit, recording_id: str) -> str:
    """Name what fills a schedule up."""
    try:
        return (await visit.services.recordings.get(visit.actor, recording_id)).title
    except NotFoundError:
        return visit.text("finer.filler_gone")


async def _fillers(visit: Visit, query: str, chosen: str) -> dict[str, Any]:
    """List recordings that hold the words of ``query``, the newest first; before them what is chosen."""
    wanted = Wanted(" ".join(query[:200].split()), limit=MOST_FILLERS, down=True, having={"state": "ready"})
    found = await visit.services.library.find(visit.actor, wanted)
    rows = [(each.id, each.title) for each in found.rows if each.id != chosen]
    first = [(chosen, await filler_title(visit, chosen))] if chosen else []
    return {"filler": chosen, "fillers": first + rows, "more_fillers": max(0, found.total - len(found.rows))}


def add(router: APIRouter, site: Site) -> None:
    """Add the part of the form that is asked for while somebody types."""

    @router.get("/schedules/fillers")
    async def fillers(request: Request) -> HTMLResponse:
        visit, asked = await site.visit(request), request.query_params
        found = await _fillers(visit, asked.get("find", ""), asked.get("filler", "")[:64])
        return visit.fragment("_fillers.html", **found)
