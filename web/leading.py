"""Where somebody goes on who cannot be answered: to sign in, to what a session needs, to what comes first, and back."""

from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.routing import Match
from starlette.types import Scope

from controller.http.tokens import token_of
from controller.people.schemas import Needs
from web.forms import own_path

NEEDED_AT = {
    Needs.CODE: "/sign-in/code",
    Needs.CHOOSE: "/sign-in/password",
    Needs.SET_UP: "/sign-in/factor",
}
"""Pages on which a session shows what it needs."""
PLACE_FIRST = "/setup"
"""Where who may make places goes on from what needs one, while there is none."""
STOP_UNSENT = "/stop?done=unsent"
"""Where a STOP goes on whose session had ended: it must not look as if it had been sent."""
HAD_COOKIE = "__Host-loa-had"
"""Stays when the browser has dropped that of a session that ended, till somebody signs out; it says nothing else."""
HAD_FOR = timedelta(days=30)


def here(request: Request) -> str:
    """Tell which of our pages is open: for a fragment, the page that asked for it."""
    try:
        asked = urlsplit(request.headers.get("hx-current-url", ""))
    except ValueError:  # no address: a header may say anything
        asked = urlsplit("")
    parts = asked if asked.path else request.url
    return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))


def to_sign_in(request: Request) -> Response:
    """Send to the sign-in page and back to where the person was.

    A browser forgets a session that has ended: whoever sends something, or has a page kept up to date, had one, and
    of whoever only opens a page ``HAD_COOKIE`` says so.
    """
    has_page = request.method == "POST" or "hx-request" in request.headers
    had_one = has_page or token_of(request) or HAD_COOKIE in request.cookies
    ended = "&ended=1" if had_one else ""
    return away(request, f"/sign-in?next={quote(_back_to(request), safe='/')}{ended}")


def note_session(response: Response, expires_at: datetime) -> None:
    """Let the browser know for a while that it had a session, when it has dropped that."""
    until_at = expires_at + HAD_FOR
    response.set_cookie(HAD_COOKIE, "1", expires=until_at, path="/", secure=True, httponly=True, samesite="strict")


def forget_session(response: Response) -> None:
    """Let the browser know of no session any more: it was ended on purpose."""
    response.delete_cookie(HAD_COOKIE, path="/", secure=True, httponly=True, samesite="strict")


def to_second_factor(request: Request, problem: str) -> Response:
    """Send to where a session shows what it needs, and back to where the person was."""
    return away(request, f"{NEEDED_AT[Needs(problem)]}?next={quote(_back_to(request), safe='/')}")


def _back_to(request: Request) -> str:
    """Say where the person goes on: a STOP that was not carried out is told, never shown as if it were."""
    return STOP_UNSENT if (request.method, request.url.path) == ("POST", "/holds") else here(request)


def away(request: Request, target: str) -> Response:
    """Send to another page; a fragment tells the whole page to go there."""
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, 303)


def page_above(scope: Scope) -> str:
    """Name the nearest page above an address, with what the address asks besides."""
    path, query, routes = scope["path"], scope["query_string"].decode("latin-1"), scope["router"].routes
    is_page = False
    while not is_page and path:
        path = path.rpartition("/")[0]
        is_page = any(route.matches({**scope, "path": path})[0] is Match.FULL for route in routes)
    return quote(path or "/", safe="/") + (f"?{query}" if query else "")
