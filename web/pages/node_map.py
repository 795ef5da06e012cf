"""The map of the nodes: a page that works without pictures of the ground, and where everything stands as data."""

import hashlib
import json
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.http.session import signed_in
from web.pages.frame import whole_page
from web.site import Site, Visit
from web.views.node_lists import spot_rows, spots

LISTED = 50
"""Beside the map; the list of nodes has all of them, in pages."""
FEW = 300
"""So many may be looked at every 5 s: more are looked at every 20 s, as they are some 50 bytes each."""
A_DAY = "private, max-age=86400"


async def _context(visit: Visit) -> dict[str, Any]:
    found = await visit.services.node_lists.map(visit.actor)
    return {
        "count": len(found.spots),
        "listed": spot_rows(found.spots[:LISTED], visit.form),
        "unplaced": found.unplaced,
        "pace_s": 5 if len(found.spots) <= FEW else 20,
    }


def add(router: APIRouter, site: Site) -> None:
    """Add the page, its list, its data, and the pictures below it."""

    @router.get("/nodes/map")
    async def page(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return await whole_page(visit, "node_map.html", **await _context(visit), ground=visit.services.tiles.ground)

    @router.get("/nodes/map/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_map_list.html", **await _context(visit))

    @router.get("/nodes/map.json")
    async def data(request: Request) -> Response:
        visit = await site.visit(request)
        found = await visit.services.node_lists.map(visit.actor)
        body = json.dumps(spots(found.spots, visit.form), ensure_ascii=False, separators=(",", ":"))
        tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:24]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache, private", "Vary": "Cookie"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    @router.get("/tiles/{zoom}/{column}/{row}")
    async def tile(request: Request, zoom: int, column: int, row: int) -> Response:
        """Give a picture of the ground; where there is none, nothing: at the edge of a file that is no mistake."""
        await signed_in(request, site.services)
        found = await site.services.tiles.get(zoom, column, row)
        if found is None:
            return Response(status_code=204, headers={"Cache-Control": A_DAY})
        return Response(found.content, media_type=found.kind, headers={"Cache-Control": A_DAY})
