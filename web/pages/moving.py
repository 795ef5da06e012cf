"""Dates of a calendar put elsewhere: what that would change first, then the act; and the fixed end of a series."""

from dataclasses import replace
from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.schedules.conflicts import ScheduleConflictError
from controller.schedules.schemas import ExceptionIn, ScheduleChange, ScheduleIn, ScheduleOut, WallTime
from web.forms import MOST_VERSION, Unclear, number_of, own_path, read_form
from web.pages.frame import back
from web.pages.replacing import replaced
from web.pages.schedule import one_page
from web.pages.schedules import saved
from web.problems import problem_text
from web.site import Site, Visit
from web.views import moving as moves
from web.views import schedule_form as drafts
from web.views import schedules as views
from web.views.schedule_finer import finer_of
from web.views.whatif import change_lines


async def _change(visit: Visit, schedule_id: str, recurrence: datetime, act: str, *, confirmed: bool) -> None:
    """Take one date out, or let it be as it was; ``confirmed``: though it meets others."""
    dates = visit.services.single_dates
    match act:
        case "restore":
            await dates.restore(visit.actor, schedule_id, recurrence, confirm_conflicts=confirmed)
        case "cancel" | "keep":
            kind = {"cancel": "cancelled", "keep": "kept"}[act]
            change = ExceptionIn.model_validate({"kind": kind, "confirm_conflicts": confirmed})
            await dates.except_(visit.actor, schedule_id, recurrence, change)
        case other:
            raise NotFoundError("there is no such act", resource="schedules", id=other[:64])


async def _wanted(visit: Visit, schedule_id: str, recurrence: datetime, moving: moves.Moving) -> ExceptionIn:
    """Give what is to become of the date; another programme that was chosen for it goes with it."""
    known = await visit.services.schedules.get(visit.actor, schedule_id)
    date = await visit.services.single_dates.get(visit.actor, schedule_id, recurrence)
    moves.check_standing(moving, date, visit.form)
    return moves.wanted(moving, visit.form, date, known.programme_id)


async def _looked_at(visit: Visit, schedule_id: str, recurrence: datetime, moving: moves.Moving) -> moves.Looked:
    """Say what moving one date would change, and what is in the way; nothing is saved."""
    try:
        change = await _wanted(visit, schedule_id, recurrence, moving)
        found = await visit.services.what_ifs.of_date(visit.actor, schedule_id, recurrence, change)
        changes = change_lines(found.changes, visit.form)
    except Unclear as unclear:
        return moves.Looked(moves.unclear(moving, unclear))
    except (InvalidError, ConflictError) as error:
        return moves.Looked(moves.refused(moving, error, visit.form))
    try:
        await visit.services.single_dates.check(visit.actor, schedule_id, recurrence, change)
    except (InvalidError, ConflictError) as error:
        return moves.Looked(moves.refused(moving, error, visit.form), changes)
    return moves.Looked(moving, changes)


async def _move(visit: Visit, schedule_id: str, recurrence: datetime, moving: moves.Moving, to: str) -> Response:
    """Move one date; what is in the way is said where the new time was typed. ``to``: where that leads."""
    try:
        change = await _wanted(visit, schedule_id, recurrence, moving)
        await visit.services.single_dates.except_(visit.actor, schedule_id, recurrence, change)
    except Unclear as unclear:
        moving = moves.unclear(moving, unclear)
    except (InvalidError, ConflictError) as error:
        moving = moves.refused(moving, error, visit.form)
    if moving.problem or moving.problems:
        return await one_page(visit, schedule_id, moving=moving)
    return RedirectResponse(_done(to, "date"), 303) if to else back(f"/schedules/{schedule_id}", "date")


def _done(path: str, code: str) -> str:
    """Give an address of ours to return to, where it is said what was done."""
    ours = own_path(path, "/schedules")
    return f"{ours}{'&' if '?' in ours else '?'}done={code}"


def _ended(known: ScheduleOut, ends: str) -> ScheduleChange:
    """Give a schedule with another fixed end."""
    said = {name: getattr(known, name) for name in ScheduleChange.model_fields if name in ScheduleOut.model_fields}
    return ScheduleChange.checked(**said | {"ends_at_local": ends})


def add(router: APIRouter, site: Site) -> None:
    """Add what is done to single dates, and to the length of a series."""
    _add_dates(router, site)
    _add_length(router, site)


def _add_dates(router: APIRouter, site: Site) -> None:
    @router.post("/schedules/{schedule_id}/dates/{recurrence}")
    async def one_date(request: Request, schedule_id: str, recurrence: WallTime) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        try:
            if typed.one("act") == "move":
                moving = moves.read(typed, recurrence)
                if typed.one("look"):
                    seen = await _looked_at(visit, schedule_id, recurrence, moving)
                    return await one_page(visit, schedule_id, moving=seen.moving, changes=seen.changes)
                return await _move(visit, schedule_id, recurrence, moving, typed.one("to"))
            if typed.one("act") == "other":
                return await replaced(visit, schedule_id, recurrence, typed)
            confirmed = typed.one("confirm_conflicts") == "yes"
            await _change(visit, schedule_id, recurrence, typed.one("act"), confirmed=confirmed)
        except (InvalidError, ConflictError, NotFoundError) as error:
            meeting = recurrence.isoformat() if isinstance(error, ScheduleConflictError) else ""
            return await one_page(visit, schedule_id, problem_text(error, visit.form), meeting=meeting)
        return back(f"/schedules/{schedule_id}", "date")

    @router.post("/schedules/{schedule_id}/dates/{recurrence}/look")
    async def look_at_move(request: Request, schedule_id: str, recurrence: WallTime) -> HTMLResponse:
        """Say what moving a date in the calendar would change, before it is asked to be done."""
        visit, typed = await site.visit(request), await read_form(request)
        known = await visit.services.schedules.get(visit.actor, schedule_id)
        date = await visit.services.single_dates.get(visit.actor, schedule_id, recurrence)
        moving = moves.from_calendar(typed, known, date, visit.form)
        stays = moves.stays(known, date, moving, visit.form)
        seen = moves.Looked(moving) if stays else await _looked_at(visit, schedule_id, recurrence, moving)
        return visit.fragment(
            "_schedule_move.html",
            schedule=known,
            seen=seen,
            stays=stays,
            moving=seen.moving,
            stands=moves.standing(date),
            said=known.title if stays else moves.sentence(known, date, seen.moving, visit.form),
            back=moves.back_said(known, date, is_moved=not stays, form=visit.form),
            to=own_path(typed.one("to"), "/schedules"),
        )


def _add_length(router: APIRouter, site: Site) -> None:
    @router.post("/schedules/{schedule_id}/length/look")
    async def look_at_length(request: Request, schedule_id: str) -> HTMLResponse:
        """Say what another fixed end of a schedule would change."""
        visit, typed = await site.visit(request), await read_form(request)
        known = await visit.services.schedules.get(visit.actor, schedule_id)
        ends, changes, problem = typed.one("ends"), None, ""
        try:
            wanted = ScheduleIn.checked(**_ended(known, ends).model_dump(exclude={"version"}))
            found = await visit.services.schedules.preview(visit.actor, wanted, schedule_id)
            changes = change_lines(
                (await visit.services.what_ifs.of(visit.actor, wanted, schedule_id)).changes, visit.form
            )
        except (InvalidError, ConflictError) as error:
            problem, shown = problem_text(error, visit.form), views.Preview()
        else:
            shown = views.preview(found, visit.form)
        return visit.fragment(
            "_schedule_length.html",
            schedule=known,
            ends=ends,
            changes=changes,
            problem=problem,
            shown=shown,
            to=own_path(typed.one("to"), "/schedules"),
        )

    @router.post("/schedules/{schedule_id}/length")
    async def lengthen(request: Request, schedule_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        known = await visit.services.schedules.get(visit.actor, schedule_id)
        draft = replace(
            drafts.draft_of(known, visit.form),
            finer=replace(finer_of(known, visit.form), ends=typed.one("ends")),
            version=number_of(typed.one("version"), most=MOST_VERSION) or 0,
            confirm_conflicts=typed.one("confirm_conflicts") == "yes",
            confirm_unusual=typed.one("confirm_unusual") == "yes",
        )
        answer = await saved(visit, draft, known)
        return RedirectResponse(_done(typed.one("to"), "saved"), 303) if answer.status_code == 303 else answer
