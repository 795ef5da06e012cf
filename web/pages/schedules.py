"""Lịch phát: all schedules, one with its dates, writing and changing one, taking single dates out."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import ConflictError, InvalidError, LoaError, NotFoundError
from controller.people.rights import Act
from controller.schedules.conflicts import ScheduleConflictError
from controller.schedules.schemas import ExceptionIn, ScheduleChange, ScheduleIn, ScheduleOut
from web.forms import Unclear, read_form
from web.pages.frame import back, nodes_and_runs, whole_page
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import moving as moves
from web.views import schedules as views
from web.views.dated import Told
from web.views.places import Choice, scope_names, tree
from web.views.say import covered
from web.views.whatif import change_lines
from web.words import Mark

FIELDS = frozenset({"title", "programme", "targets", "hour", "weekday", "first_day", "last_day"})


async def _programmes(visit: Visit) -> list[Choice]:
    found = await visit.services.programmes.list(visit.actor, templates=False)
    return [Choice(each.id, each.title) for each in found]


async def _names(visit: Visit) -> dict[str, str]:
    return scope_names(visit.areas, await visit.services.nodes.all(visit.actor))


async def _list(visit: Visit) -> HTMLResponse:
    names, programmes = await _names(visit), {each.id: each.whole_name for each in await _programmes(visit)}
    found = await visit.services.schedules.list(visit.actor)
    lines = [views.line(each, names, programmes, visit.form) for each in found]
    owed = await visit.services.bulletins.list(visit.actor, owed=True)
    return await whole_page(
        visit,
        "schedules.html",
        lines=lines,
        owed=views.owed_below(owed, visit.form),
        may_write=visit.may(Act.SCHEDULES_WRITE),
    )


async def _one(
    visit: Visit,
    schedule_id: str,
    problem: str = "",
    *,
    moving: moves.Moving | None = None,
    move: str = "",
    meeting: str = "",
) -> HTMLResponse:
    """Show one; ``move`` names the date that is to be moved, ``moving`` is what was typed for it.

    ``meeting`` names the date that meets others if it is to be heard, which has to be confirmed.
    """
    services, now = visit.services, visit.form.now
    known = await services.schedules.get(visit.actor, schedule_id)
    dates = await services.schedules.dates(visit.actor, schedule_id, now, now + views.LOOK_AHEAD)
    programmes = {each.id: each.whole_name for each in await _programmes(visit)}
    move = moving.name if moving else move
    asked = next((each for each in dates if each.recurrence_local.isoformat() == move), None)
    if moving is None and asked is not None:
        moving = moves.begun(asked, visit.form)
    return await whole_page(
        visit,
        "schedule.html",
        place=visit.name_of(known.area_id),
        status=422 if problem or (moving and moving.problem) else 200,
        schedule=views.line(known, await _names(visit), programmes, visit.form),
        programme_id=known.programme_id,
        owed=views.owed(known.owed or (), visit.form),
        dates=[views.date_line(each, visit.form, known.approval) for each in dates],
        moving=moving,
        meeting=meeting,
        moving_when=visit.form.long(asked.start_at) if asked else "",
        may_write=known.ended_at is None and visit.may(Act.SCHEDULES_WRITE, known.area_id),
        problem=problem,
    )


def _wanted(visit: Visit, draft: views.Draft, known: ScheduleOut | None) -> dict[str, Any]:
    return views.wanted(draft, covered(draft.targets, visit.areas), visit.form, known)


async def _preview(visit: Visit, draft: views.Draft, known: ScheduleOut | None) -> views.Preview:
    if lacks := views.missing(draft, visit.form):
        return views.Preview(missing=next(iter(lacks.values())))
    try:
        wanted = ScheduleIn.checked(**_wanted(visit, draft, known))
        found = await visit.services.schedules.preview(visit.actor, wanted, known.id if known else None)
    except Unclear as unclear:
        return views.Preview(missing=next(iter(unclear.problems.values())))
    except InvalidError as error:
        wrong = Mark("triangle", "care", problem_text(error, visit.form))
        return views.Preview(missing=visit.text("schedules.look_again"), warnings=(Told(wrong),))
    return views.preview(found, visit.form)


async def _what_if(visit: Visit, draft: views.Draft, known: ScheduleOut | None) -> list[Told] | None:
    """Say what saving would change elsewhere; None where the form is not ready for that."""
    try:
        wanted = ScheduleIn.checked(**_wanted(visit, draft, known))
        found = await visit.services.what_ifs.of(visit.actor, wanted, known.id if known else None)
    except (Unclear, InvalidError, ConflictError):
        return None
    return change_lines(found.changes, visit.form)


async def _form(
    visit: Visit, draft: views.Draft, known: ScheduleOut | None, problems: Mapping[str, str], *, look: bool = False
) -> HTMLResponse:
    nodes, runs = await nodes_and_runs(visit)
    return await whole_page(
        visit,
        "schedule_form.html",
        place=visit.name_of(known.area_id if known else None),
        nodes=nodes,
        runs=runs,
        status=422 if problems else 200,
        form=asdict(draft),
        problems={"form": ""} | dict(problems) if problems else {},
        places=tree(visit.areas, nodes, visit.form, draft.targets),
        programmes=await _programmes(visit),
        weekdays=[(day, visit.text(f"weekday.{number}")) for number, day in enumerate(views.WEEKDAYS, 1)],
        preview=await _preview(visit, draft, known) if look or problems or known else None,
        changes=await _what_if(visit, draft, known) if look else None,
        path=f"/schedules/{known.id}/edit" if known else "/schedules/new",
        leave=f"/schedules/{known.id}" if known else "/schedules",
    )


async def _save(visit: Visit, draft: views.Draft, known: ScheduleOut | None) -> Response:
    if lacks := views.missing(draft, visit.form):
        return await _form(visit, draft, known, lacks)
    schedules, problems = visit.services.schedules, Problems()
    try:
        wanted = _wanted(visit, draft, known)
        if known is None:
            saved = await schedules.create(visit.actor, ScheduleIn.checked(**wanted))
        else:
            change = ScheduleChange.checked(**wanted, version=draft.version)
            saved = await schedules.change(visit.actor, known.id, change)
    except Unclear as unclear:
        problems = unclear.problems
    except LoaError as error:
        problems = problems_of(error, visit.form, FIELDS)
    return await _form(visit, draft, known, problems) if problems else back(f"/schedules/{saved.id}", "saved")


async def _change(visit: Visit, schedule_id: str, recurrence: datetime, act: str, *, confirmed: bool) -> None:
    """Take one date out, or let it be as it was; ``confirmed``: though it meets others."""
    dates, kind = visit.services.single_dates, {"cancel": "cancelled", "keep": "kept"}.get(act)
    if kind is None:
        await dates.restore(visit.actor, schedule_id, recurrence, confirm_conflicts=confirmed)
    else:
        change = ExceptionIn.model_validate({"kind": kind, "confirm_conflicts": confirmed})
        await dates.except_(visit.actor, schedule_id, recurrence, change)


async def _move(visit: Visit, schedule_id: str, recurrence: datetime, moving: moves.Moving) -> Response:
    """Move one date; what is in the way is said where the new time was typed."""
    try:
        change = moves.wanted(moving, visit.form)
        await visit.services.single_dates.except_(visit.actor, schedule_id, recurrence, change)
    except Unclear as unclear:
        moving = replace(moving, problem=next(iter(unclear.problems.values())))
    except (InvalidError, ConflictError) as error:
        moving = moves.refused(moving, error, visit.form)
    return (
        await _one(visit, schedule_id, moving=moving) if moving.problem else back(f"/schedules/{schedule_id}", "date")
    )


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    _add_writing(router, site)
    _add_reading(router, site)


def _add_writing(router: APIRouter, site: Site) -> None:
    async def known_of(visit: Visit, schedule_id: str) -> ScheduleOut | None:
        return None if schedule_id == "new" else await visit.services.schedules.get(visit.actor, schedule_id)

    @router.get("/schedules/new")
    async def new(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        programme, first = request.query_params.get("programme", ""), visit.form.written(visit.form.today())
        draft = views.Draft(programme=programme[:64], first_day=first)
        if programme:
            with_title = (each.whole_name for each in await _programmes(visit) if each.id == programme)
            draft = replace(draft, title=next(with_title, ""))
        return await _form(visit, draft, None, {})

    @router.get("/schedules/{schedule_id}/edit")
    async def edit(request: Request, schedule_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known = await visit.services.schedules.get(visit.actor, schedule_id)
        return await _form(visit, views.draft_of(known, visit.form), known, {})

    @router.post("/schedules/{schedule_id}/preview")
    async def preview(request: Request, schedule_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known, draft = await known_of(visit, schedule_id), views.read_draft(await read_form(request))
        found = await _preview(visit, draft, known)
        return visit.fragment("_schedule_preview.html", preview=found, form=asdict(draft))

    @router.post("/schedules/new")
    async def create(request: Request) -> Response:
        return await written(request, "new")

    @router.post("/schedules/{schedule_id}/edit")
    async def written(request: Request, schedule_id: str) -> Response:
        visit = await site.visit(request)
        known, typed = await known_of(visit, schedule_id), await read_form(request)
        draft = views.read_draft(typed)
        if typed.one("look"):
            return await _form(visit, draft, known, {}, look=True)
        return await _save(visit, draft, known)


def _add_reading(router: APIRouter, site: Site) -> None:
    @router.get("/schedules")
    async def all_of_them(request: Request) -> HTMLResponse:
        return await _list(await site.visit(request))

    @router.get("/schedules/{schedule_id}")
    async def one(request: Request, schedule_id: str) -> HTMLResponse:
        return await _one(await site.visit(request), schedule_id, move=request.query_params.get("move", ""))

    @router.post("/schedules/{schedule_id}/end")
    async def end(request: Request, schedule_id: str) -> RedirectResponse:
        visit = await site.visit(request)
        await read_form(request)
        try:
            await visit.services.schedules.end(visit.actor, schedule_id)
        except ConflictError:  # ended in the meantime: the page says so
            return back(f"/schedules/{schedule_id}", "")
        return back(f"/schedules/{schedule_id}", "ended")

    @router.post("/schedules/{schedule_id}/dates/{recurrence}")
    async def one_date(request: Request, schedule_id: str, recurrence: datetime) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        try:
            if typed.one("act") == "move":
                return await _move(visit, schedule_id, recurrence, moves.read(typed, recurrence))
            confirmed = typed.one("confirm_conflicts") == "yes"
            await _change(visit, schedule_id, recurrence, typed.one("act"), confirmed=confirmed)
        except (InvalidError, ConflictError, NotFoundError) as error:
            meeting = recurrence.isoformat() if isinstance(error, ScheduleConflictError) else ""
            return await _one(visit, schedule_id, problem_text(error, visit.form), meeting=meeting)
        return back(f"/schedules/{schedule_id}", "date")
