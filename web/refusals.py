"""Answers of every page: errors as pages, in words, inside the frame where somebody is signed in."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from controller.errors import LoaError, NotSignedInError, PasswordDueError, SecondFactorError, TooManyAttemptsError
from controller.http.nul import no_nul_in_query
from controller.names import ZoneGoneError
from controller.people.schemas import Needs
from controller.services import Services
from web.forms import own_path
from web.leading import PLACE_FIRST, away, page_above, to_second_factor, to_sign_in
from web.offers import list_of, menu_of
from web.once import answer_once
from web.problems import page_said, wait_s
from web.site import Site, look_of


def page_route(site: Site) -> type[APIRoute]:
    """Make a route class that answers errors as pages: sign in first, not found, not allowed."""

    class PageRoute(APIRoute):
        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            """Answer; whoever loads the address of a form, as after a mistake in it, is led to the page above it."""
            if scope["method"] == "GET" and "GET" not in (self.methods or ()):
                await RedirectResponse(page_above(scope), 303)(scope, receive, send)
            else:
                await super().handle(scope, receive, send)

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    return await _answer(request, site.services, handle)
                except SecondFactorError as error:
                    return to_second_factor(request, str(error.fields["problem"]))
                except PasswordDueError:
                    return to_second_factor(request, Needs.CHOOSE)
                except NotSignedInError:
                    return to_sign_in(request)
                except LoaError as error:
                    return await _problem(site, request, error)
                except ZoneInfoNotFoundError as error:
                    return await _problem(site, request, ZoneGoneError.of(error))

            return handler

    return PageRoute


async def _answer(
    request: Request, services: Services, handle: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Response:
    """Answer: what a page shows is one snapshot, so that who asks and what they may see is read once."""
    no_nul_in_query(request)
    if request.method != "GET":
        return await answer_once(request, services, handle)
    async with services.together():
        return await handle(request)


async def _problem(site: Site, request: Request, error: LoaError) -> Response:
    """Say it inside the frame, menu and STOP in reach, to whoever is signed in; else on a page of its own."""
    if error.fields.get("mended") == PLACE_FIRST:
        return away(request, PLACE_FIRST)
    if site.in_frame is not None and "hx-request" not in request.headers:
        with suppress(LoaError, ZoneInfoNotFoundError):  # then the page that needs nothing
            visit = await site.visit(request)
            status, heading, said = page_said(visit.text, error, lambda: visit.form, acted=request.method == "POST")
            leads, refused = own_path(error.fields.get("answer", ""), ""), status >= 400
            around = list_of(request.url.path, menu_of(visit.person, visit.actor)) if status == 404 else None
            shown = {"heading": heading, "said": said, "refused": refused, "leads": leads, "around": around}
            page = await site.in_frame(visit, "problem_within.html", status=status, **shown)
            return _to_come_back(page, error)
    return problem_page(site, request, error)


def problem_page(site: Site, request: Request, error: LoaError) -> Response:
    """Say on a page of its own what no form could show; to a part of a page that stands, in its own words alone."""
    text = site.words(request)
    status, heading, said = page_said(text, error, lambda: site.formats(text, []), acted=request.method == "POST")
    if "hx-request" in request.headers:
        page = site.html("_problem.html", text, status=status, said=said)
        page.headers["HX-Reswap"] = "none"
    else:
        page = site.html("problem.html", text, status=status, look=look_of(request), heading=heading, said=said)
    return _to_come_back(page, error)


def _to_come_back(page: HTMLResponse, error: LoaError) -> HTMLResponse:
    """Add how long to wait."""
    if isinstance(error, TooManyAttemptsError):
        page.headers["Retry-After"] = str(wait_s(error))
    return page
