"""Signing in and out, the second factor, and the language."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import NotSignedInError, TooManyAttemptsError
from controller.http.session import agent_of, clear_cookie, device_of, set_cookie
from controller.http.tokens import origin_of, token_of
from controller.people.actor import Actor
from controller.people.schemas import Needs
from web.forms import own_path, read_form
from web.i18n import LOCALES
from web.leading import NEEDED_AT, STOP_UNSENT, forget_session, note_session
from web.pages import factor, own_password
from web.site import LOCALE_COOKIE, Site, look_of

YEAR_S = 365 * 24 * 3600


def _sign_in_page(
    site: Site,
    request: Request,
    *,
    problem: str = "",
    lacks: Mapping[str, str] | None = None,
    login: str = "",
    after: str = "",
    ended: bool = False,
    wait_s: int = 0,
    nobody: bool = False,
) -> HTMLResponse:
    status = 422 if lacks else (429 if wait_s else 401) if problem else 200
    text = site.words(request)
    problem = text("sign_in.ended") if ended else problem
    after = own_path(after)
    unsent = text("stop.unsent_sign_in") if after == STOP_UNSENT else ""
    said = {"problem": problem, "lacks": lacks or {}, "unsent": unsent, "ended": ended, "nobody": nobody}
    page = site.html("sign_in.html", text, status=status, look=look_of(request), login=login, next=after, **said)
    if wait_s:
        page.headers["Retry-After"] = str(wait_s)
    return page


def _next_page(needs: Needs | None, after: str) -> str:
    if needs is None:
        return after
    return f"{NEEDED_AT[needs]}?next={quote(after, safe='/')}"


def _add_language(router: APIRouter, site: Site) -> None:
    """Add the choice of language, for a person or for a browser."""

    @router.post("/language")
    async def language(request: Request) -> Response:
        typed = await read_form(request)
        locale = typed.one("locale") if typed.one("locale") in LOCALES else LOCALES[0]
        with suppress(NotSignedInError):  # who is not signed in chooses for this browser only
            person = await site.services.people.whoami(token_of(request) or "")
            await site.services.people.set_locale(Actor(person.id, origin_of(request)), locale)
        response = RedirectResponse(own_path(typed.one("next")), 303)
        response.set_cookie(
            LOCALE_COOKIE, locale, max_age=YEAR_S, path="/", secure=True, httponly=True, samesite="strict"
        )
        return response


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    factor.add(router, site)
    own_password.add(router, site)

    @router.get("/sign-in")
    async def form(request: Request) -> HTMLResponse:
        ended, nobody = "ended" in request.query_params, not await site.services.people.any()
        after = request.query_params.get("next", "")
        return _sign_in_page(site, request, ended=ended, after=after, nobody=nobody)

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        typed = await read_form(request)
        text, login, after = site.words(request), typed.one("login"), typed.one("next")
        # Nothing is tried with what was left out: it counts as no attempt.
        lacks = {name: text(f"sign_in.{name}_empty") for name in ("login", "password") if not typed.one(name)}
        if lacks:
            return _sign_in_page(site, request, lacks=lacks, login=login, after=after)
        try:
            signed = await site.services.people.sign_in(
                login=login,
                password=typed.one("password"),
                origin=origin_of(request),
                agent=agent_of(request),
                device=device_of(request),
            )
        except NotSignedInError:
            return _sign_in_page(site, request, problem=text("sign_in.wrong"), login=login, after=after)
        except TooManyAttemptsError as error:
            wait_s = int(error.fields.get("retry_after_s", 60))
            problem = text("sign_in.locked", wait=site.formats(text, []).about(timedelta(seconds=wait_s)))
            return _sign_in_page(site, request, problem=problem, login=login, after=after, wait_s=wait_s)
        response = RedirectResponse(_next_page(signed.needs, own_path(after)), 303)
        set_cookie(response, signed.token, signed.expires_at)
        note_session(response, signed.expires_at)
        return response

    @router.get("/sign-out")
    @router.get("/language")
    async def nothing_here() -> RedirectResponse:
        """An act's address that was typed or kept: it changes nothing."""
        return RedirectResponse("/today", 303)

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        await read_form(request)
        await site.services.people.sign_out(token_of(request) or "")
        response = RedirectResponse("/sign-in", 303)
        clear_cookie(response)
        forget_session(response)
        return response

    _add_language(router, site)
