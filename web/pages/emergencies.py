"""Khẩn cấp: proposing, another person's yes or a broken glass, the nodes afterwards, and saying that it is over."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.emergencies.rules import MOST_REPEATS, act_for
from controller.emergencies.schemas import (
    BreakGlassIn,
    EmergencyFollowUp,
    EmergencyIn,
    EmergencyOut,
    FollowIn,
)
from controller.emergencies.states import UNDECIDED, EmergencyState, GlassReason, MessageKind
from controller.errors import LoaError, NotFoundError
from controller.ids import new_id
from controller.paging import MOST_ROWS
from controller.people.proof import FIELD
from controller.people.rights import Act
from web.forms import Form, number_of, read_form
from web.listing import Asked, Column, Filter, Listing, asked, csv_answer
from web.pages.frame import back, whole_page
from web.pages.one import One, add_one
from web.pages.sounds import record_words, recording_card, sound_context, until_ready
from web.pages.targets import to_choose
from web.pages.trying import MOST_TYPED, VOICES, changed_since, read_on_sending, unspoken, were_changed
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views import emergencies as lines
from web.views import emergency as views
from web.views import emergency_form as drafts
from web.views.places import own_scopes
from web.views.say import covered
from web.words import in_words, run_mark

FIELDS = frozenset({"message", "targets", "title", "times", "reason", "again", FIELD})
COLUMNS = (
    Column("title", "emergency.column_title"),
    Column("proposed", "emergency.column_proposed"),
    Column("targets", "emergency.column_targets", sort=False),
    Column("by", "emergency.column_by", sort=False),
    Column("state", "emergency.column_state", sort=False),
)
NEWEST = ("proposed", True)
MOST_WAITING = 50
"""Of the newest, among which those are that wait: after an hour nobody waits any more."""
KEPT = timedelta(minutes=10)
"""So long before a page was opened something became of what it still tells."""


def _filters(visit: Visit) -> tuple[Filter, ...]:
    text = visit.text
    states = tuple((str(state), text(f"emergency_state.{state}")) for state in EmergencyState)
    kinds = (("real", text("emergency.real_ones")), ("drill", text("emergency.drills")))
    return (Filter("state", "emergency.column_state", states), Filter("drill", "emergency.column_kind", kinds))


def _asked(visit: Visit) -> Asked:
    return asked(visit.request, COLUMNS, _filters(visit), sort=NEWEST[0], down=NEWEST[1])


async def _listing(visit: Visit) -> Listing[lines.Line]:
    wanted = _asked(visit)
    found = await visit.services.emergencies.find(visit.actor, wanted.wanted())
    rows = tuple(lines.line(each, visit.form) for each in found.rows)
    return Listing("/emergencies", COLUMNS, _filters(visit), wanted, rows, found.total, NEWEST)


async def _table(visit: Visit) -> Response:
    found = await visit.services.emergencies.find(visit.actor, _asked(visit).wanted(MOST_ROWS))
    heads = [visit.text(word) for word in (*(column.word for column in COLUMNS), "history.result")]
    return csv_answer("khan-cap", heads, _cells(found.rows, visit), visit.text)


async def _cells(rows: Sequence[EmergencyOut], visit: Visit) -> AsyncIterator[Sequence[str]]:
    runs = await visit.services.broadcasts.some(visit.actor, {row.broadcast_id for row in rows if row.broadcast_id})
    for row in rows:
        each = lines.line(row, visit.form)
        said = in_words(run_mark(runs[row.broadcast_id], visit.text), visit.text) if row.broadcast_id in runs else ""
        yield each.title, each.when, each.targets, each.by, in_words(each.mark, visit.text), said


async def _waiting(visit: Visit, since: int) -> dict[str, Any]:
    """Give what waits for a yes, the oldest first, and what just did, and to which of it this person may say it.

    ``since``: when the page was opened, in seconds since 1970. Whoever opens it has on top what waits then. What is
    decided from there on keeps its place, and nothing leaves it: else another act would move up below a thumb.
    """
    found = await visit.services.emergencies.list(visit.actor, limit=MOST_WAITING)
    first = [each for each in found if each.follows_id is None]
    ages = {each.id: since - _over_at(each, visit.form.now).timestamp() for each in first}
    shown = [each for each in first if each.state in UNDECIDED or ages[each.id] < KEPT.total_seconds()]
    shown.sort(key=lambda each: (each.state not in UNDECIDED and ages[each.id] > 0, each.proposed_at))
    waits = {each.id for each in shown if each.state in UNDECIDED and each.proposed_by.person_id != visit.person.id}
    yes = {each.id for each in shown if visit.may(Act.EMERGENCIES_CONFIRM, each.area_id)} & waits
    return {
        "waiting": [lines.waiting(each, _node_count(visit, each), visit.person.id, visit.form) for each in shown],
        "may_confirm": yes,
        "since": since,
    }


def _over_at(each: EmergencyOut, now: datetime) -> datetime:
    """Give when it was decided; now: it was not."""
    return (each.ended_at if each.state == EmergencyState.CANCELLED else each.sent_at) or now


def _opened(visit: Visit) -> int:
    """Read when the page was opened that looks again; what cannot be is now."""
    now, said = int(visit.form.now.timestamp()), visit.request.query_params.get("since", "")
    is_one = said.isascii() and said.isdigit() and len(said) <= len(str(now))
    return min(int(said), now) if is_one else now


async def _list(visit: Visit) -> HTMLResponse:
    return await whole_page(
        visit,
        "emergencies.html",
        **await _waiting(visit, int(visit.form.now.timestamp())),
        listing=await _listing(visit),
        may_propose=visit.may(Act.EMERGENCIES_PROPOSE),
        may_drill=visit.may(Act.EMERGENCIES_DRILL),
    )


def _wanted(visit: Visit, draft: drafts.Draft) -> EmergencyIn:
    return EmergencyIn.model_validate(drafts.wanted(draft, covered(draft.targets, visit.areas)))


async def _preview(visit: Visit, draft: drafts.Draft) -> drafts.Preview:
    if lacks := drafts.missing(draft, visit.form):
        return drafts.Preview(missing=next(iter(lacks.values())))
    chosen = await recording_card(visit, draft.recording) if draft.recording else None
    if chosen and changed_since(draft.text, chosen):
        return drafts.Preview(missing=visit.text("speech.changed"))
    try:
        found = await visit.services.emergencies.preview(visit.actor, _wanted(visit, draft))
    except LoaError as error:
        return drafts.Preview(missing=next(iter(problems_of(error, visit.form, FIELDS).values())))
    shown = drafts.preview(found, number_of(draft.times, most=MOST_REPEATS) or 1, visit.form)
    return replace(shown, warnings=(*unspoken(visit, draft.text, chosen), *shown.warnings))


async def _form(visit: Visit, draft: drafts.Draft, problems: Mapping[str, str], *, look: bool = False) -> HTMLResponse:
    begins = act_for(draft.drill)
    visit.require(begins)
    messages = await visit.services.messages.list(visit.actor)
    return await whole_page(
        visit,
        "emergency_form.html",
        status=422 if problems else 200,
        form=asdict(draft),
        problems={"form": ""} | dict(problems) if problems else {},
        messages=[drafts.choice(each, visit.form) for each in messages if each.kind == "alert"],
        places=await to_choose(visit, draft.targets, visit.places(begins)),
        ground=visit.services.tiles.ground,
        preview=await _preview(visit, draft) if look or problems else drafts.Preview(),
        may_write=visit.may(Act.MESSAGES_WRITE),
        may_speak=visit.may(Act.RECORDINGS_UPLOAD),
        voice_names=[(code, visit.text(key)) for code, key in VOICES.items()],
        record_words=record_words(visit),
        most_characters=MOST_TYPED,
        **await sound_context(visit, draft.recording),
    )


async def _propose(visit: Visit, draft: drafts.Draft) -> Response:
    changed = await were_changed(visit, draft.text, draft.recording)
    if changed or (draft.text.strip() and not draft.recording):
        return await _read_first(visit, draft, again=changed)
    if lacks := drafts.missing(draft, visit.form):
        return await _form(visit, draft, lacks)
    problems: Problems = {}
    await until_ready(visit, draft.recording)
    try:
        made = await visit.services.emergencies.propose(visit.actor, _wanted(visit, draft), idempotency_key=draft.key)
    except LoaError as error:
        problems = problems_of(error, visit.form, FIELDS)
    if problems:
        return await _form(visit, draft, problems)
    return back(f"/emergencies/{made.id}", "proposed_before" if made.is_repeat else "")


async def _read_first(visit: Visit, draft: drafts.Draft, *, again: bool) -> HTMLResponse:
    """Have the words read aloud that were typed, for their author to hear before they propose it."""
    made, said = await read_on_sending(visit, draft.text, draft.voice, again=again)
    if made is None:
        return await _form(visit, draft, drafts.missing(draft, visit.form) | {"message": said})
    draft = replace(draft, recording=made.id, title=draft.title or made.title)
    return await _form(visit, draft, {"recording": said} | drafts.missing(draft, visit.form))


def _offers(visit: Visit, known: EmergencyFollowUp) -> dict[str, Any]:
    """Say what this person can do with it now."""
    begins = act_for(known.drill)
    may_begin = visit.may(begins, known.area_id)
    own = known.proposed_by.person_id == visit.person.id
    waits, undecided = known.state == EmergencyState.PROPOSED, known.state in UNDECIDED
    may_say_yes = not own and visit.may(Act.EMERGENCIES_CONFIRM, known.area_id)
    return {
        "may_confirm": undecided and may_say_yes,
        "was_first": not undecided and may_say_yes,
        "may_break": waits and visit.may(Act.EMERGENCIES_BREAK_GLASS, known.area_id),
        "may_cancel": undecided and may_begin,
        "nothing_ready": known.state == EmergencyState.SENT and known.endings == (),
        "is_own": own,
        "glass_reasons": views.GLASS_REASONS,
    }


async def _context(visit: Visit, emergency_id: str) -> dict[str, Any]:
    known = await visit.services.emergencies.get(visit.actor, emergency_id)
    shown = views.one(known, _node_count(visit, known), visit.person.id, visit.form)
    offered = _offers(visit, known) | {"may_take_back": shown.is_kept_silent and await _may_take_back(visit, known)}
    return {"place": visit.name_of(known.area_id), "emergency": shown} | offered


async def _may_take_back(visit: Visit, known: EmergencyFollowUp) -> bool:
    """Say whether this person may cancel what was sent, on the page of its broadcast."""
    if known.broadcast_id is None or not visit.may(Act.BROADCASTS_CANCEL, known.area_id):
        return False
    try:
        return await visit.services.broadcasts.may_cancel(visit.actor, known.broadcast_id)
    except NotFoundError:  # out of sight: aimed at places that are not this person's
        return False


def _node_count(visit: Visit, known: EmergencyOut) -> int:
    """Count the nodes at which it is aimed, as far as in sight: of an area above, all that are."""
    counts = {area.scope: area.node_count for area in visit.areas}
    above = sum(counts[scope] for scope in own_scopes(visit.areas))
    aimed = [target.scope for target in known.targets]
    return sum(1 if scope.startswith("nodes/") else counts.get(scope, above) for scope in aimed)


async def _act(visit: Visit, emergency_id: str, typed: Form) -> Response:
    return back(f"/emergencies/{await _done(visit, emergency_id, typed)}")


async def _done(visit: Visit, emergency_id: str, typed: Form) -> str:
    """Do what was asked; gives the emergency to go to."""
    emergencies, actor = visit.services.emergencies, visit.actor
    match typed.one("act"):
        case "confirm":
            await emergencies.confirm(actor, emergency_id)
        case "break_glass":
            await emergencies.break_glass(actor, emergency_id, _alone(typed))
        case "cancel":
            await emergencies.cancel(actor, emergency_id)
        case "all_clear" | "false_alarm" as kind:
            said = FollowIn(message_id=typed.one("message")[:64] or None)
            return (await emergencies.follow(actor, emergency_id, MessageKind(kind), said)).id
        case other:
            raise NotFoundError("there is no such act", resource="emergencies", id=other[:64])
    return emergency_id


async def _done_before(visit: Visit, emergency_id: str, typed: Form) -> Response | None:
    """Lead to where it stands if this person did this before, and had no answer."""
    known = await visit.services.emergencies.get(visit.actor, emergency_id)
    act, over = typed.one("act"), known.state != EmergencyState.PROPOSED
    by = {
        "confirm": known.confirmed_by,
        "break_glass": known.break_glass_by if over else None,
        "cancel": known.ended_by if known.state == EmergencyState.CANCELLED else None,
    }.get(act)
    if by is not None and by.person_id == visit.person.id:
        return back(f"/emergencies/{emergency_id}")
    for each in await visit.services.emergencies.list(visit.actor):
        said = each.follows_id == emergency_id and each.kind == act and each.state != EmergencyState.CANCELLED
        if said and each.proposed_by.person_id == visit.person.id:
            return back(f"/emergencies/{each.id}")
    return None


def _alone(typed: Form) -> BreakGlassIn:
    """Read why nobody else was asked: a button, or words."""
    code, reason = typed.one("reason_code"), typed.one("reason")[:1000]
    return BreakGlassIn(reason_code=GlassReason(code) if code in set(GlassReason) else None, reason=reason)


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    _add_beginning(router, site)
    add_one(router, site, One("emergencies", "emergency.html", "_emergency.html", _context, _act, _done_before))


def _add_beginning(router: APIRouter, site: Site) -> None:
    @router.get("/emergencies")
    async def all_of_them(request: Request) -> HTMLResponse:
        return await _list(await site.visit(request))

    @router.get("/emergencies/live")
    async def all_again(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_emergencies.html", listing=await _listing(visit))

    @router.get("/emergencies/waiting")
    async def waiting_again(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_emergencies_waiting.html", **await _waiting(visit, _opened(visit)))

    @router.get("/emergencies.csv")
    async def taken_along(request: Request) -> Response:
        return await _table(await site.visit(request))

    @router.get("/emergencies/new")
    async def new(request: Request) -> HTMLResponse:
        visit, drill = await site.visit(request), request.query_params.get("drill", "")
        return await _form(visit, drafts.Draft(key=new_id(), drill=drill if drill in drafts.DRILLS else ""), {})

    @router.post("/emergencies/new")
    async def propose(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        visit.prove(typed)
        draft = drafts.read_draft(typed)
        return await (_form(visit, draft, {}, look=True) if typed.one("look") else _propose(visit, draft))

    @router.post("/emergencies/preview")
    async def preview(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        found = await _preview(visit, drafts.read_draft(await read_form(request)))
        return visit.fragment("_emergency_preview.html", preview=found)
