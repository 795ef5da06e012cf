"""Gộp, chuyển địa bàn: choose what comes into a place, see in words what that would change, do it."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.areas.move_schemas import MAX_MOVED, MoveIn, MoveOut, MoveSeenIn
from controller.areas.schemas import AreaOut
from controller.errors import ConflictError, InvalidError, LoaError
from controller.paging import Wanted
from controller.people.rights import Act
from web.forms import Form, read_form
from web.pages.frame import back, whole_page
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views.moves import sections
from web.views.places import Choice, choices

FIELDS = frozenset({"into", "areas", "nodes"})
MOST_CHOICES = 200
"""Places offered at once; of more only those that are no hamlets."""
MOST_NODES = 300


def _offered(places: Sequence[AreaOut], into: str) -> list[AreaOut]:
    """Give what may come into a place: neither itself nor what lies above it, nor what stands there already."""
    parents = {area.id: area.parent_id for area in places}
    above, at = {into}, parents.get(into)
    while at is not None:
        above.add(at)
        at = parents.get(at)
    found = [area for area in places if area.id not in above and area.parent_id != into]
    return found if len(found) <= MOST_CHOICES else [area for area in found if area.kind != "hamlet"][:MOST_CHOICES]


async def _nodes(visit: Visit, area_id: str) -> list[Choice]:
    if not any(area.id == area_id for area in visit.areas):
        return []
    wanted = Wanted(sort="name", limit=MOST_NODES, having={"area": area_id})
    found = await visit.services.node_lists.find(visit.actor, wanted)
    return [Choice(each.id, each.name) for each in found.rows]


async def _page(
    visit: Visit, typed: Form, *, found: MoveOut | None = None, problems: Problems | None = None
) -> HTMLResponse:
    places = visit.places(Act.AREAS_MOVE)
    into = typed.one("into")
    if not any(area.id == into for area in places):
        into = places[0].id if places else ""
    areas = typed.many("areas")
    context: dict[str, Any] = {
        "into": into,
        "into_name": visit.name_of(into),
        "goals": choices(places),
        "offered": choices(_offered(places, into)),
        "chosen": areas,
        "nodes_of": typed.one("nodes_of"),
        "node_places": choices([area for area in places if area.node_count]),
        "nodes": await _nodes(visit, typed.one("nodes_of")),
        "chosen_nodes": typed.many("nodes"),
    }
    return await whole_page(
        visit,
        "merge.html",
        status=422 if problems else 200,
        place=visit.name_of(into),
        problems=problems or {},
        found=sections(found, visit.form) if found else None,
        seen=found.sha256 if found else "",
        node_count=found.node_count if found else 0,
        **context,
    )


def _wish(typed: Form) -> dict[str, tuple[str, ...]]:
    """Take what is to move.

    Raises:
        InvalidError: nothing was chosen, or more than moves at once.
    """
    areas, nodes = tuple(typed.many("areas")), tuple(typed.many("nodes"))
    if not areas and not nodes:
        raise InvalidError("areas: choose what is to move", field="areas", problem="none_chosen")
    if max(len(areas), len(nodes)) > MAX_MOVED:
        raise InvalidError(f"areas: at most {MAX_MOVED} at once", field="areas", problem="too_many", most=MAX_MOVED)
    return {"areas": areas, "nodes": nodes}


async def _look(visit: Visit, typed: Form, problems: Problems | None = None) -> HTMLResponse:
    try:
        found = await visit.services.moves.preview(visit.actor, typed.one("into"), MoveIn(**_wish(typed)))
    except LoaError as error:
        return await _page(visit, typed, problems=problems_of(error, visit.form, FIELDS))
    return await _page(visit, typed, found=found, problems=problems)


async def _move(visit: Visit, typed: Form) -> Response:
    into = typed.one("into")
    try:
        wanted = MoveSeenIn(**_wish(typed), seen_sha256=typed.one("seen")[:64])
        await visit.services.moves.move(visit.actor, into, wanted)
    except ConflictError:
        return await _look(visit, typed, {"form": visit.text("moves.look_again")})
    except LoaError as error:
        return await _page(visit, typed, problems=problems_of(error, visit.form, FIELDS))
    return back(f"/places/{into}", "moved")


def add(router: APIRouter, site: Site) -> None:
    """Add the page and its two acts."""

    @router.get("/places/merge")
    async def ask(request: Request) -> Response:
        visit = await site.visit(request)
        visit.require(Act.AREAS_MOVE)
        query = request.query_params
        return await _page(visit, Form({key: query.getlist(key) for key in query}))

    @router.post("/places/merge")
    async def merge(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        return await (_move(visit, typed) if typed.one("seen") else _look(visit, typed))
