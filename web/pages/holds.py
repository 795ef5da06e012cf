"""STOP and its release. The order itself asks nothing, or nothing but where (decision note 0007)."""

from contextlib import suppress

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.people.rights import Act
from web.forms import read_form
from web.pages.frame import back, read_strip, whole_page
from web.site import Site, Visit
from web.views.held import GoingLine, letting_go
from web.views.places import own_scopes


async def _going(visit: Visit) -> tuple[GoingLine, ...]:
    return letting_go(await visit.services.holds.letting_go(visit.actor), visit.form)


def add(router: APIRouter, site: Site) -> None:
    """Add the page that shows what is held, the order and the release."""

    @router.get("/stop")
    async def stop(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return await whole_page(visit, "stop.html", problem="", going=await _going(visit))

    @router.get("/stop/holds")
    async def held_again(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_holds.html", held=(await read_strip(visit)).held, going=await _going(visit))

    @router.get("/holds")
    async def after_a_mistake() -> RedirectResponse:
        """Who loads the page anew after a mistake in its form asks for the form's address."""
        return RedirectResponse("/stop", 303)

    @router.post("/holds")
    async def order(request: Request) -> Response:
        visit = await site.visit(request)
        typed = await read_form(request)
        places = visit.places(Act.HOLDS_ORDER)
        scopes = own_scopes(places) if typed.one("everything") else typed.many("scope")
        try:
            await visit.services.holds.order(visit.actor, scopes)
        except (InvalidError, NotFoundError, ForbiddenError) as error:
            taken_away = isinstance(error, ForbiddenError) or not places
            going, problem = await _going(visit), visit.text("stop.not_yours" if taken_away else "stop.nowhere")
            return await whole_page(visit, "stop.html", problem=problem, going=going, status=403 if taken_away else 422)
        return back("/stop", "ordered")

    @router.post("/holds/{hold_id}/release")
    async def release(request: Request, hold_id: str) -> RedirectResponse:
        visit = await site.visit(request)
        typed = await read_form(request)
        with suppress(ConflictError):  # another person released it a moment ago
            await visit.services.holds.release(visit.actor, hold_id)
        return back(typed.one("next"), "released")
