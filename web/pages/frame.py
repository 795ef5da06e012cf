"""What every page of a signed-in person stands in: head, strip and STOP; and the strip by itself."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.broadcasts.schemas import BroadcastOut
from controller.nodes.schemas import NodeOut
from controller.people.rights import Act
from web.forms import own_path
from web.offers import DESK, MENU, offered
from web.site import Site, Visit, here
from web.views.places import own_scopes, stop_places
from web.views.release import starts_at_release
from web.views.strip import Calls, Strip, strip
from web.words import Mark

DONE = {
    "ordered": "hold.ordered",
    "released": "hold.released",
    "area": "area.added",
    "node": "adopt.added",
    "saved": "done.saved",
    "ended": "done.ended",
    "date": "done.date",
    "acknowledged": "done.acknowledged",
    "person": "done.person",
    "approved": "done.approved",
    "returned": "done.returned",
    "withdrawn": "done.withdrawn",
    "seen": "done.seen",
    "asked": "done.asked",
    "revoked": "done.revoked",
    "renewal": "done.renewal",
}
"""What an act that leads back to a page may say there."""
MOST_EMERGENCIES = 10
UNDONE = {"unsent": "stop.unsent"}
"""The same for an act that did not happen."""


async def nodes_and_runs(visit: Visit) -> tuple[list[NodeOut], list[BroadcastOut]]:
    """Read what most pages need."""
    services, actor = visit.services, visit.actor
    return await asyncio.gather(services.nodes.all(actor), services.broadcasts.today(actor, str(visit.form.zone)))


async def read_strip(visit: Visit, nodes: Sequence[NodeOut], runs: Sequence[BroadcastOut]) -> Strip:
    """Read what stands on top."""
    holds = await visit.services.holds.active(visit.actor)
    starts = starts_at_release(holds, runs, visit.areas, nodes, visit.form)
    return strip(holds, nodes, runs, visit.form, await _calls(visit), starts=starts)


async def _calls(visit: Visit) -> Calls:
    """Read what waits for this very person."""
    services, actor, me = visit.services, visit.actor, visit.person.id
    emergencies = await services.emergencies.list(actor, limit=MOST_EMERGENCIES)
    asked = await services.approvals.list(actor) if visit.may(Act.APPROVALS_GIVE) else []
    may_look = visit.may(Act.ALARMS_ACKNOWLEDGE)
    alarms = await services.alarms.list(actor, waiting=True) if may_look else []
    return Calls(emergencies, sum(each.asked_by_id != me for each in asked), len(alarms))


async def whole_page(
    visit: Visit,
    template: str,
    *,
    nodes: Sequence[NodeOut] | None = None,
    runs: Sequence[BroadcastOut] | None = None,
    status: int = 200,
    place: str = "",
    **context: Any,
) -> HTMLResponse:
    """Answer with a page in its frame; ``place``: what the page is about, else where the person belongs.

    ``nodes`` and ``runs`` spare reading them twice.
    """
    if nodes is None or runs is None:
        nodes, runs = await nodes_and_runs(visit)
    offset = visit.form.now.astimezone(visit.form.zone).utcoffset()
    return visit.fragment(
        template,
        status=status,
        person=visit.person,
        place=place or _own_place(visit),
        zone_minutes=int(offset.total_seconds() // 60) if offset else 0,
        strip=await read_strip(visit, nodes, runs),
        stop_places=stop_places(visit.places(Act.HOLDS_ORDER)),
        menu=offered(MENU, visit.person, visit.actor),
        desk=offered(DESK, visit.person, visit.actor),
        section="/" + here(visit.request).split("?")[0].split("/")[1],
        notice=_notice(visit),
        **context,
    )


def _own_place(visit: Visit) -> str:
    """Name the place of whom the page belongs to: the uppermost area when there is one alone, else none."""
    tops = own_scopes(visit.areas)
    return visit.areas[0].name if len(tops) == 1 else visit.text("app.name")


def back(path: str, done: str = "") -> RedirectResponse:
    """Lead to a page of ours after an act, and say there what was done."""
    return RedirectResponse(f"{urlsplit(own_path(path)).path}?done={done}", 303)


def _notice(visit: Visit) -> Mark | None:
    """Say what became of the act that led here."""
    done = visit.request.query_params.get("done", "")
    if done in UNDONE:
        return Mark("triangle", "stop", visit.text(UNDONE[done]))
    return Mark("ready", "good", visit.text(DONE[done])) if done in DONE else None


def add(router: APIRouter, site: Site) -> None:
    """Add the strip as a fragment of its own."""

    @router.get("/strip")
    async def strip_again(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        nodes, runs = await nodes_and_runs(visit)
        return visit.fragment("_strip.html", strip=await read_strip(visit, nodes, runs))
