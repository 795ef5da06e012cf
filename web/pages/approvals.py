"""Chờ duyệt: the queue, listening to what is new, a yes or a no; and what authors approved alone."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.approvals.schemas import ApprovalOut, ApproveIn, ReturnIn
from controller.errors import ConflictError, NotFoundError
from controller.people.rights import Act
from web.forms import Form, read_form
from web.pages.frame import back, whole_page
from web.pages.one import One, add_one
from web.site import Site, Visit
from web.views import approvals as views
from web.views.schedules import DATES_TOLD, LOOK_AHEAD, moved_said, when_said

MOST_REASON = 2000


async def _queue(visit: Visit) -> dict[str, Any]:
    found = await visit.services.approvals.list(visit.actor)
    may_decide = visit.may(Act.APPROVALS_GIVE)
    alone = await visit.services.by_authors.list(visit.actor, seen=False) if may_decide else []
    return {
        "lines": [views.line(each, visit.person.id, visit.form) for each in found],
        "alone": [views.alone(each, visit.form) for each in alone if each.person != visit.person.name],
        "may_decide": may_decide,
    }


async def _waves(visit: Visit, row: ApprovalOut) -> dict[str, Sequence[int]]:
    found: dict[str, Sequence[int]] = {}
    for recording_id in filter(None, (each.recording_id for each in row.files)):
        with suppress(NotFoundError, ConflictError):  # of an area above: heard, but not seen
            found[recording_id] = (await visit.services.recordings.waveform(visit.actor, recording_id)).peaks
    return found


async def _airs(visit: Visit, row: ApprovalOut) -> list[str]:
    """Say when a schedule that waits would sound: its rule in words, and its next dates as they are, moved ones too."""
    kind, _, subject_id = row.subject.partition("/")
    if kind != "schedules":
        return []
    schedules, now = visit.services.schedules, visit.form.now
    try:
        known = await schedules.get(visit.actor, subject_id)
        dates = await schedules.dates(visit.actor, subject_id, now, now + LOOK_AHEAD)
    except NotFoundError:  # of an area above
        return []
    coming = [each for each in dates if each.verdict == "aired" and each.start_at > now][:DATES_TOLD]
    said = ", ".join(f"{visit.form.long(each.start_at)}{moved_said(each, visit.form)}" for each in coming)
    return [when_said(known, visit.form), *([visit.text("approvals.dates", dates=said)] if coming else [])]


async def _context(visit: Visit, request_id: str) -> dict[str, Any]:
    row = await visit.services.approvals.get(visit.actor, request_id)
    own, is_open = row.asked_by_id == visit.person.id, row.state == "open"
    return {
        "place": visit.name_of(row.area_id),
        "airs": await _airs(visit, row),
        "asked": views.one(row, await _waves(visit, row), visit.form),
        "may_decide": is_open and visit.may(Act.APPROVALS_GIVE, row.area_id),
        "may_withdraw": is_open and own,
        "may_number": is_open and (own or visit.may(Act.APPROVALS_GIVE, row.area_id)),
    }


async def _act(visit: Visit, request_id: str, typed: Form) -> Response:
    done = await _done(visit, request_id, typed)
    return back("/approvals" if done in {"approved", "returned"} else f"/approvals/{request_id}", done)


async def _done(visit: Visit, request_id: str, typed: Form) -> str:
    """Do what was asked; gives what to say of it."""
    approvals, actor = visit.services.approvals, visit.actor
    match typed.one("act"):
        case "approve":
            wanted = ApproveIn(confirm_unusual=typed.one("confirm_unusual") == "yes")
            await approvals.approve(actor, request_id, wanted)
            return "approved"
        case "return":
            await approvals.return_(actor, request_id, ReturnIn(reason=typed.one("reason")[:MOST_REASON]))
            return "returned"
        case "withdraw":
            await approvals.withdraw(actor, request_id)
            return "withdrawn"
        case "number":
            await visit.services.papers.put_number(actor, request_id, typed.one("number")[:200])
            return "saved"
        case other:
            raise NotFoundError("there is no such act", resource="approvals", id=other[:64])


def add(router: APIRouter, site: Site) -> None:
    """Add the pages, their live parts and their acts."""

    @router.get("/approvals")
    async def queue(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return await whole_page(visit, "approvals.html", **await _queue(visit))

    @router.get("/approvals/live")
    async def queue_again(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_approvals.html", **await _queue(visit))

    @router.post("/approvals/by-authors/{approval_id}")
    async def seen(request: Request, approval_id: str) -> Response:
        visit = await site.visit(request)
        await read_form(request)
        try:
            await visit.services.by_authors.see(visit.actor, approval_id)
        except ConflictError:  # somebody else has seen it meanwhile
            return back("/approvals")
        return back("/approvals", "seen")

    add_one(router, site, One("approvals", "approval.html", "_approval_decision.html", _context, _act))
