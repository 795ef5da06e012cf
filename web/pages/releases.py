"""Bản cập nhật đã có: all releases; and adding one, with the file that the update key signed of it."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import ForbiddenError
from controller.paging import MOST_ROWS, PAGE, part_of
from controller.people.rights import Act
from controller.updates.schemas import ReleaseOut
from controller.updates.service import MAX_RELEASE_BYTES
from web.listing import Listing, asked, chosen, csv_answer
from web.offers import ENTRIES
from web.pages.frame import whole_page
from web.site import Site, Visit
from web.views import updates as views

OPEN_TO = (*ENTRIES["/updates"].acts, Act.AUDIT_READ)
"""To whom the menu offers it; and who reads what others did is led here from there."""
PROBLEMS = (
    *("no_bundle", "no_signed", "not_signed", "too_large", "too_slow", "no_space", "too_many_attempts"),
    *("update_key", "update_bundle", "update_old", "expired", "not_signed_in", "forbidden", "network", "other"),
)
"""What can be wrong with files that are added; release.js shows one."""


def may_add(visit: Visit) -> bool:
    """Tell whether to offer adding a release: to who may do it everywhere, for it goes to any node."""
    return visit.may_everywhere(Act.UPDATES_ADD)


async def opened(site: Site, request: Request) -> Visit:
    """Say who asks.

    Raises:
        ForbiddenError: somebody to whom none of this is of use.
    """
    visit = await site.visit(request)
    visit.require_any(OPEN_TO)
    return visit


async def _listing(visit: Visit, size: int = PAGE) -> Listing[ReleaseOut]:
    """Find what the address asks for."""
    every = await visit.services.releases.list(visit.actor)
    narrow = views.release_filters(every)
    wish = asked(visit.request, views.RELEASE_COLUMNS, narrow, sort="release", down=True)
    found = chosen(every, wish, lambda each: [each.version, each.board], views.RELEASE_SORTS, views.RELEASE_VALUES)
    part, path = part_of(found, wish.wanted(size)), "/updates/releases"
    return Listing(path, views.RELEASE_COLUMNS, narrow, wish, part.rows, part.total, default=("release", True))


def add(router: APIRouter, site: Site) -> None:
    """Add the list, its table, and the page on which a release is added."""

    @router.get("/updates/releases")
    async def releases(request: Request) -> HTMLResponse:
        visit = await opened(site, request)
        listing = await _listing(visit)
        cells = {each.id: views.release_cells(each, visit.form) for each in listing.rows}
        return await whole_page(visit, "releases.html", listing=listing, cells=cells, may_add=may_add(visit))

    @router.get("/updates/releases.csv")
    async def taken_along(request: Request) -> Response:
        visit = await opened(site, request)
        heads = [visit.text(column.word) for column in views.RELEASE_COLUMNS]
        rows = (views.release_exported(each, visit.form) for each in (await _listing(visit, MOST_ROWS)).rows)
        return csv_answer("ban-cap-nhat", heads, list(rows), visit.text)

    @router.get("/updates/releases/new")
    async def add_one(request: Request) -> HTMLResponse:
        visit = await opened(site, request)
        if not may_add(visit):
            raise ForbiddenError("your role does not allow everywhere: updates.add", act=Act.UPDATES_ADD)
        problems = [(code, visit.text(f"release_problem.{code}")) for code in PROBLEMS]
        return await whole_page(visit, "release_new.html", most_bytes=MAX_RELEASE_BYTES, problems=problems)
