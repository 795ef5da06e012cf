"""One emergency: another person's yes or a broken glass, the nodes afterwards, and saying that it is over."""

from typing import Any

from fastapi import APIRouter, Response

from controller.emergencies.rules import act_for
from controller.emergencies.schemas import BreakGlassIn, EmergencyFollowUp, EmergencyOut, FollowIn
from controller.emergencies.states import UNDECIDED, EmergencyState, GlassReason, MessageKind
from controller.errors import NotFoundError
from controller.people.rights import Act
from web.forms import Form
from web.pages.frame import back
from web.pages.one import One, add_one
from web.site import Site, Visit
from web.views import emergency as views
from web.views.places import own_scopes


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
        "may_begin": may_begin,
        "nothing_ready": known.state == EmergencyState.SENT and known.endings == (),
        "is_own": own,
        "glass_reasons": views.GLASS_REASONS,
    }


async def _context(visit: Visit, emergency_id: str) -> dict[str, Any]:
    known = await visit.services.emergencies.get(visit.actor, emergency_id)
    shown = views.one(known, node_count(visit, known), visit.person.id, visit.form)
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


def node_count(visit: Visit, known: EmergencyOut) -> int:
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
    """Add its page, the part of it that is kept up to date, and what is done with it."""
    add_one(router, site, One("emergencies", "emergency.html", "_emergency.html", _context, _act, _done_before))
