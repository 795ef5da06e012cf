"""Hôm nay: what sounds, what comes, what failed and why, and how the nodes are."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.broadcasts.schemas import BroadcastOut
from controller.nodes.schemas import NodeOut
from controller.people.rights import Act
from web.pages.frame import nodes_and_runs, whole_page
from web.site import Site, Visit
from web.views.places import tree
from web.views.runs import today_line
from web.words import NOT_WELL

MOST_EXPLAINED = 20
"""Failed broadcasts whose reasons are read; a day with more has another problem, which the strip tells."""


async def _context(visit: Visit, nodes: list[NodeOut], runs: list[BroadcastOut]) -> dict[str, Any]:
    failed = [run.id for run in runs if any(run.counts.get(name) for name in NOT_WELL)][-MOST_EXPLAINED:]
    plays = {run_id: await visit.services.broadcasts.plays(visit.actor, run_id) for run_id in failed}
    lines = [today_line(run, plays.get(run.id, []), visit.form) for run in runs]
    return {"run_lines": lines, "places": tree(visit.areas, nodes, visit.form)}


def add(router: APIRouter, site: Site) -> None:
    """Add the page and its live part."""

    @router.get("/")
    async def home() -> RedirectResponse:
        return RedirectResponse("/today", 303)

    @router.get("/today")
    async def today(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        nodes, runs = await nodes_and_runs(visit)
        may_say = visit.may(Act.BROADCASTS_CREATE)
        context = await _context(visit, nodes, runs)
        return await whole_page(visit, "today.html", nodes=nodes, runs=runs, may_say=may_say, **context)

    @router.get("/today/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        nodes, runs = await nodes_and_runs(visit)
        return visit.fragment("_today.html", **await _context(visit, nodes, runs))
