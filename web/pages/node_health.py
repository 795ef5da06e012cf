"""A node over time: how it was, what became of its plays, and what of ours sounds there now."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.listing import Asked, Filter, Listing, Rows, in_parts
from web.pages.frame import whole_page
from web.pages.many import Live, Many, Table, add_many
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


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return play_filters(visit.text)


async def _read(visit: Visit, wish: Asked) -> Rows[PlayRow]:
    found = await visit.services.node_plays.find(visit.actor, visit.request.path_params["node_id"], wish.wanted())
    return Rows(tuple(play_row(each, visit.form) for each in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    node_id = visit.request.path_params["node_id"]
    async for play in in_parts(partial(visit.services.node_plays.find, visit.actor, node_id), wish.wanted()):
        row = play_row(play, visit.form)
        yield [row.at, row.title, in_words(row.mark, visit.text), row.why]


async def _node(visit: Visit, _listing: Listing[PlayRow]) -> dict[str, Any]:
    found = await visit.services.nodes.get(visit.actor, visit.request.path_params["node_id"])
    return {"place": visit.name_of(found.area_id), "of": tabs(visit, found)}


PLAYS = Many(
    path="/nodes/{node_id}/plays",
    title="node.tab_plays",
    template="node_plays.html",
    fragment="_node_plays.html",
    live=Live("plays", "play node broadcast* approval*", pace=5),
    columns=PLAY_COLUMNS,
    sort="start",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("ket-qua-phat", tuple(f"node_plays.{head}" for head in HEADS), _lines),
    around=_node,
)


def add(router: APIRouter, site: Site) -> None:
    """Add the three pages."""

    @router.get("/nodes/{node_id}/health")
    async def health(request: Request, node_id: str) -> HTMLResponse:
        return await _health(await site.visit(request), node_id)

    add_many(router, site, PLAYS)

    @router.get("/nodes/{node_id}/now")
    async def now(request: Request, node_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        found = await visit.services.nodes.get(visit.actor, node_id)
        sounds = await visit.services.node_plays.sounds(visit.actor, node_id)
        place = visit.name_of(found.area_id)
        player = sounding(sounds, visit.form) if sounds else None
        of = tabs(visit, found)
        return await whole_page(visit, "node_now.html", place=place, of=of, sounds=sounds, recording=player)
