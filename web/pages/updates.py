"""Bản cập nhật: releases and how far they have come; a rollout is paused, let go on, stopped."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import LoaError, NotFoundError
from controller.names import in_reading_order
from controller.paging import MOST_ROWS, PAGE, part_of
from controller.people.rights import Act
from controller.search import kept, words
from controller.updates.schemas import RolloutNodeOut, RolloutOut, RolloutWithNodes
from web.forms import read_form
from web.listing import Asked, Filter, Listing, Rows, asked, csv_answer
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.pages.releases import may_add, opened
from web.problems import problem_text
from web.site import Site, Visit
from web.views import updates as views
from web.views.places import scope_names

FEW_RELEASES = 12
"""Beside the rollouts; all of them are a list of their own."""
MOST_ROLLOUTS = 500
"""The latest: looked through at once for a page, as a rollout takes days; a table to take along has them all."""
LEADS_TO = {"pause": "paused", "resume": "running", "stop": "stopped"}
"""What can be done with a rollout, and how it stands then."""


def _shown(visit: Visit, found: RolloutOut) -> views.Rollout:
    """Show a rollout with what this person may do with it."""
    may_start, may_halt = (visit.may(act, found.area_id) for act in (Act.ROLLOUTS_START, Act.ROLLOUTS_HALT))
    return views.rollout(found, scope_names(visit.areas, []), visit.form, may_start=may_start, may_halt=may_halt)


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return views.filters(visit.form)


async def _of_latest(visit: Visit, wish: Asked, most: int) -> tuple[list[RolloutOut], bool]:
    """Give what the address asks for of the latest ``most``, and whether there are older ones."""
    state, looked_for = wish.having.get("state"), words(wish.q)
    latest = await visit.services.rollouts.list(visit.actor, limit=most + 1)
    found = [
        each
        for each in latest[:most]
        if (not state or each.state == state) and all(word in kept([each.version]) for word in looked_for)
    ]
    found.sort(key=lambda each: (each.release if wish.sort == "release" else 0, each.created_at), reverse=wish.down)
    return found, len(latest) > most


async def _read(visit: Visit, wish: Asked) -> Rows[views.Rollout]:
    rollouts, is_cut = await _of_latest(visit, wish, MOST_ROLLOUTS)
    part = part_of(rollouts, wish.wanted())
    return Rows(tuple(_shown(visit, each) for each in part.rows), part.total, MOST_ROLLOUTS if is_cut else 0)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    places = scope_names(visit.areas, [])
    for each in (await _of_latest(visit, wish, MOST_ROWS + 1))[0]:
        yield views.exported(each, places, visit.form)


async def _releases(visit: Visit, _listing: Listing[views.Rollout]) -> dict[str, Any]:
    found = await visit.services.releases.list(visit.actor)
    return {
        "releases": [views.release(each, visit.form) for each in found[:FEW_RELEASES]],
        "may_start": visit.may(Act.ROLLOUTS_START),
        "may_add": may_add(visit),
    }


MANY = Many(
    path="/updates",
    title="updates.rollouts",
    template="updates.html",
    fragment="_updates.html",
    live=Live("all-rollouts", "rollout", pace=5),
    columns=views.COLUMNS,
    sort="created",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("cap-nhat", tuple(f"updates.{head}" for head in views.HEADS), _lines),
    around=_releases,
    visit=opened,
)


def _nodes_wish(visit: Visit) -> Asked:
    return asked(visit.request, views.NODE_COLUMNS, views.node_filters(visit.form), sort="need")


def _nodes_of(found: RolloutWithNodes, wish: Asked) -> list[RolloutNodeOut]:
    state, looked_for = wish.having.get("state"), words(wish.q)
    nodes = [
        each
        for each in found.nodes
        if (not state or each.state == state) and all(word in kept([each.node_name]) for word in looked_for)
    ]
    nodes.sort(key=lambda each: in_reading_order(each.node_name))
    if wish.sort == "need":
        nodes.sort(key=views.need)
    return nodes[::-1] if wish.down else nodes


async def _context(visit: Visit, rollout_id: str) -> dict[str, Any]:
    found = await visit.services.rollouts.get(visit.actor, rollout_id)
    narrow, wish = views.node_filters(visit.form), _nodes_wish(visit)
    part = part_of(_nodes_of(found, wish), wish.wanted(PAGE))
    rows = tuple(views.node_row(each, visit.form) for each in part.rows)
    path = f"/updates/{rollout_id}"
    listing = Listing(path, views.NODE_COLUMNS, narrow, wish, rows, part.total, default=("need", False))
    of_nodes = replace(listing, path=f"{path}/nodes")
    return {"of": _shown(visit, found), "listing": listing, "of_nodes": of_nodes, "live": of_nodes.link()}


async def _one(visit: Visit, rollout_id: str, problem: str = "") -> HTMLResponse:
    context = await _context(visit, rollout_id)
    return await whole_page(visit, "update.html", status=422 if problem else 200, problem=problem, **context)


async def _act(visit: Visit, rollout_id: str, act: str) -> None:
    known = visit.services.rollouts
    if act not in LEADS_TO:
        raise NotFoundError("there is no such act", resource="rollouts", id=act[:64])
    await {"pause": known.pause, "resume": known.resume, "stop": known.stop}[act](visit.actor, rollout_id)


def _add_nodes(router: APIRouter, site: Site) -> None:
    """Add the nodes of one: their live part, and their table."""

    @router.get("/updates/{rollout_id}/nodes")
    async def live_nodes(request: Request, rollout_id: str) -> HTMLResponse:
        visit = await opened(site, request)
        return visit.fragment("_update_nodes.html", **await _context(visit, rollout_id))

    @router.get("/updates/{rollout_id}/nodes.csv")
    async def nodes_taken_along(request: Request, rollout_id: str) -> Response:
        visit = await opened(site, request)
        found = await visit.services.rollouts.get(visit.actor, rollout_id)
        heads = [visit.text(head) for head in views.NODE_HEADS]
        rows = [views.node_exported(each, visit.form) for each in _nodes_of(found, _nodes_wish(visit))]
        return csv_answer("cap-nhat-tung-cum", heads, rows, visit.text)


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    add_many(router, site, MANY)

    @router.get("/updates/{rollout_id}")
    async def one(request: Request, rollout_id: str) -> HTMLResponse:
        return await _one(await opened(site, request), rollout_id)

    @router.get("/updates/{rollout_id}/live")
    async def live(request: Request, rollout_id: str) -> HTMLResponse:
        visit = await opened(site, request)
        return visit.fragment("_update.html", **await _context(visit, rollout_id))

    _add_nodes(router, site)

    @router.post("/updates/{rollout_id}")
    async def act(request: Request, rollout_id: str) -> Response:
        visit, typed = await opened(site, request), await read_form(request)
        try:
            await _act(visit, rollout_id, typed.one("act"))
        except NotFoundError:
            raise
        except LoaError as error:
            found = await visit.services.rollouts.get(visit.actor, rollout_id)
            if found.state == LEADS_TO[typed.one("act")]:  # whoever presses twice has what they asked for
                return back(f"/updates/{rollout_id}")
            return await _one(visit, rollout_id, problem_text(error, visit.form))
        return back(f"/updates/{rollout_id}", f"rollout_{typed.one('act')}")
