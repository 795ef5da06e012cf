"""Ngày nghỉ và ngày lễ: calendars of the places in sight, what they silence, and what changing one would change."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from controller.errors import InvalidError, LoaError, NotFoundError
from controller.paging import part_of
from controller.people.rights import Act
from controller.policies.schemas import WhatIfOut
from controller.schedules.schemas import CalendarChange, CalendarIn, CalendarOut
from controller.validation import problem_of
from web.forms import read_form
from web.listing import Asked, Filter, Listing, Rows, chosen
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import calendars as views
from web.views.places import Choice, choices
from web.views.whatif import change_lines

FIELDS = frozenset({"title", "area_id", "days", "programme"})


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return views.filters(visit.form)


async def _of_all(visit: Visit, wish: Asked) -> list[CalendarOut]:
    names = _names(visit)
    return chosen(
        await visit.services.calendars.list(visit.actor),
        wish,
        lambda each: [each.title, names.get(each.area_id)],
        views.sorts(names),
        {"effect": lambda each: str(each.effect)},
    )


def _names(visit: Visit) -> dict[str, str]:
    return {area.id: area.name for area in visit.areas}


async def _read(visit: Visit, wish: Asked) -> Rows[views.Line]:
    names, mine = _names(visit), {area.id for area in visit.places(Act.CALENDARS_WRITE)}
    part = part_of(await _of_all(visit, wish), wish.wanted())
    rows = (views.line(each, names, mine=each.area_id in mine, form=visit.form) for each in part.rows)
    return Rows(tuple(rows), part.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    names = _names(visit)
    for known in await _of_all(visit, wish):
        each = views.line(known, names, mine=False, form=visit.form)
        yield [each.title, each.place, each.effect, ", ".join(each.dates)]


async def _writing(visit: Visit, _listing: Listing[views.Line]) -> dict[str, Any]:
    return {"may_write": visit.may(Act.CALENDARS_WRITE)}


MANY = Many(
    path="/calendars",
    title="calendars.title",
    template="calendars.html",
    fragment="_calendars.html",
    live=Live("calendars", "schedule area", pace=5),
    columns=views.COLUMNS,
    sort="next",
    filters=_filters,
    read=_read,
    table=Table("ngay-nghi", tuple(column.word for column in views.COLUMNS), _lines),
    within=_writing,
)


async def _known(visit: Visit, calendar_id: str) -> CalendarOut:
    for each in await visit.services.calendars.list(visit.actor):
        if each.id == calendar_id and visit.name_of(each.area_id):
            return each
    raise NotFoundError("there is no such calendar", resource="calendars", id=calendar_id[:64])


def _said(draft: views.Draft, visit: Visit) -> tuple[dict[str, Any], Problems]:
    days, problems = views.read_days(draft, visit.form)
    if not draft.title:
        problems = {"title": visit.text("wrong.title_empty")} | problems
    replaces = draft.effect == "replace"
    if replaces and not draft.programme:
        problems |= {"programme": visit.text("schedules.programme_empty")}
    programme_id = draft.programme if replaces else None
    said = {"area_id": draft.area_id, "title": draft.title, "days": days, "effect": draft.effect}
    return said | {"programme_id": programme_id}, problems


def _checked(draft: views.Draft, visit: Visit) -> CalendarIn:
    """Give what the service is asked for; with a version what a calendar is to be.

    Raises:
        InvalidError: a field is wrong by itself.
    """
    said, _ = _said(draft, visit)
    try:
        if draft.version:
            return CalendarChange.model_validate(said | {"version": draft.version})
        return CalendarIn.model_validate(said)
    except ValidationError as error:
        raise problem_of(error.errors()) from None


async def _form(
    visit: Visit,
    draft: views.Draft,
    known: CalendarOut | None,
    problems: Problems,
    *,
    found: WhatIfOut | None = None,
    ending: bool = False,
) -> HTMLResponse:
    """Show the form; ``found``: what saving, or ending, would change."""
    programmes = await visit.services.programmes.list(visit.actor, templates=False)
    places = visit.places(Act.CALENDARS_WRITE)
    return await whole_page(
        visit,
        "calendar_form.html",
        place=visit.name_of(known.area_id if known else None),
        status=422 if problems else 200,
        form=asdict(draft),
        problems={"form": ""} | problems if problems else {},
        areas=choices(places),
        programmes=[Choice(each.id, each.title) for each in programmes],
        effects=views.effects(visit.form),
        examples=list(views.examples(visit.form)),
        known=known,
        may_write=known is None or any(area.id == known.area_id for area in places),
        changes=change_lines(found.changes, visit.form) if found else None,
        ending=ending,
        path=f"/calendars/{known.id}" if known else "/calendars/new",
    )


async def _look(visit: Visit, draft: views.Draft, known: CalendarOut | None) -> HTMLResponse:
    problems = _said(draft, visit)[1]
    found = None
    if not problems:
        try:
            wanted = CalendarIn.model_validate(_checked(draft, visit).model_dump(exclude={"version"}))
            found = await visit.services.what_ifs.of_calendar(visit.actor, wanted, known.id if known else None)
        except LoaError as error:
            problems = problems_of(error, visit.form, FIELDS)
    return await _form(visit, draft, known, problems, found=found)


async def _save(visit: Visit, draft: views.Draft, known: CalendarOut | None) -> Response:
    problems = _said(draft, visit)[1]
    if not problems:
        calendars = visit.services.calendars
        try:
            wanted = _checked(draft, visit)
            if known is None:
                await calendars.create(visit.actor, wanted)
            elif isinstance(wanted, CalendarChange):
                await calendars.change(visit.actor, known.id, wanted)
            else:
                raise InvalidError("version: not given", field="version", problem="empty")
        except LoaError as error:
            problems = problems_of(error, visit.form, FIELDS)
    return await _form(visit, draft, known, problems) if problems else back("/calendars", "saved")


def _add_writing(router: APIRouter, site: Site) -> None:
    """Add what changes one, or ends it."""

    @router.post("/calendars/{calendar_id}")
    async def written(request: Request, calendar_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        known = None if calendar_id == "new" else await _known(visit, calendar_id)
        draft = views.read_draft(typed)
        return await (_look if typed.one("look") else _save)(visit, draft, known)

    @router.post("/calendars/{calendar_id}/end")
    async def end(request: Request, calendar_id: str) -> Response:
        """End a calendar; before that, say what its days would sound like."""
        visit, typed = await site.visit(request), await read_form(request)
        known = await _known(visit, calendar_id)
        draft = views.draft_of(known, visit.form)
        try:
            if typed.one("sure") != "yes":
                found = await visit.services.what_ifs.of_calendar_end(visit.actor, calendar_id)
                return await _form(visit, draft, known, {}, found=found, ending=True)
            await visit.services.calendars.end(visit.actor, calendar_id)
        except LoaError as error:
            return await _form(visit, draft, known, {"form": problem_text(error, visit.form)})
        return back("/calendars", "ended")


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    add_many(router, site, MANY)

    @router.get("/calendars/new")
    async def new(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        visit.require(Act.CALENDARS_WRITE)
        places = visit.places(Act.CALENDARS_WRITE)
        return await _form(visit, views.Draft(area_id=places[0].id if places else ""), None, {})

    @router.get("/calendars/{calendar_id}")
    async def one(request: Request, calendar_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known = await _known(visit, calendar_id)
        visit.require(Act.CALENDARS_WRITE, known.area_id)
        return await _form(visit, views.draft_of(known, visit.form), known, {})

    _add_writing(router, site)
