"""Chờ duyệt: the queue, listening to what is new, a yes or a no; and what authors approved alone."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.approvals.papers import MOST_BYTES
from controller.approvals.schemas import ApprovalOut, ApproveIn, ReturnIn
from controller.approvals.states import RequestState
from controller.errors import ConflictError, NotFoundError
from controller.people.rights import Act
from web.forms import Form, read_form
from web.listing import Asked, Column, Filter, Rows, in_parts
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.pages.one import One, add_one
from web.pages.schedule_finer import filler_title
from web.site import Site, Visit
from web.views import approvals as views
from web.views.dated import Told
from web.views.say import conflicts as said_conflicts
from web.views.schedule_finer import said as said_finer
from web.views.schedules import DATES_TOLD, LOOK_AHEAD, conflicts, moved_said, when_said

MOST_REASON = 2000
RETURN_REASONS = ("words", "time", "place", "sound", "paper")
"""What a leader returns things for, a button each: ``return_reason.…``."""
COLUMNS = (
    Column("title", "approvals.column_title"),
    Column("start", "approvals.column_start"),
    Column("targets", "approvals.column_targets", sort=False),
    Column("asked", "approvals.column_asked"),
    Column("state", "approvals.column_state", sort=False),
)


async def _queue(visit: Visit, shown: str) -> dict[str, Any]:
    """Give what waits besides the request that stands open; ``shown``: its id, empty when none does."""
    found = await visit.services.approvals.list(visit.actor)
    await visit.read_kinds()
    may_decide, me = visit.may(Act.APPROVALS_GIVE), visit.person.id
    alone = await visit.services.by_authors.list(visit.actor, seen=False) if may_decide else []
    return {
        "shown": shown,
        "others": [views.line(each, visit.form) for each in found if each.asked_by_id != me and each.id != shown],
        "own": [views.line(each, visit.form) for each in found if each.asked_by_id == me],
        "alone": [views.alone(each, visit.form) for each in alone if each.person_id != me],
        "may_decide": may_decide,
    }


async def _waves(visit: Visit, row: ApprovalOut) -> dict[str, Sequence[int]]:
    found: dict[str, Sequence[int]] = {}
    for recording_id in filter(None, (each.recording_id for each in row.files)):
        with suppress(NotFoundError, ConflictError):  # of an area above: heard, but not seen
            found[recording_id] = (await visit.services.recordings.waveform(visit.actor, recording_id)).peaks
    return found


async def _met(visit: Visit, row: ApprovalOut, broadcast_id: str) -> dict[str, Any]:
    """Say what a single broadcast meets while it waits, as its author was told."""
    if row.state != "open":
        return {}
    with suppress(NotFoundError):  # of an area above
        met = await visit.services.broadcasts.met(visit.actor, broadcast_id)
        return {"meets": [Told(each) for each in said_conflicts(met, visit.form)]}
    return {}


async def _airs(visit: Visit, row: ApprovalOut) -> dict[str, Any]:
    when = visit.text("approvals.at", when=visit.form.long(row.first_start_at))
    return {"request_id": row.id, "airs": [when], "finer": (), "meets": ()} | await _of_subject(visit, row)


async def _of_subject(visit: Visit, row: ApprovalOut) -> dict[str, Any]:
    """Say when it would be heard; of a schedule its rule in words, its next dates as they are, moved ones too.

    While it waits, also what it has otherwise than others, and what it meets: whether it cuts that, or is cut.
    """
    kind, _, subject_id = row.subject.partition("/")
    if kind != "schedules":
        return await _met(visit, row, subject_id)
    schedules, form, now = visit.services.schedules, visit.form, visit.form.now
    try:
        known = await schedules.get(visit.actor, subject_id)
        dates = await schedules.dates(visit.actor, subject_id, now, now + LOOK_AHEAD)
        met = await schedules.met(visit.actor, subject_id) if row.state == "open" else ()
    except NotFoundError:  # of an area above
        return {}
    coming = [each for each in dates if each.verdict == "aired" and each.start_at > now][:DATES_TOLD]
    said = ", ".join(f"{form.long(each.start_at)}{moved_said(each, form)}" for each in coming)
    told = coming and row.state in {"open", "approved"}  # of what was refused none will be
    airs = [when_said(known, form), *([visit.text("approvals.dates", dates=said)] if told else [])]
    filler = await filler_title(visit, known.filler_recording_id) if known.filler_recording_id else ""
    finer = said_finer(known, filler, form) if row.state == "open" else ()
    return {"airs": airs, "finer": finer, "meets": conflicts(met, form)}


async def _context(visit: Visit, request_id: str) -> dict[str, Any]:
    row = await visit.services.approvals.get(visit.actor, request_id)
    return {"place": visit.name_of(row.area_id)} | await _shown(visit, row)


async def _shown(visit: Visit, row: ApprovalOut) -> dict[str, Any]:
    """Give what a request in full shows."""
    await visit.read_kinds(row.area_id)
    own, is_open = row.asked_by_id == visit.person.id, row.state == "open"
    return {
        "asked": views.one(row, await _waves(visit, row), visit.form),
        "return_reasons": RETURN_REASONS,
        "most_scan": MOST_BYTES,
        "may_decide": is_open and visit.may(Act.APPROVALS_GIVE, row.area_id),
        "may_withdraw": is_open and own,
        "may_number": is_open and (own or visit.may(Act.APPROVALS_GIVE, row.area_id)),
    } | await _airs(visit, row)


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
            await approvals.return_(actor, request_id, ReturnIn(reason=_reason(visit, typed)))
            return "returned"
        case "withdraw":
            await approvals.withdraw(actor, request_id)
            return "withdrawn"
        case "number":
            await visit.services.papers.put_number(actor, request_id, typed.one("number")[:200])
            return "saved"
        case other:
            raise NotFoundError("there is no such act", resource="approvals", id=other[:64])


async def _done_before(visit: Visit, request_id: str, typed: Form) -> Response | None:
    """Lead to where it stands if this person did this before, and had no answer."""
    known = await visit.services.approvals.get(visit.actor, request_id)
    state = {"approve": "approved", "return": "returned", "withdraw": "withdrawn"}.get(typed.one("act"))
    return back(f"/approvals/{request_id}") if known.state == state and known.decided_by_id == visit.person.id else None


def _reason(visit: Visit, typed: Form) -> str:
    """Give the words of the button that was pressed, else what was typed."""
    code = typed.one("reason_code")
    return visit.text(f"return_reason.{code}") if code in RETURN_REASONS else typed.one("reason")[:MOST_REASON]


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    states = tuple((str(state), visit.text(f"approval_state.{state}")) for state in RequestState)
    return (Filter("state", "approvals.column_state", states),)


async def _read(visit: Visit, wish: Asked) -> Rows[views.Row]:
    found = await visit.services.approvals.find(visit.actor, wish.wanted())
    return Rows(tuple(views.in_list(each, visit.form) for each in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    async for row in in_parts(partial(visit.services.approvals.find, visit.actor), wish.wanted()):
        each = views.in_list(row, visit.form)
        yield each.title, each.start, each.targets, each.asked, each.mark.word, each.reason


ALL = Many(
    path="/approvals/all-requests",
    title="approvals.all_title",
    template="approvals_all.html",
    fragment="_approvals_all.html",
    live=Live("all-requests", "approval"),
    columns=COLUMNS,
    sort="asked",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("phe-duyet", (*(column.word for column in COLUMNS), "approvals.column_reason"), _lines),
)


def add(router: APIRouter, site: Site) -> None:
    """Add the pages, their live parts and their acts."""

    @router.get("/approvals")
    async def queue(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        first = await visit.services.approvals.next_waiting(visit.actor) if visit.may(Act.APPROVALS_GIVE) else None
        opened = await _shown(visit, first) if first else {"asked": None}
        return await whole_page(visit, "approvals.html", **await _queue(visit, first.id if first else "") | opened)

    @router.get("/approvals/live")
    async def queue_again(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_approvals.html", **await _queue(visit, request.query_params.get("open", "")[:64]))

    add_many(router, site, ALL)

    @router.get("/approvals/{request_id}/airs")
    async def airs_again(request: Request, request_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        row = await visit.services.approvals.get(visit.actor, request_id)
        return visit.fragment("_approval_airs.html", **await _airs(visit, row))

    @router.post("/approvals/by-authors/{approval_id}")
    async def seen(request: Request, approval_id: str) -> Response:
        visit = await site.visit(request)
        await read_form(request)
        try:
            await visit.services.by_authors.see(visit.actor, approval_id)
        except ConflictError:  # somebody else has seen it meanwhile
            return back("/approvals")
        return back("/approvals", "seen")

    add_one(router, site, One("approvals", "approval.html", "_approval_decision.html", _context, _act, _done_before))
