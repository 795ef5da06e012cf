"""A node's settings: its name, its volume, its trim, where it stands. What is new waits until the node obeys it."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from controller.errors import ForbiddenError, LoaError, NotFoundError
from controller.nodes.schemas import FURTHEST_OFF_M, NodeOut, PositionIn
from controller.people.rights import Act
from web.forms import Form, read_form
from web.pages.frame import back, whole_page
from web.pages.nodes import tabs
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views.node_settings import TRIMS, VOLUMES, gain_of, gains, written

FIELDS = frozenset({"name", "volume_mb", "trim_mb"})


def _stands(found: NodeOut) -> dict[str, str]:
    """Give how a node is set now, as the form says it."""
    return {"name": found.name, "volume": str(found.volume_mb), "trim": str(found.trim_mb)}


async def _page(
    visit: Visit,
    found: NodeOut,
    problems: Problems,
    typed: Mapping[str, str] | None = None,
    was: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Show the page; ``was``: what stood in the form of ``typed``."""
    place = found.position
    shown = {
        **_stands(found),
        "latitude": written(place.latitude) if place else "",
        "longitude": written(place.longitude) if place else "",
    }
    return await whole_page(
        visit,
        "node_settings.html",
        status=422 if problems else 200,
        place=visit.name_of(found.area_id),
        of=tabs(visit, found),
        node=found,
        typed=shown | dict(typed or {}),
        was=was or _stands(found),
        problems=problems,
        volumes=gains(VOLUMES, found.volume_mb, visit.form, "volume"),
        trims=gains(TRIMS, found.trim_mb, visit.form, "trim"),
        position_said=_position_said(visit, found),
        furthest_m=round(FURTHEST_OFF_M),
    )


def _position_said(visit: Visit, found: NodeOut) -> str:
    place, text = found.position, visit.text
    if place is None:
        return text("position.none")
    when = visit.form.since(place.at) if place.at else ""
    if place.accuracy_m is None:
        return text("position.set", when=when)
    return text("position.taken", when=when, metres=round(place.accuracy_m))


async def _save(visit: Visit, node_id: str, typed: Form) -> Response:
    found = await _changeable(visit, node_id)
    stands = _stands(found)
    volume, trim = gain_of(typed.one("volume"), found.volume_mb), gain_of(typed.one("trim"), found.trim_mb)
    values = {"name": typed.one("name").strip(), "volume": str(volume), "trim": str(trim)}
    was = {name: typed.was(name, now) for name, now in stands.items()}
    meant = {name for name in stands if values[name] not in {was[name], stands[name]}}  # the rest is not this person's
    try:
        await visit.services.nodes.change(
            visit.actor,
            node_id,
            name=values["name"] if "name" in meant else None,
            volume_mb=volume if "volume" in meant else None,
            trim_mb=trim if "trim" in meant else None,
        )
    except NotFoundError:
        raise
    except LoaError as error:
        return await _page(visit, found, problems_of(error, visit.form, FIELDS), values, was)
    return back(f"/nodes/{node_id}/settings", "settings" if meant & {"volume", "trim"} else "saved")


async def _place(visit: Visit, node_id: str, typed: Form) -> Response:
    found = await _changeable(visit, node_id)
    values = {name: typed.one(name).strip() for name in ("latitude", "longitude", "accuracy")}
    numbers = {name: value.replace(",", ".") for name, value in values.items()}
    try:
        position = PositionIn.model_validate(
            {
                "latitude": numbers["latitude"],
                "longitude": numbers["longitude"],
                "accuracy_m": numbers["accuracy"] or None,
            }
        )
    except ValidationError as error:
        wrong = {str(each["loc"][0]).removesuffix("_m") for each in error.errors()}
        problems = {name: visit.text(f"position.wrong_{name}", most=round(FURTHEST_OFF_M)) for name in sorted(wrong)}
        return await _page(visit, found, problems, {name: values[name] for name in ("latitude", "longitude")})
    await visit.services.nodes.change(visit.actor, node_id, position=position)
    return back(f"/nodes/{node_id}/settings", "position")


async def _changeable(visit: Visit, node_id: str) -> NodeOut:
    found = await visit.services.nodes.get(visit.actor, node_id)
    if not visit.may(Act.NODES_CHANGE, found.area_id):
        raise ForbiddenError("your role does not allow there: nodes.change", act=Act.NODES_CHANGE)
    return found


def add(router: APIRouter, site: Site) -> None:
    """Add the page, the part that tells whether the node obeys, and the two forms."""

    @router.get("/nodes/{node_id}/settings")
    async def page(request: Request, node_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return await _page(visit, await _changeable(visit, node_id), {})

    @router.get("/nodes/{node_id}/settings/live")
    async def live(request: Request, node_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_node_settings.html", node=await visit.services.nodes.get(visit.actor, node_id))

    @router.post("/nodes/{node_id}/settings")
    async def save(request: Request, node_id: str) -> Response:
        visit = await site.visit(request)
        return await _save(visit, node_id, await read_form(request))

    @router.post("/nodes/{node_id}/position")
    async def place(request: Request, node_id: str) -> Response:
        visit = await site.visit(request)
        return await _place(visit, node_id, await read_form(request))
