"""A node over time: how it was, what became of its plays, and what of ours sounds there now."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.paging import PAGE, Wanted
from web.listing import Listing, asked, csv_answer, in_parts
from web.pages.frame import whole_page
from web.pages.nodes import tabs
from web.site import Site, Visit
from web.views.node_health import FIGURES, SPANS, curves
from web.views.node_lists import PLAY_COLUMNS, PlayRow, play_filters, play_row
from web.views.recordings import sounding
from web.words import in_words

HEADS = ("start", "title", "result", "why")


async def _health(visit: Visit, node_id: str) -> HTMLResponse:
    asked_days = visit.request.query_params.get("days", "1")
    days = int(asked_days) if asked_days in {str(each) for each in SPANS} else 1
    found = await visit.services.nodes.get(visit.actor, node_id)
    until = visit.services.clock()
    told = await visit.services.node_health.of(visit.actor, node_id, until - timedelta(days=days), until)
    return await whole_page(
        visit,
        "node_health.html",
        place=visit.name_of(found.area_id),
        of=tabs(visit, found),
        days=days,
        spans=tuple(SPANS),
        figures=FIGURES,
        curves=curves(told, days, found.enrolled_at, visit.form),
        zone=str(visit.form.zone),
    )


async def _plays(visit: Visit, node_id: str, limit: int = PAGE) -> Listing[PlayRow]:
    filters = play_filters(visit.text)
    wanted = asked(visit.request, PLAY_COLUMNS, filters, sort="start", down=True)
    found = await visit.services.node_plays.find(visit.actor, node_id, wanted.wanted(limit))
    rows, path = tuple(play_row(each, visit.form) for each in found.rows), f"/nodes/{node_id}/plays"
    return Listing(path, PLAY_COLUMNS, filters, wanted, rows, found.total, default=("start", True))


async def _table(visit: Visit, node_id: str, wanted: Wanted) -> AsyncIterator[Sequence[str]]:
    async for play in in_parts(partial(visit.services.node_plays.find, visit.actor, node_id), wanted):
        row = play_row(play, visit.form)
        yield [row.at, row.title, in_words(row.mark, visit.text), row.why]


def add(router: APIRouter, site: Site) -> None:
    """Add the three pages."""

    @router.get("/nodes/{node_id}/health")
    async def health(request: Request, node_id: str) -> HTMLResponse:
        return await _health(await site.visit(request), node_id)

    @router.get("/nodes/{node_id}/plays")
    async def plays(request: Request, node_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        found = await visit.services.nodes.get(visit.actor, node_id)
        place, listing = visit.name_of(found.area_id), await _plays(visit, node_id)
        return await whole_page(visit, "node_plays.html", place=place, of=tabs(visit, found), listing=listing)

    @router.get("/nodes/{node_id}/plays.csv")
    async def table(request: Request, node_id: str) -> Response:
        visit = await site.visit(request)
        listing = await _plays(visit, node_id, 1)
        heads = [visit.text(f"node_plays.{head}") for head in HEADS]
        rows = _table(visit, node_id, listing.asked.wanted())
        return csv_answer("ket-qua-phat", heads, rows, visit.text)

    @router.get("/nodes/{node_id}/now")
    async def now(request: Request, node_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        found = await visit.services.nodes.get(visit.actor, node_id)
        sounds = await visit.services.node_plays.sounds(visit.actor, node_id)
        place = visit.name_of(found.area_id)
        player = sounding(sounds, visit.form) if sounds else None
        of = tabs(visit, found)
        return await whole_page(visit, "node_now.html", place=place, of=of, sounds=sounds, recording=player)
