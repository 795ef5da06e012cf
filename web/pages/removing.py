"""Xóa địa bàn: what is still there, or what goes; then the act."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.areas.errors import AreaInUseError
from controller.areas.schemas import AreaOut
from controller.errors import ForbiddenError
from controller.people.rights import Act
from web.forms import read_form
from web.pages.frame import back, whole_page
from web.pages.places import known_area
from web.site import Site, Visit
from web.views.removing import hindrances


async def _page(visit: Visit, area: AreaOut, status: int = 200) -> HTMLResponse:
    if not visit.may_remove(area):
        raise ForbiddenError("your role does not allow there: areas.remove", act=Act.AREAS_REMOVE)
    found = await visit.services.removals.preview(visit.actor, area.id)
    return await whole_page(
        visit, "place_remove.html", status=status, place=area.name, area=area, left=hindrances(found, area, visit.form)
    )


def add(router: APIRouter, site: Site) -> None:
    """Add the page and its act."""

    @router.get("/places/{area_id}/remove")
    async def look(request: Request, area_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return await _page(visit, known_area(visit, area_id))

    @router.post("/places/{area_id}/remove")
    async def remove(request: Request, area_id: str) -> Response:
        visit = await site.visit(request)
        await read_form(request)
        area = known_area(visit, area_id)
        try:
            await visit.services.removals.remove(visit.actor, area_id)
        except AreaInUseError:  # something came there meanwhile: the page says what
            return await _page(visit, area, 422)
        known = any(each.id == area.parent_id for each in visit.areas)
        return back(f"/places/{area.parent_id}" if known else "/places", "area_removed")
