"""Bản cập nhật đã có: all releases; and adding one, with the file that the update key signed of it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller.errors import ForbiddenError
from controller.paging import part_of
from controller.people.rights import Act
from controller.updates.schemas import ReleaseOut
from controller.updates.service import MAX_RELEASE_BYTES
from web.listing import Asked, Filter, Listing, Rows, chosen
from web.offers import ENTRIES
from web.pages.frame import whole_page
from web.pages.many import Live, Many, Table, add_many
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


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return views.release_filters(await visit.services.releases.list(visit.actor))


async def _of_all(visit: Visit, wish: Asked) -> list[ReleaseOut]:
    every = await visit.services.releases.list(visit.actor)
    return chosen(every, wish, lambda each: [each.version, each.board], views.RELEASE_SORTS, views.RELEASE_VALUES)


async def _read(visit: Visit, wish: Asked) -> Rows[views.ReleaseRow]:
    part = part_of(await _of_all(visit, wish), wish.wanted())
    rows = (views.ReleaseRow(each.id, views.release_cells(each, visit.form)) for each in part.rows)
    return Rows(tuple(rows), part.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    for each in await _of_all(visit, wish):
        yield views.release_exported(each, visit.form)


async def _adding(visit: Visit, _listing: Listing[views.ReleaseRow]) -> dict[str, Any]:
    return {"may_add": may_add(visit)}


MANY = Many(
    path="/updates/releases",
    title="updates.releases",
    template="releases.html",
    fragment="_releases.html",
    live=Live("all-releases", "rollout"),
    columns=views.RELEASE_COLUMNS,
    sort="release",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("ban-cap-nhat", tuple(column.word for column in views.RELEASE_COLUMNS), _lines),
    around=_adding,
    visit=opened,
)


def add(router: APIRouter, site: Site) -> None:
    """Add the list, and the page on which a release is added."""
    add_many(router, site, MANY)

    @router.get("/updates/releases/new")
    async def add_one(request: Request) -> HTMLResponse:
        visit = await opened(site, request)
        if not may_add(visit):
            raise ForbiddenError("your role does not allow everywhere: updates.add", act=Act.UPDATES_ADD)
        problems = [(code, visit.text(f"release_problem.{code}")) for code in PROBLEMS]
        return await whole_page(visit, "release_new.html", most_bytes=MAX_RELEASE_BYTES, problems=problems)
