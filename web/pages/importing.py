"""Nạp lịch từ tệp: schedules of a calendar file. What would become of each event is said before any is saved."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from controller.errors import LoaError
from controller.people.rights import Act
from controller.schedules.conflicts import ScheduleConflictError
from controller.schedules.schemas import CalendarFileIn
from web.forms import Form, read_form
from web.pages.frame import back, whole_page
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views.importing import EventLine, event_line
from web.views.places import Choice, choices, scope_names

FIELDS = frozenset({"ics", "programme", "targets"})
MOST_CHARACTERS = 200_000
"""Of ``CalendarFileIn``."""


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed."""

    area_id: str = ""
    programme: str = ""
    ics: str = ""
    only: tuple[str, ...] | None = None
    """None: this file was not looked at yet, so all that can be taken in is."""
    confirm_conflicts: bool = False
    confirm_unusual: bool = False


def _name(typed: Form) -> str:
    """Name what was looked at: another file, programme or place has other events. Browsers write line ends anew."""
    ics = typed.one("ics").replace("\r\n", "\n").strip()
    said = "\n".join((typed.one("area_id"), typed.one("programme"), ics))
    return hashlib.sha256(said.encode()).hexdigest()


def _read(typed: Form) -> Draft:
    return Draft(
        area_id=typed.one("area_id"),
        programme=typed.one("programme"),
        ics=typed.one("ics").strip(),
        only=tuple(typed.many("only")) if typed.one("looked") == _name(typed) else None,
        confirm_conflicts=typed.one("confirm_conflicts") == "yes",
        confirm_unusual=typed.one("confirm_unusual") == "yes",
    )


def _wanted(draft: Draft, visit: Visit) -> CalendarFileIn | Problems:
    place = next((each for each in visit.places(Act.SCHEDULES_WRITE) if each.id == draft.area_id), None)
    lacks = {
        "ics": "" if draft.ics else visit.text("importing.no_file"),
        "programme": "" if draft.programme else visit.text("importing.no_programme"),
        "area_id": "" if place else visit.text("importing.no_place"),
    }
    if place is None or any(lacks.values()):
        return {field: words for field, words in lacks.items() if words}
    try:
        return CalendarFileIn(
            ics=draft.ics,
            programme_id=draft.programme,
            targets=(place.scope,),
            zone=place.effective.zone,
            confirm_conflicts=draft.confirm_conflicts,
            confirm_unusual=draft.confirm_unusual,
        )
    except ValidationError:
        return {"ics": visit.text("wrong.ics_too_large")}


async def _looked(visit: Visit, wanted: CalendarFileIn, draft: Draft, programmes: list[Choice]) -> list[EventLine]:
    found = await visit.services.exchange.preview(visit.actor, wanted)
    names = scope_names(visit.areas, await visit.services.nodes.all(visit.actor))
    titles = {each.id: each.whole_name for each in programmes}
    return [event_line(each, visit.form, chosen=draft.only, names=names, programmes=titles) for each in found]


async def _page(
    visit: Visit, draft: Draft, problems: Problems, *, look: bool = False, looked: str = "", ask: bool = False
) -> HTMLResponse:
    rows = await visit.services.programmes.list(visit.actor, templates=False)
    programmes = [Choice(each.id, each.title) for each in rows]
    shown: dict[str, Any] = {"lines": None, "ask_conflicts": ask, "ask_unusual": "", "looked": looked}
    if look:
        wanted = _wanted(draft, visit)
        if isinstance(wanted, CalendarFileIn):
            try:
                lines = await _looked(visit, wanted, draft, programmes)
            except LoaError as error:
                problems = problems or _at_file(error, visit)
            else:
                unusual = next((each.unusual_said for each in lines if each.unusual_said), "")
                asks = ask or any(each.meets for each in lines)
                shown |= {"lines": lines, "ask_conflicts": asks, "ask_unusual": unusual}
        else:
            problems = problems or wanted
    areas = choices(visit.places(Act.SCHEDULES_WRITE))
    draft = replace(draft, area_id=draft.area_id or (areas[0].id if areas else ""))
    return await whole_page(
        visit,
        "schedules_import.html",
        status=422 if problems else 200,
        form=draft,
        problems={"form": ""} | problems if problems else {},
        areas=areas,
        programmes=programmes,
        most=MOST_CHARACTERS,
        **shown,
    )


def _at_file(error: LoaError, visit: Visit) -> Problems:
    """Put what is wrong with the file at its field."""
    found = problems_of(error, visit.form, FIELDS)
    return {"ics": problem_text(error, visit.form)} if error.fields.get("field") == "file" else found


async def _take(visit: Visit, draft: Draft, looked: str) -> Response:
    wanted = _wanted(draft, visit)
    if not isinstance(wanted, CalendarFileIn):
        return await _page(visit, draft, wanted)
    if draft.only is None:
        return await _page(visit, draft, {"form": visit.text("importing.look_first")}, look=True, looked=looked)
    if not draft.only:
        return await _page(visit, draft, {"form": visit.text("importing.none_chosen")}, look=True, looked=looked)
    try:
        taken = await visit.services.exchange.take(visit.actor, wanted, draft.only)
    except LoaError as error:
        return await _page(visit, draft, _at_file(error, visit))
    if taken.why is None:
        return back("/schedules/all", "calendar_taken")
    said = visit.text("importing.not_taken", title=taken.title, why=problem_text(taken.why, visit.form))
    clash = isinstance(taken.why, ScheduleConflictError)
    return await _page(visit, draft, {"form": said}, look=True, looked=looked, ask=clash)


def add(router: APIRouter, site: Site) -> None:
    """Add the page."""

    @router.get("/schedules/import")
    async def begin(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        visit.require(Act.SCHEDULES_WRITE)
        return await _page(visit, Draft(), {})

    @router.post("/schedules/import")
    async def take(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        visit.require(Act.SCHEDULES_WRITE)
        draft, looked = _read(typed), _name(typed)
        if typed.one("look"):
            return await _page(visit, replace(draft, only=None), {}, look=True, looked=looked)
        return await _take(visit, draft, looked)
