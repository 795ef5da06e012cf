"""Where something is to be heard: places and nodes to choose from, opened as they are wanted, or picked on a map."""

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.areas.schemas import AreaOut
from controller.errors import NotFoundError
from controller.names import in_reading_order
from controller.nodes.schemas import NodeOut
from controller.people.rights import Act
from web.pages.frame import nodes_of, overview_of
from web.site import Site, Visit
from web.views.node_lists import counts_said
from web.views.places import Place, Whole
from web.views.targets import Read, choosable, counted, node_lines, on_a_map, still_there

ABOVE_COMMUNES = frozenset({"country", "province", "city", "district"})
"""Kinds of places of which nobody means all without saying so."""
MOST_NODES = 60
"""With no more in sight, all nodes stand on the first page."""
MOST_ASKED = 100
"""Places asked about at once; tree.js asks about fewer."""
_NODE = re.compile(r"nodes/([\w-]{1,64})")


def own_place(visit: Visit) -> AreaOut | None:
    """Give the one commune or hamlet in which this person works: all of it is what they mean, unless they say else."""
    places = visit.places(Act.BROADCASTS_CREATE)
    known = {area.id for area in places}
    tops = [area for area in places if area.parent_id not in known]
    if len(tops) != 1 or tops[0].kind in ABOVE_COMMUNES or not tops[0].node_count:
        return None
    return tops[0]


async def whole_of(visit: Visit) -> Whole | None:
    """Give the place that can be chosen as one; None: there is none for this person."""
    area = own_place(visit)
    if area is None:
        return None
    found = await visit.services.overview.of(visit.actor, area.id)
    return Whole(area.scope, area.name, counts_said(found, visit.form))


async def to_choose(visit: Visit, chosen: Collection[str], areas: Sequence[AreaOut] | None = None) -> tuple[Place, ...]:
    """Give what a form shows to choose from (``_targets.html``); ``areas``: where, None being all that is in sight.

    What it costs grows with the places, not with the nodes.
    """
    areas = visit.areas if areas is None else areas
    found = await overview_of(visit)
    if found.total <= MOST_NODES:
        read = _by_area(await nodes_of(visit), {area.id for area in areas})
    else:
        ids = [scope.removeprefix("nodes/") for scope in chosen if scope.startswith("nodes/")]
        some = await visit.services.nodes.some(visit.actor, ids) if ids else []
        read = await _read(visit, {node.area_id for node in some})
    return choosable(areas, counted(areas, found), read, chosen, visit.form)


async def _read(visit: Visit, area_ids: Collection[str]) -> Read:
    """Read the nodes that stand in some places themselves."""
    if not area_ids:
        return {}
    stands = await visit.services.overview.stands(visit.actor)
    ids = [each.node.id for each in stands if each.node.area_id in area_ids]
    return _by_area(await visit.services.nodes.some(visit.actor, ids), area_ids)


def _by_area(nodes: Sequence[NodeOut], area_ids: Collection[str]) -> Read:
    found: dict[str, list[NodeOut]] = {area_id: [] for area_id in area_ids}
    for node in sorted(nodes, key=lambda each: (in_reading_order(each.name), each.id)):
        if node.area_id in found:
            found[node.area_id].append(node)
    return found


def _area(visit: Visit, area_id: str) -> AreaOut:
    for area in visit.areas:
        if area.id == area_id:
            return area
    raise NotFoundError("there is no such area", resource="areas", id=area_id[:64])


def _as_json(found: Any) -> Response:
    body = json.dumps(found, ensure_ascii=False)
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store", "Vary": "Cookie"})


def add(router: APIRouter, site: Site) -> None:
    """Add what is in a place, its nodes, and all that can be picked on a map."""

    @router.get("/targets/map.json")
    async def spots(request: Request) -> Response:
        visit = await site.visit(request)
        return _as_json(on_a_map(await visit.services.node_lists.map(visit.actor), visit.areas, visit.form))

    @router.get("/targets/chosen.json")
    async def chosen(request: Request) -> Response:
        """Tell of what was chosen in a draft what it is called now; what is not there, or out of sight, is left out."""
        visit = await site.visit(request)
        scopes = list(dict.fromkeys(request.query_params.getlist("scope")[:MOST_ASKED]))
        ids = [found[1] for scope in scopes if (found := _NODE.fullmatch(scope))]
        nodes = await visit.services.nodes.some(visit.actor, ids) if ids else []
        return _as_json(still_there(scopes, visit.areas, nodes))

    @router.get("/targets/{area_id}")
    async def inside(request: Request, area_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        top = _area(visit, area_id)
        areas = [area for area in visit.areas if area.path[: len(top.path)] == top.path]
        [place] = await to_choose(visit, (), areas)
        return visit.fragment("_targets_inside.html", place=place)

    @router.get("/targets/{area_id}/nodes")
    async def nodes(request: Request, area_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        found = await _read(visit, {_area(visit, area_id).id})
        return visit.fragment("_targets_inside.html", place=None, nodes=node_lines(found[area_id], visit.form))
