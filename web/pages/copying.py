"""Chép tuần: a week planned as another week was. What would become of each date is said before."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import LoaError
from controller.people.rights import Act
from controller.schedules.feed_schemas import WeekCopyIn
from web.forms import Form, day_of, read_form
from web.pages.frame import whole_page
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views.copying import copy_line
from web.views.places import choices

FIELDS = frozenset({"area_id", "from_week", "into_week"})
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed."""

    area_id: str
    from_week: str
    into_week: str
    only: tuple[str, ...] | None = None
    """None: nothing was looked at yet, so everything that can be copied is."""
    confirm_conflicts: bool = False
    confirm_unusual: bool = False


def _begun(visit: Visit) -> Draft:
    """Begin with the week that is looked at, and the next."""
    areas, given = visit.places(Act.SCHEDULES_WRITE), visit.request.query_params
    place = given.get("place", "")
    known = place if any(area.id == place for area in areas) else (areas[0].id if areas else "")
    try:
        day = date.fromisoformat(given.get("day", ""))
        into = day + WEEK
    except (ValueError, OverflowError):
        day, into = visit.form.today(), visit.form.today() + WEEK
    return Draft(known, visit.form.written(day), visit.form.written(into))


def _read(typed: Form) -> Draft:
    return Draft(
        area_id=typed.one("area_id"),
        from_week=typed.one("from_week").strip(),
        into_week=typed.one("into_week").strip(),
        only=tuple(typed.many("only")) if typed.one("looked") else None,
        confirm_conflicts=typed.one("confirm_conflicts") == "yes",
        confirm_unusual=typed.one("confirm_unusual") == "yes",
    )


def _wanted(draft: Draft, visit: Visit) -> WeekCopyIn | Problems:
    days = {name: day_of(getattr(draft, name), visit.form.today()) for name in ("from_week", "into_week")}
    if unclear := {name: visit.text("wrong.day_written") for name, day in days.items() if day is None}:
        return unclear
    said = {"area_id": draft.area_id[:64], "only": None if draft.only is None else list(draft.only)}
    ticked = {"confirm_conflicts": draft.confirm_conflicts, "confirm_unusual": draft.confirm_unusual}
    return WeekCopyIn.model_validate(said | ticked | days)


async def _page(visit: Visit, draft: Draft, problems: Problems, *, look: bool = False) -> HTMLResponse:
    shown: dict[str, Any] = {"lines": None, "ask_conflicts": False, "ask_unusual": ""}
    wanted = _wanted(draft, visit) if look or problems else None
    if isinstance(wanted, WeekCopyIn):
        try:
            found = await visit.services.week_copies.preview(visit.actor, wanted)
        except LoaError as error:
            problems = problems or problems_of(error, visit.form, FIELDS)
        else:
            lines = [copy_line(each, visit.form, chosen=draft.only) for each in found.lines]
            unusual = next((each.unusual_said for each in lines if each.unusual_said), "")
            shown = {"lines": lines, "ask_conflicts": any(each.meets for each in lines), "ask_unusual": unusual}
    elif wanted:
        problems = problems or wanted
    return await whole_page(
        visit,
        "schedules_copy.html",
        status=422 if problems else 200,
        form=draft,
        problems={"form": ""} | problems if problems else {},
        areas=choices(visit.places(Act.SCHEDULES_WRITE)),
        **shown,
    )


async def _copy(visit: Visit, draft: Draft) -> Response:
    wanted = _wanted(draft, visit)
    if not isinstance(wanted, WeekCopyIn):
        return await _page(visit, draft, wanted)
    if draft.only is not None and not draft.only:
        return await _page(visit, draft, {"form": visit.text("copying.none_chosen")})
    try:
        made = await visit.services.week_copies.copy(visit.actor, wanted)
    except LoaError as error:
        known = problems_of(error, visit.form, FIELDS)
        return await _page(visit, draft, known or {"form": problem_text(error, visit.form)})
    return RedirectResponse(f"/schedules?view=week&day={made.into_monday.isoformat()}&done=week_copied", 303)


def add(router: APIRouter, site: Site) -> None:
    """Add the page."""

    @router.get("/schedules/copy")
    async def begin(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        visit.require(Act.SCHEDULES_WRITE)
        return await _page(visit, _begun(visit), {}, look=True)

    @router.post("/schedules/copy")
    async def copy(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        draft = _read(typed)
        if typed.one("look"):
            return await _page(visit, draft, {}, look=True)
        return await _copy(visit, draft)
