"""Tài khoản: who may sign in, with which roles where; lost telephones and passwords."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import LoaError, NotFoundError
from controller.paging import MOST_ROWS
from controller.people.rights import Act
from controller.people.schemas import PersonOut
from web.forms import Form, read_form
from web.listing import Asked, Filter, Listing, Rows
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.problems import Problems, problems_of, typed_again
from web.site import Site, Visit
from web.views import accounts as views
from web.views.places import choices
from web.views.settings import key_line, session_line

FIELDS = frozenset({"login", "name", "phone", "password", "role", "area_id"})
ACT_FIELDS = {
    "grant": frozenset({"role", "area_id"}),
    "own": frozenset({"name", "phone"}),
    "password": frozenset({"password"}),
}
"""What is typed on the page of one person, by the act that it is for."""
EVERYWHERE = "everywhere"


def _place(typed: Form) -> str | None:
    return None if typed.one("area_id") == EVERYWHERE else typed.one("area_id")


def _names(visit: Visit) -> dict[str, str]:
    return {area.id: area.name for area in visit.areas}


def _giving(visit: Visit) -> dict[str, Any]:
    """Give what a role can be chosen from, and where."""
    return {
        "roles": views.ROLES,
        "areas": choices(visit.places(Act.PEOPLE_CHANGE)),
        "everywhere": EVERYWHERE,
        "may_everywhere": visit.may_everywhere(Act.PEOPLE_CHANGE),
    }


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return views.filters(visit.areas, visit.form)


async def _read(visit: Visit, wish: Asked) -> Rows[views.Account]:
    found = await visit.services.accounts.find(visit.actor, wish.wanted())
    return Rows(tuple(views.account(each, _names(visit), visit.form) for each in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    for each in (await visit.services.accounts.find(visit.actor, wish.wanted(MOST_ROWS))).rows:
        yield views.exported(each, _names(visit), visit.form)


async def _adding(visit: Visit, _listing: Listing[views.Account]) -> dict[str, Any]:
    places = visit.places(Act.PEOPLE_CHANGE)
    area_id = places[0].id if places else EVERYWHERE
    blank = {"login": "", "name": "", "phone": "", "role": "operator", "area_id": area_id}
    return {"form": blank, "problems": {}} | _giving(visit)


MANY = Many(
    path="/people",
    title="menu.people",
    template="people.html",
    fragment="_people.html",
    live=Live("people", "person area"),
    columns=views.COLUMNS,
    sort="name",
    filters=_filters,
    read=_read,
    table=Table("tai-khoan", views.HEADS, _lines, taken="people"),
    around=_adding,
)


async def _one(
    visit: Visit, person_id: str, typed: Form | None = None, problems: Problems | None = None
) -> HTMLResponse:
    """Show somebody's account; ``problems``: of what was ``typed``."""
    services, form, wrong = visit.services, visit.form, dict(problems or {})
    typed = typed or Form({})
    known = await services.accounts.get(visit.actor, person_id)
    leaving = await services.leaving.of(visit.actor, known.id)
    try:
        sessions = await services.sign_ins.sessions(visit.actor, known.id)
        keys = await services.tokens.list(visit.actor, known.id)
    except LoaError:  # works elsewhere too: this one may look, and no more
        sessions, keys = [], []
    return await whole_page(
        visit,
        "person.html",
        status=422 if problems else 200,
        account=views.account(known, _names(visit), form),
        losses=views.losses(leaving, known, _names(visit), form),
        closing=views.closing(leaving, known, keys, form),
        is_own=known.id == visit.person.id,
        sessions=[session_line(each, form) for each in sessions],
        keys=[each for each in (key_line(one, form) for one in keys) if each.is_open],
        problem=wrong.pop("form", ""),
        sent=typed.one("act"),
        problems=wrong,
        form=_typed(visit, known, typed),
        was=_was(known, typed),
        **_giving(visit),
    )


def _typed(visit: Visit, known: PersonOut, typed: Form) -> Mapping[str, str]:
    """Give what stands in the forms: what was typed into the one that was sent, in the others what is so now."""
    places = visit.places(Act.PEOPLE_CHANGE)
    shown = _stands(known) | {"role": "operator", "area_id": places[0].id if places else EVERYWHERE}
    return shown | {name: typed.one(name) for name in ACT_FIELDS.get(typed.one("act"), ()) if name in shown}


def _stands(known: PersonOut) -> dict[str, str]:
    return {"name": known.name, "phone": known.phone or ""}


def _was(known: PersonOut, typed: Form) -> Mapping[str, str]:
    return {name: typed.was(name, now) for name, now in _stands(known).items()}


async def _change_own(visit: Visit, person_id: str, typed: Form) -> None:
    """Change what was changed here: the person, or another administrator, may have changed the rest meanwhile."""
    known = await visit.services.accounts.get(visit.actor, person_id)
    stands, was = _stands(known), _was(known, typed)
    meant = {name: typed.one(name) for name in stands if typed.one(name) not in {was[name], stands[name]}}
    if meant:
        name, phone = meant.get("name"), meant.get("phone")
        await visit.services.accounts.change(visit.actor, person_id, name=name, phone=phone)


async def _add(visit: Visit, typed: Form) -> Response:
    values = {name: typed.one(name).strip() for name in ("login", "name", "phone", "role", "area_id")}
    try:
        made = await visit.services.accounts.add(
            visit.actor,
            login=values["login"],
            name=values["name"],
            password=typed.one("password"),
            role=values["role"],
            area_id=_place(typed),
            phone=values["phone"],
        )
    except LoaError as error:
        problems = typed_again(problems_of(error, visit.form, FIELDS), visit.form)
        return await MANY.page(visit, form=values, problems=problems)
    return back(f"/people/{made.id}", "person")


async def _act(visit: Visit, person_id: str, typed: Form) -> None:
    accounts, actor = visit.services.accounts, visit.actor
    match typed.one("act"):
        case "grant":
            await accounts.grant(actor, person_id, role=typed.one("role"), area_id=_place(typed))
        case "revoke":
            await accounts.revoke(actor, person_id, typed.one("grant"))
        case "own":
            await _change_own(visit, person_id, typed)
        case "password":
            await accounts.change(actor, person_id, password=typed.one("password"))
        case "close" | "open" as act:
            await accounts.change(actor, person_id, disabled=act == "close")
        case "reset":
            await visit.services.factors.reset(actor, person_id)
        case "sign_out":
            await visit.services.sign_ins.end_all(actor, person_id)
        case "end":
            await visit.services.sign_ins.end(actor, person_id, typed.one("session"))
        case "revoke_key":
            await visit.services.tokens.revoke(actor, person_id, typed.one("token"))
        case other:
            raise NotFoundError("there is no such act", resource="people", id=other[:64])


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    add_many(router, site, MANY)

    @router.post("/people")
    async def add_somebody(request: Request) -> Response:
        visit = await site.visit(request)
        return await _add(visit, await read_form(request))

    @router.get("/people/{person_id}")
    async def one(request: Request, person_id: str) -> HTMLResponse:
        return await _one(await site.visit(request), person_id)

    @router.post("/people/{person_id}")
    async def act(request: Request, person_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        try:
            await _act(visit, person_id, typed)
        except NotFoundError:
            raise
        except LoaError as error:
            known = ACT_FIELDS.get(typed.one("act"), frozenset())
            return await _one(visit, person_id, typed, problems_of(error, visit.form, known))
        return back(f"/people/{person_id}", "saved")
