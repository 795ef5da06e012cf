"""Khẩn cấp: proposing, another person's yes or a broken glass, the nodes afterwards, and saying that it is over."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.emergencies.schemas import BreakGlassIn, EmergencyFollowUp, EmergencyIn, FollowIn, MessageOut
from controller.errors import LoaError, NotFoundError
from controller.people.proof import FIELD
from controller.people.rights import Act
from web.forms import Form, read_form
from web.pages.frame import back, nodes_and_runs, whole_page
from web.pages.one import One, add_one
from web.pages.sounds import sound_context
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views import emergencies as views
from web.views.places import tree
from web.views.say import covered

FIELDS = frozenset({"message", "targets", "title", "times", "reason", "again", FIELD})
MOST = 30


async def _messages(visit: Visit, **asked: Any) -> list[MessageOut]:
    return await visit.services.messages.list(visit.actor, **asked)


async def _list(visit: Visit) -> HTMLResponse:
    found = await visit.services.emergencies.list(visit.actor, limit=MOST)
    return await whole_page(
        visit,
        "emergencies.html",
        lines=[views.line(each, visit.form) for each in found],
        may_propose=visit.may(Act.EMERGENCIES_PROPOSE),
        may_drill=visit.may(Act.EMERGENCIES_DRILL),
    )


def _wanted(visit: Visit, draft: views.Draft) -> EmergencyIn:
    return EmergencyIn.model_validate(views.wanted(draft, covered(draft.targets, visit.areas)))


async def _preview(visit: Visit, draft: views.Draft) -> views.Preview:
    if lacks := views.missing(draft, visit.form):
        return views.Preview(missing=next(iter(lacks.values())))
    try:
        found = await visit.services.emergencies.preview(visit.actor, _wanted(visit, draft))
    except LoaError as error:
        return views.Preview(missing=next(iter(problems_of(error, visit.form, FIELDS).values())))
    return views.preview(found, visit.form)


async def _form(visit: Visit, draft: views.Draft, problems: Mapping[str, str], *, look: bool = False) -> HTMLResponse:
    nodes, runs = await nodes_and_runs(visit)
    messages = await _messages(visit)
    return await whole_page(
        visit,
        "emergency_form.html",
        nodes=nodes,
        runs=runs,
        status=422 if problems else 200,
        form=asdict(draft),
        problems={"form": ""} | dict(problems) if problems else {},
        messages=[views.choice(each, visit.form) for each in messages if each.kind == "alert"],
        places=tree(visit.areas, nodes, visit.form, draft.targets),
        preview=await _preview(visit, draft) if look or problems else views.Preview(),
        **await sound_context(visit, draft.recording),
    )


async def _propose(visit: Visit, draft: views.Draft) -> Response:
    if lacks := views.missing(draft, visit.form):
        return await _form(visit, draft, lacks)
    problems: Problems = {}
    try:
        made = await visit.services.emergencies.propose(visit.actor, _wanted(visit, draft))
    except LoaError as error:
        problems = problems_of(error, visit.form, FIELDS)
    return await _form(visit, draft, problems) if problems else back(f"/emergencies/{made.id}")


async def _offers(visit: Visit, known: EmergencyFollowUp) -> dict[str, Any]:
    """Say what this person can do with it now."""
    begins = Act.EMERGENCIES_DRILL if known.drill else Act.EMERGENCIES_PROPOSE
    may_begin = visit.may(begins, known.area_id)
    own = known.proposed_by.person_id == visit.person.id
    waits, undecided = known.state == "proposed", known.state in {"proposed", "counting_down"}
    ready = {str(each.kind) for each in await _messages(visit, area_id=known.area_id) if each.sounds}
    follows = known.state == "sent" and known.follows_id is None and may_begin
    return {
        "may_confirm": undecided and not own and visit.may(Act.EMERGENCIES_CONFIRM, known.area_id),
        "may_break": waits and visit.may(Act.EMERGENCIES_BREAK_GLASS, known.area_id),
        "may_cancel": undecided and may_begin,
        "follow_ups": [kind for kind in views.SAYS if follows and kind in ready],
        "nothing_ready": follows and not ready & set(views.SAYS),
        "is_own": own,
    }


async def _context(visit: Visit, emergency_id: str) -> dict[str, Any]:
    known = await visit.services.emergencies.get(visit.actor, emergency_id)
    shown = views.one(known, _node_count(visit, known), await _words(visit, known), visit.form)
    return {"place": visit.name_of(known.area_id), "emergency": shown} | await _offers(visit, known)


def _node_count(visit: Visit, known: EmergencyFollowUp) -> int:
    """Count the nodes at which it is aimed, as far as in sight."""
    counts = {area.scope: area.node_count for area in visit.areas}
    return sum(counts.get(target.scope, 1) for target in known.targets)


async def _words(visit: Visit, known: EmergencyFollowUp) -> list[str]:
    """Give what the message says; nothing when it was changed since it was proposed."""
    if known.message_id is None:
        return []
    try:
        message = await visit.services.messages.get(visit.actor, known.message_id)
    except NotFoundError:
        return []
    return [each.text for each in message.voices if each.text] if message.changed_at <= known.proposed_at else []


async def _act(visit: Visit, emergency_id: str, typed: Form) -> Response:
    return back(f"/emergencies/{await _done(visit, emergency_id, typed)}")


async def _done(visit: Visit, emergency_id: str, typed: Form) -> str:
    """Do what was asked; gives the emergency to go to."""
    emergencies, actor = visit.services.emergencies, visit.actor
    match typed.one("act"):
        case "confirm":
            await emergencies.confirm(actor, emergency_id)
        case "break_glass":
            await emergencies.break_glass(actor, emergency_id, BreakGlassIn(reason=typed.one("reason")[:1000]))
        case "cancel":
            await emergencies.cancel(actor, emergency_id)
        case "all_clear" | "false_alarm" as kind:
            known = {str(each.kind): each.kind for each in await _messages(visit)}
            if kind not in known:
                raise NotFoundError("there is no such message", resource="messages", id=kind)
            return (await emergencies.follow(actor, emergency_id, known[kind], FollowIn())).id
        case other:
            raise NotFoundError("there is no such act", resource="emergencies", id=other[:64])
    return emergency_id


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    _add_beginning(router, site)
    add_one(router, site, One("emergencies", "emergency.html", "_emergency.html", _context, _act))


def _add_beginning(router: APIRouter, site: Site) -> None:
    @router.get("/emergencies")
    async def all_of_them(request: Request) -> HTMLResponse:
        return await _list(await site.visit(request))

    @router.get("/emergencies/new")
    async def new(request: Request) -> HTMLResponse:
        visit, drill = await site.visit(request), request.query_params.get("drill", "")
        return await _form(visit, views.Draft(drill=drill if drill in views.DRILLS else ""), {})

    @router.post("/emergencies/new")
    async def propose(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        visit.prove(typed)
        draft = views.read_draft(typed)
        return await (_form(visit, draft, {}, look=True) if typed.one("look") else _propose(visit, draft))

    @router.post("/emergencies/preview")
    async def preview(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        found = await _preview(visit, views.read_draft(await read_form(request)))
        return visit.fragment("_emergency_preview.html", preview=found)
