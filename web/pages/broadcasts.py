"""One broadcast, node by node, live; why a node sounds or does not; making up for it; taking it back."""

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.broadcasts.schemas import BroadcastOut, ReplayIn
from controller.errors import ConflictError, InvalidError
from controller.people.rights import Act
from web.forms import read_form
from web.pages.frame import whole_page
from web.problems import problem_text
from web.site import Site, Visit
from web.views.runs import groups, may_be_made_up, one_run
from web.views.say import replay
from web.views.why import why


async def _context(visit: Visit, broadcast_id: str) -> dict[str, Any]:
    run = await visit.services.broadcasts.get(visit.actor, broadcast_id)
    plays = await visit.services.broadcasts.plays(visit.actor, broadcast_id)
    nodes = {node.id: node for node in await visit.services.nodes.all(visit.actor)}
    holds = await visit.services.holds.active(visit.actor)
    return {
        "place": _place(run),
        "may_replay": may_be_made_up(run) and visit.may(Act.BROADCASTS_CREATE),
        "run": one_run(run, plays, nodes, visit.form),
        "groups": groups(plays, nodes, visit.form, holds),
    }


def _place(run: BroadcastOut) -> str:
    """Name where it is heard, if that is one place; else empty."""
    return run.targets[0].name if len(run.targets) == 1 else ""


async def _replay_page(visit: Visit, broadcast_id: str, problem: str = "") -> HTMLResponse:
    run = await visit.services.broadcasts.get(visit.actor, broadcast_id)
    try:
        found = await visit.services.replays.preview(visit.actor, broadcast_id, ReplayIn())
    except (ConflictError, InvalidError) as error:
        found, problem = None, problem or problem_text(error, visit.form)
    shown = replay(found, visit.form) if found else None
    return await whole_page(
        visit,
        "replay.html",
        place=_place(run),
        status=422 if problem else 200,
        run=run,
        replay=shown,
        problem=problem,
    )


def add(router: APIRouter, site: Site) -> None:
    """Add the page, its live part and its one act."""

    @router.get("/broadcasts/{broadcast_id}")
    async def broadcast(request: Request, broadcast_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return await whole_page(visit, "broadcast.html", **await _context(visit, broadcast_id))

    @router.get("/broadcasts/{broadcast_id}/live")
    async def live(request: Request, broadcast_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_broadcast.html", **await _context(visit, broadcast_id))

    @router.get("/nodes/{node_id}/broadcasts/{broadcast_id}/why")
    async def ask_why(request: Request, node_id: str, broadcast_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        found = await visit.services.whys.of(visit.actor, node_id, broadcast_id)
        node = await visit.services.nodes.get(visit.actor, node_id)
        return await whole_page(
            visit,
            "why.html",
            place=visit.name_of(node.area_id),
            why=why(found, node.name, visit.form),
            node_name=node.name,
            node_id=node_id,
            broadcast_id=broadcast_id,
        )

    @router.get("/broadcasts/{broadcast_id}/replay")
    async def look_at_replay(request: Request, broadcast_id: str) -> HTMLResponse:
        return await _replay_page(await site.visit(request), broadcast_id)

    @router.post("/broadcasts/{broadcast_id}/replay")
    async def replay_it(request: Request, broadcast_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        visit.prove(typed)
        wanted = ReplayIn(
            confirm_unusual=typed.one("confirm_unusual") == "yes",
            confirm_conflicts=typed.one("confirm_conflicts") == "yes",
        )
        try:
            made = await visit.services.replays.create(visit.actor, broadcast_id, wanted)
        except (ConflictError, InvalidError) as error:
            return await _replay_page(visit, broadcast_id, problem_text(error, visit.form))
        return RedirectResponse(f"/broadcasts/{made.id}", 303)

    @router.post("/broadcasts/{broadcast_id}/cancel")
    async def cancel(request: Request, broadcast_id: str) -> RedirectResponse:
        visit = await site.visit(request)
        await read_form(request)
        with suppress(ConflictError):  # cancelled or over in the meantime: the page says which
            await visit.services.broadcasts.cancel(visit.actor, broadcast_id)
        return RedirectResponse(f"/broadcasts/{broadcast_id}", 303)
