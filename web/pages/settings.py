"""Cài đặt: a person's own telephone, password, sessions, browsers and machines' keys, and the look of this device."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import ConflictError, InvalidError, LoaError, NotFoundError
from controller.http.session import identify
from controller.http.tokens import origin_of
from controller.people.actor import ME
from web.forms import Form, number_of, read_form
from web.pages.frame import back, whole_page
from web.pages.own_password import typed_twice
from web.problems import Problems, problems_of
from web.site import LOOKS, Site, Visit, look_of
from web.views import settings as views

FIELDS = frozenset({"phone", "old", "new", "again", "name", "days", "acts"})
DONE = {
    "phone": "saved",
    "password": "password",
    "end": "session_ended",
    "end_others": "sessions_ended",
    "forget": "forgotten",
    "revoke": "key_revoked",
}
"""Act → what is said of it."""


async def _context(visit: Visit) -> dict[str, Any]:
    services, actor, form = visit.services, visit.actor, visit.form
    who = await identify(visit.request, services)
    sessions = await services.sign_ins.sessions(actor, ME, current=who.session_id)
    sessions.sort(key=lambda each: not each.current)
    return {
        "login": visit.person.login,
        "roles": views.roles_said(visit.person, [(area.id, area.name) for area in visit.areas], form),
        "has_factor": visit.person.second_factor,
        "may_renew_codes": visit.person.second_factor and who.shown,
        "look_now": look_of(visit.request),
        "looks": [(each, visit.text(f"settings.look_{each or 'usual'}")) for each in LOOKS],
        "sessions": [views.session_line(each, form) for each in sessions],
        "devices": [views.device_line(each, form) for each in await services.sign_ins.devices(actor, ME)],
        "keys": [views.key_line(each, form) for each in await services.tokens.list(actor, ME)],
        "key_acts": views.key_acts(visit.person, form),
        "key_days": [(str(each), visit.text("settings.key_days", count=each)) for each in views.KEY_DAYS],
    }


async def _page(
    visit: Visit,
    *,
    act: str = "",
    problems: Problems | None = None,
    typed: Form | None = None,
    made: str = "",
    codes: Sequence[str] = (),
) -> HTMLResponse:
    """Show all; ``act``: what the ``problems`` are of; ``made``: a machine's key, ``codes``: for a lost telephone."""
    typed, shown_once = typed or Form({}), bool(made or codes)
    page = await whole_page(
        visit,
        "settings.html",
        status=422 if problems else 201 if shown_once else 200,
        act=act,
        problems=problems or {},
        made=made,
        codes=codes,
        phone=typed.one("phone") if act == "phone" else visit.person.phone or "",
        key={"name": typed.one("name"), "days": typed.one("days") or "90", "acts": typed.many("acts")},
        **await _context(visit),
    )
    if shown_once:
        page.headers["Cache-Control"] = "no-store, no-transform"
    return page


async def _act(visit: Visit, act: str, typed: Form) -> None:
    services, actor = visit.services, visit.actor
    who = await identify(visit.request, services)
    match act:
        case "phone":
            await services.accounts.set_phone(actor, typed.one("phone"))
        case "password":
            new, origin = typed_twice(typed), origin_of(visit.request)
            await services.accounts.change_password(who, old=typed.one("old"), new=new, origin=origin)
        case "end":
            await services.sign_ins.end(actor, ME, typed.one("session"))
        case "end_others":
            await services.sign_ins.end_all(actor, ME, but=who.session_id)
        case "forget":
            await services.sign_ins.forget_device(actor, ME, typed.one("device"))
        case "revoke":
            await services.tokens.revoke(actor, ME, typed.one("token"))
        case other:
            raise NotFoundError("there is no such act", resource="people", id=other[:64])


async def _make_key(visit: Visit, typed: Form) -> Response:
    days = number_of(typed.one("days"), most=max(views.KEY_DAYS))
    try:
        if days not in views.KEY_DAYS:
            raise InvalidError("days: one of those offered", field="days", problem="unknown")
        expires_at = visit.form.now + timedelta(days=days)
        acts = tuple(typed.many("acts"))
        made = await visit.services.tokens.make(visit.actor, name=typed.one("name"), acts=acts, expires_at=expires_at)
    except LoaError as error:
        return await _page(visit, act="key", problems=problems_of(error, visit.form, FIELDS), typed=typed)
    return await _page(visit, made=made.token)


async def _renew_codes(visit: Visit) -> Response:
    who = await identify(visit.request, visit.services)
    if not (visit.person.second_factor and who.shown):  # the page offers none
        return RedirectResponse("/settings", 303)
    made = await visit.services.factors.new_recovery_codes(who, origin=origin_of(visit.request))
    return await _page(visit, codes=made)


def add(router: APIRouter, site: Site) -> None:
    """Add the page and its acts."""

    @router.get("/settings")
    async def page(request: Request) -> HTMLResponse:
        return await _page(await site.visit(request))

    @router.post("/settings")
    async def change(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        act = typed.one("act")
        if act == "key":
            return await _make_key(visit, typed)
        if act == "codes":
            return await _renew_codes(visit)
        try:
            await _act(visit, act, typed)
        except (NotFoundError, ConflictError):  # it is over already, or was never there: the page says what is
            return RedirectResponse("/settings", 303)
        except LoaError as error:
            return await _page(visit, act=act, problems=problems_of(error, visit.form, FIELDS), typed=typed)
        return back("/settings", DONE[act])
