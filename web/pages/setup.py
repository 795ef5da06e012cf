"""Bắt đầu: from an empty centre to the first broadcast, for whoever was made its first administrator at the machine."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import LoaError, NotFoundError
from controller.names import clean_name
from controller.people.rights import Act, Role
from web.forms import Form, read_form
from web.pages.frame import back, whole_page
from web.problems import Problems, problems_of, typed_again
from web.site import Site, Visit
from web.views.places import choices
from web.views.setup import Pasted, Steps, pasted, steps

KINDS = ("commune", "province", "district", "hamlet")
SECOND = (Role.APPROVER, Role.OPERATOR, Role.ADMINISTRATOR)
"""What a second person may be, the most needed first."""
A_WHILE = timedelta(days=30)
"""Back and ahead: what was or will be broadcast then counts as the first one."""
PLACE_FIELDS = frozenset({"name", "hamlets"})
PERSON_FIELDS = frozenset({"name", "login", "password", "role"})
NODE_FIELDS = frozenset({"code", "name", "area_id"})


def may_begin(visit: Visit) -> bool:
    """Tell whether somebody may set up this centre: administers all of it."""
    return visit.may_everywhere(Act.AREAS_CREATE)


async def how_far(visit: Visit) -> Steps:
    """Look how far this centre is."""
    services, actor, now = visit.services, visit.actor, visit.form.now
    found = await services.overview.of(actor)
    said = await services.broadcasts.list(actor, from_at=now - A_WHILE, to_at=now + A_WHILE, limit=1)
    people = await services.accounts.list(actor)
    return steps(places=bool(visit.areas), person=len(people) > 1, node=found.total > 0, said=bool(said))


async def _page(
    visit: Visit, typed: Mapping[str, str] | None = None, *, reread: bool = False, **problems: Problems
) -> HTMLResponse:
    if not may_begin(visit):
        raise NotFoundError("this is for who administers the whole centre", resource="setup", id="")
    into = visit.places(Act.NODES_ADOPT)
    values: dict[str, Any] = {"name": "", "kind": KINDS[0], "hamlets": "", "login": "", "role": SECOND[0], "code": ""}
    values["area_id"] = into[0].id if len(into) == 1 else ""  # a wrong place is worse than one more tap
    return await whole_page(
        visit,
        "setup.html",
        status=422 if problems else 200,
        steps=await how_far(visit),
        typed=values | dict(typed or {}),
        reread=reread,
        problems={"places": {}, "person": {}, "node": {}} | problems,
        kinds=KINDS,
        roles=SECOND,
        into=choices(into),
        root=visit.areas[0].name if visit.areas else "",
        hamlet_count=max(len(visit.areas) - 1, 0),
        waiting=await visit.services.enrolments.waiting(visit.actor),
    )


async def _add_places(visit: Visit, typed: Form) -> Response:
    """Add a place with its hamlets, all or none."""
    if visit.areas or not may_begin(visit):  # sent twice, or somebody else was faster
        return RedirectResponse("/setup", 303)
    values = {name: typed.one(name).strip() for name in ("name", "kind", "hamlets")}
    try:
        name, hamlets = clean_name(values["name"]), pasted(values["hamlets"])
        if hamlets.is_guess:  # given back as it was understood, and taken when it is sent again
            seen = values | {"hamlets": "\n".join(hamlets.names)}
            return await _page(visit, seen, reread=True, places={"hamlets": _reread(visit, hamlets)})
        kind = values["kind"] if values["kind"] in KINDS else KINDS[0]
        await visit.services.areas.create_with(visit.actor, name=name, kind=kind, hamlets=hamlets.names)
    except LoaError as error:
        return await _page(visit, values, places=problems_of(error, visit.form, PLACE_FIELDS))
    return back("/setup", "setup_places")


def _reread(visit: Visit, found: Pasted) -> str:
    said = visit.text("setup.reread", count=len(found.names), lines=found.lines)
    return f"{said} {visit.text('setup.reread_head', head=found.head)}" if found.head else said


async def _add_person(visit: Visit, typed: Form) -> Response:
    values = {name: typed.one(name).strip() for name in ("name", "login", "role")}
    role = values["role"] if values["role"] in SECOND else SECOND[0]
    top = visit.areas[0].id if visit.areas else ""
    area_id = None if role == Role.ADMINISTRATOR else top
    login, name, password = values["login"], values["name"], typed.one("password")
    try:
        await visit.services.accounts.add(
            visit.actor, login=login, name=name, password=password, role=role, area_id=area_id
        )
    except LoaError as error:
        problems = typed_again(problems_of(error, visit.form, PERSON_FIELDS), visit.form)
        return await _page(visit, values, person=problems)
    return back("/setup", "setup_person")


async def _add_node(visit: Visit, typed: Form) -> Response:
    values = {name: typed.one(name).strip() for name in ("code", "name", "area_id")}
    empty = {"code": "adopt.code_empty", "name": "wrong.name_empty", "area_id": "adopt.area_empty"}
    if lacking := {name: visit.text(key) for name, key in empty.items() if not values[name]}:
        return await _page(visit, values, node=lacking)
    try:
        await visit.services.enrolments.adopt(
            visit.actor, claim_code=values["code"], area_id=values["area_id"], name=values["name"]
        )
    except NotFoundError:
        return await _page(visit, values, node={"code": visit.text("adopt.no_code")})
    except LoaError as error:
        return await _page(visit, values, node=problems_of(error, visit.form, NODE_FIELDS))
    return back("/setup", "node")


ACTS = {"places": _add_places, "person": _add_person, "node": _add_node}


def add(router: APIRouter, site: Site) -> None:
    """Add the page, and what each of its steps sends."""

    @router.get("/setup")
    async def page(request: Request) -> Response:
        return await _page(await site.visit(request))

    @router.get("/setup/{step}")
    async def after_a_mistake(step: str) -> RedirectResponse:
        """Who loads the page anew after a mistake asks for the form's address."""
        if step not in ACTS:
            raise NotFoundError("there is no such step", resource="setup", id=step[:64])
        return RedirectResponse("/setup", 303)

    @router.post("/setup/{step}")
    async def do(request: Request, step: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        if step not in ACTS or not may_begin(visit):
            raise NotFoundError("there is no such step", resource="setup", id=step[:64])
        return await ACTS[step](visit, typed)
