"""Cụm loa: all nodes by place, one node in words, adopting a node, adding a place."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import LoaError, NotFoundError
from controller.nodes.rules import NodeKind
from controller.nodes.schemas import NodeOut
from controller.people.rights import Act, may
from web.forms import Form, read_form
from web.pages.frame import nodes_and_runs, whole_page
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views.logs import Log, log_said
from web.views.nodes import Node, one_node
from web.views.places import choices, link_said, tree
from web.views.renewals import wishes

KINDS = ("hamlet", "commune", "district", "province")
MOST_FAULTS = 20
"""Of a node's history."""
OFFERED = ("self_test", "identify", "reference")
"""Commands of a node that its page offers."""
LOG = "send_log"
ADOPT_FIELDS, AREA_FIELDS = frozenset({"code", "area_id", "name"}), frozenset({"name", "parent_id"})


def _list_context(visit: Visit, nodes: list[NodeOut]) -> dict[str, Any]:
    return {"summary": link_said(nodes, visit.form), "places": tree(visit.areas, nodes, visit.form)}


def _may_add_roots(visit: Visit) -> bool:
    return any(grant.area_id is None and may(grant.role, Act.AREAS_CREATE) for grant in visit.person.grants)


async def _page(
    visit: Visit,
    *,
    adopt: Mapping[str, str] | None = None,
    area: Mapping[str, str] | None = None,
    problems: Mapping[str, Problems] | None = None,
) -> HTMLResponse:
    nodes, runs = await nodes_and_runs(visit)
    deepest = max((each for each in visit.areas), key=lambda each: each.depth, default=None)
    root = visit.areas[0].id if visit.areas else ""
    return await whole_page(
        visit,
        "nodes.html",
        nodes=nodes,
        runs=runs,
        status=422 if problems else 200,
        adopt=adopt or {"code": "", "name": "", "area_id": deepest.id if deepest else ""},
        area=area or {"name": "", "kind": "hamlet" if root else "commune", "parent_id": root},
        problems={"adopt": {}, "area": {}} | dict(problems or {}),
        adopt_into=choices(visit.places(Act.NODES_ADOPT)),
        add_under=choices(visit.places(Act.AREAS_CREATE)),
        may_add_roots=_may_add_roots(visit),
        no_places=not visit.areas,
        kinds=KINDS,
        wishes=wishes(await visit.services.renewals.waiting(visit.actor), visit.areas, visit.form),
        waiting=await visit.services.enrolments.waiting(visit.actor),
        **_list_context(visit, nodes),
    )


async def _adopt(visit: Visit, typed: Form) -> Response:
    values = {name: typed.one(name).strip() for name in ("code", "name", "area_id")}
    empty = {"code": "adopt.code_empty", "area_id": "adopt.area_empty", "name": "wrong.name_empty"}
    if lacking := {name: visit.text(key) for name, key in empty.items() if not values[name]}:
        return await _page(visit, adopt=values, problems={"adopt": lacking})
    try:
        await visit.services.enrolments.adopt(
            visit.actor, claim_code=values["code"], area_id=values["area_id"], name=values["name"]
        )
    except NotFoundError:
        return await _page(visit, adopt=values, problems={"adopt": {"code": visit.text("adopt.no_code")}})
    except LoaError as error:
        return await _page(visit, adopt=values, problems={"adopt": problems_of(error, visit.form, ADOPT_FIELDS)})
    return RedirectResponse("/nodes?done=node", 303)


async def _add_area(visit: Visit, typed: Form) -> Response:
    values = {name: typed.one(name).strip() for name in ("name", "kind", "parent_id")}
    try:
        await visit.services.areas.create(
            visit.actor,
            name=values["name"],
            kind=values["kind"] if values["kind"] in KINDS else "hamlet",
            parent_id=values["parent_id"] or None,
        )
    except LoaError as error:
        return await _page(visit, area=values, problems={"area": problems_of(error, visit.form, AREA_FIELDS)})
    return RedirectResponse("/nodes?done=area", 303)


async def _one(visit: Visit, node_id: str) -> Node:
    node = await visit.services.nodes.get(visit.actor, node_id)
    book = await visit.services.faults.list(visit.actor, node_id=node_id, limit=MOST_FAULTS)
    may = visit.may(Act.FAULTS_ACKNOWLEDGE, node.area_id)
    return one_node(node, await visit.services.days.of(visit.actor, node_id), visit.form, book, may_acknowledge=may)


async def _logs(visit: Visit, found: NodeOut) -> list[Log]:
    """Give what the node sent, or is to send; nothing to who may not read it."""
    if found.kind is not NodeKind.AGENT or not visit.may(Act.NODES_LOG, found.area_id):
        return []
    return [log_said(each, visit.form) for each in await visit.services.node_logs.list(visit.actor, found.id)]


async def node_page(visit: Visit, node_id: str, problem: str = "") -> HTMLResponse:
    """Show one node; ``problem`` says what was asked of it in vain."""
    found = await visit.services.nodes.get(visit.actor, node_id)
    return await whole_page(
        visit,
        "node.html",
        status=422 if problem else 200,
        place=visit.name_of(found.area_id),
        node=await _one(visit, node_id),
        offers=[each for each in OFFERED if each in found.commands and visit.may(Act.NODES_TEST, found.area_id)],
        problem=problem,
        logs=await _logs(visit, found),
        may_ask_log=LOG in found.commands and visit.may(Act.NODES_LOG, found.area_id),
        may_revoke=found.kind is NodeKind.AGENT and visit.may(Act.NODES_REVOKE, found.area_id),
    )


def add(router: APIRouter, site: Site) -> None:
    """Add the pages, their live parts and the two forms."""

    @router.get("/nodes")
    async def nodes(request: Request) -> HTMLResponse:
        return await _page(await site.visit(request))

    @router.get("/nodes/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_nodes.html", **_list_context(visit, await visit.services.nodes.all(visit.actor)))

    @router.get("/nodes/{node_id}")
    async def node(request: Request, node_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return await node_page(visit, node_id)

    @router.get("/nodes/{node_id}/live")
    async def node_live(request: Request, node_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_node.html", node=await _one(visit, node_id))

    @router.post("/nodes")
    async def adopt(request: Request) -> Response:
        visit = await site.visit(request)
        return await _adopt(visit, await read_form(request))

    @router.get("/areas")
    async def after_a_mistake() -> RedirectResponse:
        """Who loads the page anew after a mistake in its form asks for the form's address."""
        return RedirectResponse("/nodes", 303)

    @router.post("/areas")
    async def add_area(request: Request) -> Response:
        visit = await site.visit(request)
        return await _add_area(visit, await read_form(request))
