"""One broadcast, node by node, live; why a node sounds or does not; and taking it back."""

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import ConflictError
from web.forms import read_form
from web.pages.frame import whole_page
from web.site import Site, Visit
from web.views.runs import groups, one_run
from web.views.why import why


async def _context(visit: Visit, broadcast_id: str) -> dict[str, Any]:
    run = await visit.services.broadcasts.get(visit.actor, broadcast_id)
    plays = await visit.services.broadcasts.plays(visit.actor, broadcast_id)
    nodes = {node.id: node for node in await visit.services.nodes.all(visit.actor)}
    holds = await visit.services.holds.active(visit.actor)
    return {"run": one_run(run, plays, nodes, visit.form), "groups": groups(plays, nodes, visit.form, holds)}


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
        name = (await visit.services.nodes.get(visit.actor, node_id)).name
        return await whole_page(
            visit,
            "why.html",
            why=why(found, name, visit.form),
            node_name=name,
            node_id=node_id,
            broadcast_id=broadcast_id,
        )

    @router.post("/broadcasts/{broadcast_id}/cancel")
    async def cancel(request: Request, broadcast_id: str) -> RedirectResponse:
        visit = await site.visit(request)
        await read_form(request)
        with suppress(ConflictError):  # cancelled or over in the meantime: the page says which
            await visit.services.broadcasts.cancel(visit.actor, broadcast_id)
        return RedirectResponse(f"/broadcasts/{broadcast_id}", 303)
