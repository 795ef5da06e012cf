"""Địa bàn: the tree of places as a list, one place, adding and changing places."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.areas.schemas import AreaOut
from controller.errors import LoaError, NotFoundError
from controller.paging import part_of
from controller.people.rights import Act
from web.forms import Form, read_form
from web.listing import Asked, Filter, Listing, Rows
from web.pages import merging
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views import areas as views
from web.views.places import choices
from web.views.whatif import Looked, looked

ADD_FIELDS = frozenset({"name", "parent_id"})
CHANGE_FIELDS = frozenset({"name", "kind", "zone", "languages", "approval_code"})
MOST_BELOW = 60
"""Places named on the page of the one that they belong to."""


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return views.filters(visit.areas, visit.form)


async def _read(visit: Visit, wish: Asked) -> Rows[views.PlaceRow]:
    part = part_of(views.chosen(visit.areas, wish), wish.wanted())
    top = min((area.depth for area in visit.areas), default=0)
    in_order = wish.sort == views.TREE and not wish.q and not wish.having
    return Rows(tuple(views.row(each, top, visit.form, in_order=in_order) for each in part.rows), part.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    for area in views.chosen(visit.areas, wish):
        yield views.exported(area, visit.form)


async def _any(visit: Visit, _listing: Listing[views.PlaceRow]) -> dict[str, Any]:
    return {"any": bool(visit.areas)}


async def _adding(visit: Visit, _listing: Listing[views.PlaceRow]) -> dict[str, Any]:
    root = visit.areas[0].id if visit.areas else ""
    return {
        "area": {"name": "", "kind": "hamlet" if root else "commune", "parent_id": root},
        "problems": {},
        "add_under": choices(visit.places(Act.AREAS_CREATE)),
        "may_add_roots": visit.may_everywhere(Act.AREAS_CREATE),
        "may_move": len(visit.areas) > 1 and visit.may(Act.AREAS_MOVE),
        "kinds": views.KINDS,
    }


MANY = Many(
    path="/places",
    title="menu.places",
    template="places.html",
    fragment="_places.html",
    live=Live("places", "area node", pace=5),
    columns=views.COLUMNS,
    sort=views.TREE,
    filters=_filters,
    read=_read,
    table=Table("dia-ban", tuple(f"area.{head}" for head in views.HEADS), _lines),
    within=_any,
    around=_adding,
)


async def _add(visit: Visit, typed: Form) -> Response:
    values = {name: typed.one(name).strip() for name in ("name", "kind", "parent_id")}
    try:
        await visit.services.areas.create(
            visit.actor,
            name=values["name"],
            kind=values["kind"] if values["kind"] in views.KINDS else "hamlet",
            parent_id=values["parent_id"] or None,
        )
    except LoaError as error:
        return await MANY.page(visit, area=values, problems=problems_of(error, visit.form, ADD_FIELDS))
    return back("/places", "area")


def known_area(visit: Visit, area_id: str) -> AreaOut:
    """Give a place in sight.

    Raises:
        NotFoundError: there is none.
    """
    found = next((area for area in visit.areas if area.id == area_id), None)
    if found is None:
        raise NotFoundError("there is no such area", resource="areas", id=area_id[:64])
    return found


async def _one(
    visit: Visit,
    area_id: str,
    typed: Form | None = None,
    problems: Problems | None = None,
    preview: Looked | None = None,
) -> HTMLResponse:
    """Show a place; ``preview``: what saving ``typed`` would change."""
    area = known_area(visit, area_id)
    of = views.whole(area, visit.areas, visit.form)
    below = [each for each in visit.areas if each.parent_id == area_id]
    own = typed.many("languages") if typed else list(of.own_languages)
    stands = _stands(area)
    return await whole_page(
        visit,
        "place.html",
        status=422 if problems else 200,
        place=area.name,
        tab="place",
        of=of,
        **tabs(visit, area_id),
        below=[(each, views.kind_said(each.kind, visit.form)) for each in below[:MOST_BELOW]],
        below_count=len(below),
        form={
            "name": typed.one("name") if typed else area.name,
            "kind": typed.one("kind") if typed else area.kind,
            "zone": typed.one("zone") if typed else of.zone,
            "languages": own,
        },
        was={name: typed.was(name, now) for name, now in stands.items()} if typed else stands,
        languages=views.languages(own, visit.form),
        kinds=tuple(dict.fromkeys([*views.KINDS, area.kind])),
        kind_said={kind: views.kind_said(kind, visit.form) for kind in (*views.KINDS, area.kind)},
        may_change=visit.may(Act.AREAS_CHANGE, area_id),
        may_people=visit.may(Act.PEOPLE_CHANGE, area_id),
        may_remove=visit.may_remove(area),
        problems=problems or {},
        preview=preview,
    )


def tabs(visit: Visit, area_id: str) -> dict[str, Any]:
    """Give what stands above each page of a place."""
    return {"area_id": area_id, "may_move": len(visit.areas) > 1 and visit.may(Act.AREAS_MOVE, area_id)}


def _stands(area: AreaOut) -> dict[str, str]:
    """Give how a place is now, as its form says it."""
    languages = " ".join(area.languages or ())
    return {"name": area.name, "kind": area.kind, "zone": area.zone or "", "languages": languages}


def _given(area: AreaOut, typed: Form) -> dict[str, Any]:
    """Take what this person changed; what others changed since the page was made is theirs."""
    stands, languages = _stands(area), typed.many("languages")
    said = {"name": typed.one("name").strip(), "zone": typed.one("zone").strip(), "languages": " ".join(languages)}
    if typed.one("kind") in {*views.KINDS, area.kind}:
        said["kind"] = typed.one("kind")
    meant = {name: value for name, value in said.items() if value not in {typed.was(name, stands[name]), stands[name]}}
    own = {"zone": meant.get("zone") or None, "languages": tuple(languages) or None}
    return {name: own.get(name, value) for name, value in meant.items()}


async def _change(visit: Visit, area_id: str, typed: Form) -> Response:
    area = known_area(visit, area_id)
    visit.prove(typed)
    given = _given(area, typed)
    visit.require(Act.AREAS_CHANGE, area_id)
    try:
        if rules := {field: given[field] for field in ("zone", "languages") if field in given}:
            found = await visit.services.area_what_ifs.of(visit.actor, area_id, **rules)
            if waits := looked(typed, rules, found.changes, visit.form):
                return await _one(visit, area_id, typed, preview=waits)
        elif typed.one("look"):
            return await _one(visit, area_id, typed, preview=looked(typed, rules, (), visit.form))
        if given:
            await visit.services.areas.change(visit.actor, area_id, **given)
    except NotFoundError:
        raise
    except LoaError as error:
        return await _one(visit, area_id, typed, problems_of(error, visit.form, CHANGE_FIELDS))
    return back(f"/places/{area_id}", "saved")


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    merging.add(router, site)
    _add_list(router, site)

    @router.get("/places/{area_id}")
    async def one(request: Request, area_id: str) -> HTMLResponse:
        return await _one(await site.visit(request), area_id)

    @router.post("/places/{area_id}")
    async def change(request: Request, area_id: str) -> Response:
        visit = await site.visit(request)
        return await _change(visit, area_id, await read_form(request))


def _add_list(router: APIRouter, site: Site) -> None:
    add_many(router, site, MANY)

    @router.get("/areas")
    async def after_a_mistake() -> RedirectResponse:
        """Who loads the page anew after a mistake in its form asks for the form's address."""
        return RedirectResponse("/places", 303)

    @router.post("/areas")
    async def add_area(request: Request) -> Response:
        visit = await site.visit(request)
        return await _add(visit, await read_form(request))
