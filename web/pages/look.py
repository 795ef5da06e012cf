"""The look of this device: as it is, or large."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from web.forms import own_path, read_form
from web.site import LOOK_COOKIE, LOOKS, Site

YEAR_S = 365 * 24 * 3600


def add(router: APIRouter, site: Site) -> None:  # noqa: ARG001 - as every page
    """Add the act."""

    @router.get("/look")
    async def nothing_here() -> RedirectResponse:
        """An act's address that was typed or kept: it changes nothing."""
        return RedirectResponse("/settings", 303)

    @router.post("/look")
    async def look(request: Request) -> Response:
        """Keep the look in a cookie: it is the device's, whoever signs in there."""
        typed = await read_form(request)
        wanted = typed.one("look") if typed.one("look") in LOOKS else ""
        response = RedirectResponse(own_path(typed.one("next"), "/settings"), 303)
        response.set_cookie(
            LOOK_COOKIE, wanted, max_age=YEAR_S, path="/", secure=True, httponly=True, samesite="strict"
        )
        return response
