"""One schedule: how it airs, its dates and what can be done to each, its end."""

from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import ConflictError, NotFoundError
from controller.people.rights import Act
from controller.schedules.schemas import DateOut, ScheduleOut
from web.forms import read_form
from web.pages.frame import back, whole_page
from web.pages.schedule_finer import filler_title
from web.site import Site, Visit
from web.views import moving as moves
from web.views import schedule_finer as finer
from web.views import schedules as views
from web.views.dated import Told
from web.views.places import Choice, scope_names
from web.views.whatif import Looked, ended_lines

NODE = "nodes/"
"""Before the id of a node that is aimed at by itself."""


async def programmes_of(visit: Visit) -> list[Choice]:
    """List the programmes that can be chosen."""
    found = await visit.services.programmes.list(visit.actor, templates=False)
    return [Choice(each.id, each.title) for each in found]


async def names_of(visit: Visit, some: Iterable[ScheduleOut]) -> dict[str, str]:
    """Name by their scopes all places, and the nodes at which some schedules are aimed: few of all that there are."""
    aimed = {scope for each in some for scope in each.targets if scope.startswith(NODE)}
    nodes = await visit.services.nodes.some(visit.actor, [scope.removeprefix(NODE) for scope in sorted(aimed)])
    return scope_names(visit.areas, nodes)


async def one_page(
    visit: Visit,
    schedule_id: str,
    problem: str = "",
    *,
    moving: moves.Moving | None = None,
    replacing: moves.Replacing | None = None,
    seen: Looked | None = None,
    move: str = "",
    other: str = "",
    meeting: str = "",
    changes: list[Told] | None = None,
    ending: list[Told] | None = None,
) -> HTMLResponse:
    """Show one; ``move`` names the date that is to be moved, ``moving`` is what was typed for it.

    ``changes``: what moving it would change, when that was asked; ``ending``: what ending the schedule would.

    ``other`` names the date that is to have another programme, ``replacing`` is what was chosen for it, and ``seen``
    what that would change.

    ``meeting`` names the date that meets others if it is to be heard, which has to be confirmed.
    """
    known, dates, shown = await _read(visit, schedule_id)
    may_write = shown["may_write"]
    by_name = {each.recurrence_local.isoformat(): each for each in dates} if may_write else {}
    if moving is None and move in by_name:
        moving = moves.begun(by_name[move], visit.form)
    if replacing is None and other in by_name:
        replacing = moves.to_replace(by_name[other])
    named = by_name.get(moving.name if moving else replacing.name if replacing else "")
    return await whole_page(
        visit,
        "schedule.html",
        place=visit.name_of(known.area_id),
        status=422 if problem or _is_refused(moving) or (replacing and replacing.problem) else 200,
        moving=moving,
        replacing=replacing,
        seen=seen,
        meeting=meeting,
        changes=changes,
        ending=ending,
        named_when=visit.form.long(named.start_at) if named else "",
        stands=moves.standing(named) if named else "",
        zones=finer.zones_named(known.zone, visit.form),
        back_timed=finer.back_said(finer.finer_of(known, visit.form), visit.form),
        problem=problem,
        **shown,
    )


async def _read(visit: Visit, schedule_id: str) -> tuple[ScheduleOut, Sequence[DateOut], dict[str, Any]]:
    """Read a schedule and its next dates; gives besides what the parts of the page show that are kept up to date."""
    schedules, now = visit.services.schedules, visit.form.now
    known = await schedules.get(visit.actor, schedule_id)
    dates = await schedules.dates(visit.actor, schedule_id, now, now + views.LOOK_AHEAD)
    programmes = {each.id: each.whole_name for each in await programmes_of(visit)}
    return (
        known,
        dates,
        {
            "schedule": views.line(known, await names_of(visit, [known]), programmes, visit.form),
            "programme_id": known.programme_id if await _is_seen(visit, known.programme_id, programmes) else "",
            "owed": views.owed(known.owed or (), visit.form),
            "finer": finer.said(known, await _filler(visit, known), visit.form),
            "dates": [
                views.date_line(
                    each, visit.form, known.approvals, views.other_said(each, known, programmes, visit.form)
                )
                for each in dates
            ],
            "programmes": programmes.items(),
            "may_write": known.ended_at is None and visit.may(Act.SCHEDULES_WRITE, known.area_id),
        },
    )


async def _is_seen(visit: Visit, programme_id: str, listed: Container[str]) -> bool:
    """Tell whether a programme has a page for this person: one of above has none, one that was put away has."""
    if programme_id in listed:
        return True
    with suppress(NotFoundError):
        await visit.services.programmes.get(visit.actor, programme_id)
        return True
    return False


def _is_refused(moving: moves.Moving | None) -> bool:
    return moving is not None and bool(moving.problem or moving.problems)


async def _filler(visit: Visit, known: ScheduleOut) -> str:
    return await filler_title(visit, known.filler_recording_id) if known.filler_recording_id else ""


def add(router: APIRouter, site: Site) -> None:
    """Add the page."""

    @router.get("/schedules/{schedule_id}")
    async def one(request: Request, schedule_id: str) -> HTMLResponse:
        visit, asked = await site.visit(request), request.query_params
        return await one_page(visit, schedule_id, move=asked.get("move", ""), other=asked.get("other", ""))

    @router.get("/schedules/{schedule_id}/live")
    async def state(request: Request, schedule_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        _, _, shown = await _read(visit, schedule_id)
        return visit.fragment("_schedule_state.html", **shown)

    @router.get("/schedules/{schedule_id}/live/dates")
    async def dates(request: Request, schedule_id: str) -> HTMLResponse:
        """Give the dates; one that meets others is still asked about where that was asked."""
        visit = await site.visit(request)
        _, _, shown = await _read(visit, schedule_id)
        return visit.fragment("_schedule_dates.html", meeting=request.query_params.get("meeting", "")[:32], **shown)

    @router.post("/schedules/{schedule_id}/end")
    async def end(request: Request, schedule_id: str) -> Response:
        """End a schedule; before that, say what falls silent."""
        visit, typed = await site.visit(request), await read_form(request)
        try:
            if typed.one("sure") != "yes":
                found = await visit.services.what_ifs.of_end(visit.actor, schedule_id)
                return await one_page(visit, schedule_id, ending=ended_lines(found.changes, visit.form))
            await visit.services.schedules.end(visit.actor, schedule_id)
        except ConflictError:  # ended in the meantime: the page says so
            return back(f"/schedules/{schedule_id}", "")
        return back(f"/schedules/{schedule_id}", "ended")
