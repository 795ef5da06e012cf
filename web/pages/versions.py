"""Các bản trước: what a bulletin said before, who saved and decided it; what two have otherwise; taking one back."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.bulletins.schemas import BulletinChange, BulletinOut, VersionOut
from controller.errors import LoaError, NotFoundError
from controller.people.rights import Act
from web.forms import MOST_VERSION, number_of, read_form
from web.pages.bulletins import silenced
from web.pages.frame import back, whole_page
from web.pages.sounds import recording_card
from web.problems import problem_text
from web.site import Site, Visit
from web.views import versions as views
from web.views.changes import between

PLAIN = ("title", "category", "level", "author", "source", "document_number")


async def _all(visit: Visit, bulletin_id: str) -> tuple[BulletinOut, list[VersionOut]]:
    async with visit.services.together():
        known = await visit.services.bulletins.get(visit.actor, bulletin_id)
        return known, await visit.services.bulletins.versions(visit.actor, bulletin_id)


def _chosen(found: list[VersionOut], number: int) -> VersionOut:
    one = next((each for each in found if each.version == number), None)
    if one is None:
        raise NotFoundError("there is no such version", resource="bulletins", id=str(number)[:64])
    return one


async def _list(visit: Visit, bulletin_id: str) -> HTMLResponse:
    known, found = await _all(visit, bulletin_id)
    lines = [views.line(each, known.version, visit.form) for each in reversed(found)]
    place = visit.name_of(known.area_id)
    return await whole_page(visit, "bulletin_versions.html", place=place, bulletin=known, lines=lines)


async def _one(visit: Visit, bulletin_id: str, number: int, problem: str = "") -> HTMLResponse:
    known, found = await _all(visit, bulletin_id)
    await visit.read_kinds(known.area_id)
    one = _chosen(found, number)
    other = views.against(found, number, number_of(visit.request.query_params.get("against", ""), most=MOST_VERSION))
    changes = None
    if other is not None:
        first, second = sorted((number, other))
        told = await visit.services.bulletins.differences(visit.actor, bulletin_id, first, second)
        changes = between(told, first, second, visit.form)
    names = {each.language: visit.text.word("spoken", each.language) for each in one.voices}
    recordings = [each.recording_id for each in one.voices if each.recording_id]
    may_take = number != known.version and known.archived_at is None and visit.may(Act.BULLETINS_WRITE, known.area_id)
    return await whole_page(
        visit,
        "bulletin_version.html",
        place=visit.name_of(known.area_id),
        status=422 if problem else 200,
        bulletin=known,
        seen=views.seen(one, known.version, names, visit.form),
        cards={each: await recording_card(visit, each) for each in recordings},
        others=views.others(found, number, known.version, visit.form),
        against=str(other or ""),
        changes=changes,
        may_take=may_take,
        airings=await silenced(visit, known) if may_take else [],
        problem=problem,
    )


async def _take(visit: Visit, bulletin_id: str, number: int, version: int) -> None:
    """Save what an old version said as a new one."""
    _, found = await _all(visit, bulletin_id)
    one = _chosen(found, number)
    said: dict[str, Any] = {field: getattr(one, field) for field in PLAIN}
    said["voices"] = [each.model_dump(include={"language", "text", "recording_id"}) for each in one.voices]
    await visit.services.bulletins.change(visit.actor, bulletin_id, BulletinChange(version=version, **said))


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""

    @router.get("/bulletins/{bulletin_id}/versions")
    async def all_of_them(request: Request, bulletin_id: str) -> HTMLResponse:
        return await _list(await site.visit(request), bulletin_id)

    @router.get("/bulletins/{bulletin_id}/versions/{number}")
    async def one(request: Request, bulletin_id: str, number: str) -> HTMLResponse:
        visit = await site.visit(request)
        return await _one(visit, bulletin_id, number_of(number, most=MOST_VERSION) or 0)

    @router.post("/bulletins/{bulletin_id}/versions/{number}")
    async def take(request: Request, bulletin_id: str, number: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        which = number_of(number, most=MOST_VERSION) or 0
        try:
            await _take(visit, bulletin_id, which, number_of(typed.one("version"), most=MOST_VERSION) or 1)
        except NotFoundError:
            raise
        except LoaError as error:
            return await _one(visit, bulletin_id, which, problem_text(error, visit.form))
        return back(f"/bulletins/{bulletin_id}", "version_taken")
