"""The second factor: shown when signing in, and set up."""

from datetime import timedelta
from typing import Any

import segno
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from controller.errors import InvalidError, LoaError, TooManyAttemptsError
from controller.http.session import agent_of, identify, remember_device
from controller.http.tokens import origin_of
from controller.people.identity import Identity
from controller.people.schemas import Needs
from web.forms import own_path, read_form
from web.site import Site, look_of


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    _add_showing(router, site)
    _add_setting_up(router, site)


def _add_showing(router: APIRouter, site: Site) -> None:
    @router.get("/sign-in/code")
    async def ask_code(request: Request) -> Response:
        who = await identify(request, site.services)
        after = own_path(request.query_params.get("next", ""))
        if who.needs is not Needs.CODE:
            return RedirectResponse(after, 303)
        return page_of(site, request, who, "factor_code.html", problem="", next=after, may_remember=_may_remember(who))

    @router.post("/sign-in/code")
    async def show_code(request: Request) -> Response:
        who, typed = await identify(request, site.services), await read_form(request)
        after = own_path(typed.one("next"))
        try:
            _, device = await site.services.factors.show(
                who,
                code=typed.one("code"),
                origin=origin_of(request),
                remember=typed.one("remember") == "1",
                agent=agent_of(request),
            )
        except (InvalidError, TooManyAttemptsError) as error:
            problem = said(site, request, who, error)
            return page_of(
                site, request, who, "factor_code.html", problem=problem, next=after, may_remember=_may_remember(who)
            )
        response = RedirectResponse(after, 303)
        if device is not None:
            remember_device(response, device.token, device.expires_at)
        return response


def _add_setting_up(router: APIRouter, site: Site) -> None:
    @router.get("/sign-in/factor")
    async def ask(request: Request) -> Response:
        who = await identify(request, site.services)
        after = own_path(request.query_params.get("next", ""))
        return _begin_page(site, request, who, after)

    @router.post("/sign-in/factor")
    async def begin(request: Request) -> Response:
        who, typed = await identify(request, site.services), await read_form(request)
        after = own_path(typed.one("next"))
        try:
            made = await site.services.factors.begin(who, password=typed.one("password") or None)
        except (InvalidError, TooManyAttemptsError) as error:
            return _begin_page(site, request, who, after, said(site, request, who, error))
        return page_of(
            site,
            request,
            who,
            "factor_confirm.html",
            problem="",
            next=after,
            secret=made.secret,
            uri=made.uri,
            picture=_picture(made.uri, site.words(request, who.person)("factor.picture")),
        )

    @router.post("/sign-in/factor/confirmation")
    async def confirm(request: Request) -> Response:
        who, typed = await identify(request, site.services), await read_form(request)
        after = own_path(typed.one("next"))
        try:
            codes = await site.services.factors.confirm(who, code=typed.one("code"), origin=origin_of(request))
        except (InvalidError, TooManyAttemptsError) as error:
            problem = said(site, request, who, error)
            return page_of(site, request, who, "factor_confirm.html", problem=problem, next=after, secret="", uri="")
        return page_of(site, request, who, "factor_codes.html", next=after, codes=codes)


def _begin_page(site: Site, request: Request, who: Identity, after: str, problem: str = "") -> HTMLResponse:
    asks, has = site.services.factors.asks_password(who), who.person.second_factor
    return page_of(site, request, who, "factor_begin.html", problem=problem, next=after, has=has, asks=asks)


def _picture(uri: str, called: str) -> Markup:
    """Draw what an authenticator scans. It stands in the page itself: no address shows a secret again."""
    drawn = segno.make_qr(uri, error="m").svg_inline(
        omitsize=True, dark="#000", light="#fff", svgclass=None, lineclass=None, title=called
    )
    return Markup(drawn.replace("<svg ", '<svg role="img" ', 1))  # noqa: S704  drawn from modules, its title escaped


def page_of(
    site: Site, request: Request, who: Identity, template: str, *, status: int = 200, **context: Any
) -> HTMLResponse:
    """Give a page of signing in, for somebody who has not come further than that."""
    status, is_in = 422 if context.get("problem") else status, who.needs is None
    text = site.words(request, who.person)
    return site.html(template, text, status=status, look=look_of(request), is_in=is_in, **context)


def _may_remember(who: Identity) -> bool:
    return not who.weighty


def said(site: Site, request: Request, who: Identity, error: LoaError) -> str:
    """Say in words what was wrong."""
    text = site.words(request, who.person)
    if isinstance(error, TooManyAttemptsError):
        wait = site.formats(text, []).about(timedelta(seconds=error.fields.get("retry_after_s", 60)))
        return text("sign_in.locked", wait=wait)
    bounds = {name: error.fields.get(name, "") for name in ("least", "most")}
    return text(f"wrong.{error.fields.get('problem')}", **bounds)
