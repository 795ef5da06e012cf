"""Emergencies and ready messages over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.broadcasts.room import UrgentFullError
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.http.description import ENDS_ONCE, NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.people.proof import CodeError

from .errors import AlreadyProposedError, NotOpenError, SamePersonError
from .schemas import (
    BreakGlassIn,
    EmergencyFollowUp,
    EmergencyIn,
    EmergencyOut,
    EmergencyPreview,
    FollowIn,
    MessageChange,
    MessageIn,
    MessageOut,
)
from .states import EmergencyState, MessageKind

router = APIRouter(prefix="/emergencies", tags=["emergencies"])
messages = APIRouter(prefix="/messages", tags=["emergencies"])

_AS_IT_IS = FollowIn()
"""No body says as much as an empty one."""
_PROPOSES = may_raise(ForbiddenError, UrgentFullError, AlreadyProposedError, CodeError)
_CONFIRMS = may_raise(
    ForbiddenError, SamePersonError, NotFoundError, NotOpenError, UrgentFullError, InvalidError, CodeError
)
_BREAKS = may_raise(ForbiddenError, NotFoundError, NotOpenError, CodeError)
_CANCELS = may_raise(ForbiddenError, NotFoundError, NotOpenError)
_FOLLOWS = may_raise(
    ForbiddenError, NotFoundError, NotOpenError, ConflictError, UrgentFullError, InvalidError, CodeError
)


@router.post("/preview", summary="What an emergency would do", responses=may_raise(ForbiddenError, UrgentFullError))
async def preview(wanted: EmergencyIn, actor: Acting, services: AnyServices) -> EmergencyPreview:
    """Say who is held, who is not heard from and how long it takes; saves nothing."""
    return await services.emergencies.preview(actor, wanted)


@router.post("", status_code=201, summary="Propose an emergency", responses=_PROPOSES)
async def propose(wanted: EmergencyIn, actor: Acting, services: AnyServices) -> EmergencyOut:
    """Write it down for another person to confirm within an hour; what is under way there already, only ``again``."""
    return await services.emergencies.propose(actor, wanted)


@router.get("", summary="Emergencies")
async def list_emergencies(
    actor: Acting,
    services: AnyServices,
    *,
    state: EmergencyState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[EmergencyOut]:
    """Give those in sight, newest first; drills among them, marked."""
    return await services.emergencies.list(actor, state=state, limit=limit)


@router.get("/{emergency_id}", summary="One emergency, node by node", responses=NOT_FOUND)
async def get(emergency_id: str, actor: Acting, services: AnyServices) -> EmergencyFollowUp:
    """Give how each node stands: who missed it or is out of reach first; below grade E2 nothing is verified."""
    return await services.emergencies.get(actor, emergency_id)


@router.post("/{emergency_id}/confirm", summary="Confirm an emergency", responses=_CONFIRMS)
async def confirm(emergency_id: str, actor: Acting, services: AnyServices) -> EmergencyOut:
    """Say yes to what another person proposed; it sounds at once."""
    return await services.emergencies.confirm(actor, emergency_id)


@router.post("/{emergency_id}/break-glass", summary="Decide alone", responses=_BREAKS)
async def break_glass(emergency_id: str, wanted: BreakGlassIn, actor: Acting, services: AnyServices) -> EmergencyOut:
    """Send it without a second person, for a reason. It can be cancelled for 30 s; administrators are told at once."""
    return await services.emergencies.break_glass(actor, emergency_id, wanted)


@router.post("/{emergency_id}/cancel", summary="Cancel before it is sent", responses=_CANCELS)
async def cancel(emergency_id: str, actor: Acting, services: AnyServices) -> EmergencyOut:
    """Take back a proposal, or a decision within its 30 s."""
    return await services.emergencies.cancel(actor, emergency_id)


@router.post("/{emergency_id}/all-clear", status_code=201, summary="Say that it is over", responses=_FOLLOWS)
async def all_clear(
    emergency_id: str, actor: Acting, services: AnyServices, wanted: FollowIn = _AS_IT_IS
) -> EmergencyOut:
    """Silence it where it sounds, and say the ready all-clear there."""
    return await services.emergencies.follow(actor, emergency_id, MessageKind.ALL_CLEAR, wanted)


@router.post("/{emergency_id}/false-alarm", status_code=201, summary="Say that it was none", responses=_FOLLOWS)
async def false_alarm(
    emergency_id: str, actor: Acting, services: AnyServices, wanted: FollowIn = _AS_IT_IS
) -> EmergencyOut:
    """Silence it where it sounds, and say the ready correction there."""
    return await services.emergencies.follow(actor, emergency_id, MessageKind.FALSE_ALARM, wanted)


@messages.post("", status_code=201, summary="Write a ready message", responses=may_raise(ForbiddenError))
async def write(wanted: MessageIn, actor: Acting, services: AnyServices) -> MessageOut:
    """Save it; the nodes of its area and below fetch its recordings at once and keep them."""
    return await services.messages.create(actor, wanted)


@messages.get("", summary="Ready messages", responses=NOT_FOUND)
async def list_messages(
    actor: Acting,
    services: AnyServices,
    *,
    kind: MessageKind | None = None,
    area_id: str | None = None,
    archived: Annotated[bool, Query()] = False,
) -> list[MessageOut]:
    """Give those of the areas in sight and above; ``area_id``: those usable in that area."""
    return await services.messages.list(actor, kind=kind, area_id=area_id, archived=archived)


@messages.get("/{message_id}", summary="One ready message", responses=NOT_FOUND)
async def get_message(message_id: str, actor: Acting, services: AnyServices) -> MessageOut:
    """Give one message, of an area in sight or above."""
    return await services.messages.get(actor, message_id)


@messages.put("/{message_id}", summary="Change a ready message", responses=ENDS_ONCE)
async def change(message_id: str, wanted: MessageChange, actor: Acting, services: AnyServices) -> MessageOut:
    """Say something else from now on."""
    return await services.messages.change(actor, message_id, wanted)


@messages.post("/{message_id}/archive", summary="Put a ready message away", responses=ENDS_ONCE)
async def archive(message_id: str, actor: Acting, services: AnyServices) -> MessageOut:
    """Take it off the nodes."""
    return await services.messages.archive(actor, message_id)
