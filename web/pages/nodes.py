"""Cụm loa: the list of nodes, one node in words, adopting a node."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import LoaError, NotFoundError
from controller.nodes.rules import NodeKind
from controller.nodes.schemas import ContactOut, NodeOut
from controller.overview.schemas import Overview
from controller.paging import Wanted
from controller.people.rights import Act
from web.forms import Form, read_form
from web.listing import Asked, Filter, Listing, Rows, piece_by_piece
from web.offers import ENTRIES
from web.pages.frame import whole_page
from web.pages.many import Live, Many, Table, add_many
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views.logs import Log, log_said
from web.views.node_lists import NODE_COLUMNS, NodeRow, counts_said, exported, node_filters, node_row, play_row
from web.views.nodes import Node, one_node
from web.views.places import choices, own_scopes
from web.views.renewals import wishes

MOST_FAULTS = 20
"""Of a node's history."""
FEW_PLAYS = 5
"""On a node's own page; the others are on a page of their own."""
OFFERED = ("self_test", "identify", "reference", "restart")
"""Commands of a node that its page offers."""
LOG = "send_log"
ADOPT_FIELDS = frozenset({"code", "area_id", "name"})
MUTE_FIELDS = frozenset({"area_id", "name"})
MUTE = (NodeKind.WIRED, NodeKind.FM)
"""Kinds of clusters that report nothing; the most common first."""
ADD_PLACE, ADD_NODE = "/places#add", "#adopt"
HEADS = ("name", "place", "state", "fault", "heard", "software", "latitude", "longitude")


async def _standing(visit: Visit) -> Overview:
    """Read how all nodes stand, once a visit."""
    if "standing" not in visit.extra:
        visit.extra["standing"] = await visit.services.overview.of(visit.actor)
    found: Overview = visit.extra["standing"]
    return found


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return node_filters(visit.areas, await _standing(visit), visit.form, visit.request.query_params.get("fault", ""))


async def _read(visit: Visit, wish: Asked) -> Rows[NodeRow]:
    found = await visit.services.node_lists.find(visit.actor, wish.wanted())
    own = _own_name(visit)
    return Rows(tuple(node_row(node, visit.form, own) for node in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    ids = await visit.services.node_lists.ids(visit.actor, wish.wanted())
    async for node in piece_by_piece(ids, partial(visit.services.nodes.some, visit.actor)):
        yield exported(node, visit.form)


async def _summary(visit: Visit, _listing: Listing[NodeRow]) -> dict[str, Any]:
    found = await _standing(visit)
    return {"summary": counts_said(found, visit.form), "any": found.total > 0, "begin": _begin(visit)}


def _begin(visit: Visit) -> tuple[str, str, str]:
    """Say what is lacking where there is no node, and the next act, with its address, of who may do it."""
    if not visit.areas:
        may = visit.may_everywhere(Act.AREAS_CREATE)
        return ("nodes.no_place", "nodes.add_place", ADD_PLACE) if may else ("nodes.no_place_here", "", "")
    if visit.may(Act.NODES_ADOPT):
        return "nodes.no_node", "nodes.add_node", ADD_NODE
    return "nodes.no_node_here", "", ""


def _own_name(visit: Visit) -> str:
    """Name the one place that all in sight belongs to; none: there are several."""
    return visit.areas[0].name if len(own_scopes(visit.areas)) == 1 else ""


async def _adding(visit: Visit, _listing: Listing[NodeRow]) -> dict[str, Any]:
    """Give what stands beside the list: wishes of nodes, and the forms that add one."""
    into = visit.places(Act.NODES_ADOPT)
    only = into[0].id if len(into) == 1 else ""
    return {
        "adopt": {"code": "", "name": "", "area_id": only},
        "mute": {"kind": MUTE[0], "name": "", "area_id": only},
        "mute_kinds": [(each, visit.text(f"nodes.kind_{each}")) for each in MUTE],
        "problems": {"adopt": {}, "mute": {}},
        "adopt_into": choices(into),
        "no_places": not visit.areas and visit.may_everywhere(Act.NODES_ADOPT),
        "may_add_places": visit.may_everywhere(Act.AREAS_CREATE),
        "may_places": any(visit.may(act) for act in ENTRIES["/places"].acts),
        "wishes": wishes(await visit.services.renewals.waiting(visit.actor), visit.areas, visit.form),
        "waiting": await visit.services.enrolments.waiting(visit.actor),
    }


MANY = Many(
    path="/nodes",
    title="nodes.title",
    template="nodes.html",
    fragment="_nodes.html",
    live=Live("nodes", "node fault hold", tick=15),
    columns=NODE_COLUMNS,
    sort="need",
    filters=_filters,
    read=_read,
    table=Table("cum-loa", tuple(f"nodes.{head}" for head in HEADS), _lines),
    within=_summary,
    around=_adding,
)


async def _not_adopted(visit: Visit, values: Mapping[str, str], problems: Problems) -> Response:
    return await MANY.page(visit, adopt=values, problems={"adopt": problems, "mute": {}})


async def _adopt(visit: Visit, typed: Form) -> Response:
    values = {name: typed.one(name).strip() for name in ("code", "name", "area_id")}
    empty = {"code": "adopt.code_empty", "area_id": "adopt.area_empty", "name": "wrong.name_empty"}
    if lacking := {name: visit.text(key) for name, key in empty.items() if not values[name]}:
        return await _not_adopted(visit, values, lacking)
    try:
        await visit.services.enrolments.adopt(
            visit.actor, claim_code=values["code"], area_id=values["area_id"], name=values["name"]
        )
    except NotFoundError:
        return await _not_adopted(visit, values, {"code": visit.text("adopt.no_code")})
    except LoaError as error:
        return await _not_adopted(visit, values, problems_of(error, visit.form, ADOPT_FIELDS))
    return RedirectResponse("/nodes?done=node", 303)


async def _add_mute(visit: Visit, typed: Form) -> Response:
    """Add a cluster that reports nothing: the map and the schedule know it, nobody hears from it."""
    values = {name: typed.one(f"mute_{name}").strip() for name in ("kind", "name", "area_id")}
    empty = {"name": "wrong.name_empty", "area_id": "adopt.area_empty"}
    problems = {name: visit.text(key) for name, key in empty.items() if not values[name]}
    kind = NodeKind(values["kind"]) if values["kind"] in MUTE else NodeKind.WIRED
    try:
        if not problems:
            nodes = visit.services.nodes
            made = await nodes.create(visit.actor, kind=kind, area_id=values["area_id"], name=values["name"])
            return RedirectResponse(f"/nodes/{made.id}?done=mute", 303)
    except LoaError as error:
        problems = problems_of(error, visit.form, MUTE_FIELDS)
    mute = {f"mute_{name}": said for name, said in problems.items()}
    return await MANY.page(visit, mute=values, problems={"adopt": {}, "mute": mute})


async def one(visit: Visit, found: NodeOut) -> Node:
    """Read what is said of one node."""
    book = await visit.services.faults.list(visit.actor, node_id=found.id, limit=MOST_FAULTS)
    may_acknowledge = visit.may(Act.FAULTS_ACKNOWLEDGE, found.area_id)
    day = await visit.services.days.of(visit.actor, found.id)
    return one_node(found, day, visit.form, book, may_acknowledge=may_acknowledge)


async def _live_context(visit: Visit, found: NodeOut) -> dict[str, Any]:
    plays = await visit.services.node_plays.find(
        visit.actor, found.id, Wanted(sort="start", down=True, limit=FEW_PLAYS)
    )
    contacts = await visit.services.contacts.of(visit.actor, found.id)
    return {
        "node": await one(visit, found),
        "plays": [play_row(each, visit.form) for each in plays.rows],
        "contacts": contacts,
        "where_from": _where_from(visit, contacts),
        "sounds": await visit.services.node_plays.sounds(visit.actor, found.id) is not None,
    }


def _where_from(visit: Visit, contacts: Sequence[ContactOut]) -> dict[str, str]:
    """Say what each of them looks after, by their id."""
    text = visit.text
    return {
        each.person_id: " · ".join(word for word in (text(f"role.{each.role}"), visit.name_of(each.area_id)) if word)
        for each in contacts
    }


async def _logs(visit: Visit, found: NodeOut) -> list[Log]:
    """Give what the node sent, or is to send; nothing to who may not read it."""
    if found.kind is not NodeKind.AGENT or not visit.may(Act.NODES_LOG, found.area_id):
        return []
    return [log_said(each, visit.form) for each in await visit.services.node_logs.list(visit.actor, found.id)]


def tabs(visit: Visit, found: NodeOut) -> dict[str, Any]:
    """Give what stands above each page of a node."""
    may_change = visit.may(Act.NODES_CHANGE, found.area_id)
    return {"id": found.id, "name": found.name, "path": " · ".join(found.area_path), "may_change": may_change}


async def node_page(visit: Visit, node_id: str, problem: str = "") -> HTMLResponse:
    """Show one node; ``problem`` says what was asked of it in vain."""
    found = await visit.services.nodes.get(visit.actor, node_id)
    return await whole_page(
        visit,
        "node.html",
        status=422 if problem else 200,
        place=visit.name_of(found.area_id),
        of=tabs(visit, found),
        **await _live_context(visit, found),
        offers=[each for each in OFFERED if each in found.commands and visit.may(Act.NODES_TEST, found.area_id)],
        problem=problem,
        logs=await _logs(visit, found),
        may_ask_log=LOG in found.commands and visit.may(Act.NODES_LOG, found.area_id),
        may_revoke=found.kind is NodeKind.AGENT and visit.may(Act.NODES_REVOKE, found.area_id),
    )


def add(router: APIRouter, site: Site) -> None:
    """Add the pages, their live parts and the form."""
    add_many(router, site, MANY)

    @router.get("/nodes/mute")
    async def after_a_mistake() -> RedirectResponse:
        """Who loads the page anew after a mistake in its form asks for the form's address."""
        return RedirectResponse("/nodes", 303)

    @router.get("/nodes/{node_id}")
    async def node(request: Request, node_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return await node_page(visit, node_id)

    @router.get("/nodes/{node_id}/live")
    async def node_live(request: Request, node_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        found = await visit.services.nodes.get(visit.actor, node_id)
        return visit.fragment("_node.html", **await _live_context(visit, found))

    @router.post("/nodes")
    async def adopt(request: Request) -> Response:
        visit = await site.visit(request)
        return await _adopt(visit, await read_form(request))

    @router.post("/nodes/mute")
    async def add_mute(request: Request) -> Response:
        visit = await site.visit(request)
        return await _add_mute(visit, await read_form(request))
