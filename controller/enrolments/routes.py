"""Enrolments over HTTP. Nodes use the first two without a session, operators the others."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response

from controller.errors import ConflictError, ForbiddenError, InvalidError, TooManyAttemptsError
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.http.tokens import origin_of
from controller.nodes.schemas import NodeOut
from edge_agent.protocol.enrolment import EnrolmentRequest, EnrolmentStatus, EnrolmentTicket
from edge_agent.protocol.renewal import RenewalStatus

from .schemas import AdoptIn, WaitingOut

router = APIRouter(prefix="/enrolments", tags=["enrolments"])
for_nodes = APIRouter(prefix="/enrolments", tags=["enrolments"])

MAX_REQUEST_BYTES = 64 * 1024


def _wire(kind: type, words: str) -> dict[str, Any]:
    """Describe a body of the wire protocol; ``create_app`` adds its schema."""
    return {"description": words, "content": {"application/json": {"schema": _reference(kind)}}}


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


WIRE_TYPES = (EnrolmentRequest, EnrolmentTicket, EnrolmentStatus, RenewalStatus)
"""Types that the API's description takes from the wire protocol."""


@for_nodes.post(
    "",
    status_code=201,
    summary="A new node asks to be adopted",
    response_class=Response,
    responses=may_raise(ConflictError, TooManyAttemptsError) | {201: _wire(EnrolmentTicket, "Where to ask again")},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _reference(EnrolmentRequest)}},
        }
    },
)
async def ask(request: Request, services: AnyServices) -> Response:
    """Wait for a person who types the claim code that the node shows."""
    body = await request.body()
    if len(body) > MAX_REQUEST_BYTES:
        raise InvalidError("the request is too large", field="body", problem="too_long")
    try:
        wanted = msgspec.json.decode(body, type=EnrolmentRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"not an enrolment request: {error}"[:200], field="body", problem="malformed") from None
    ticket = await services.enrolments.ask(wanted, origin_of(request))
    return _json(ticket, 201)


@for_nodes.get(
    "/{enrolment_id}",
    summary="Has the node been adopted?",
    response_class=Response,
    responses=NOT_FOUND | {200: _wire(EnrolmentStatus, "How the enrolment stands")},
)
async def status(enrolment_id: Annotated[str, Path(max_length=64)], services: AnyServices) -> Response:
    """Give the state, and with ``adopted`` all that the node needs from then on."""
    return _json(await services.enrolments.status(enrolment_id), 200)


@router.get("", summary="Nodes that wait for adoption")
async def waiting(actor: Acting, services: AnyServices) -> list[WaitingOut]:
    """Give the new nodes, the newest first, to those who may adopt."""
    return await services.enrolments.waiting(actor)


@router.post(
    "/adopt",
    status_code=201,
    summary="Adopt a node by its claim code",
    responses=may_raise(ForbiddenError, TooManyAttemptsError),
)
async def adopt(wanted: AdoptIn, actor: Acting, services: AnyServices) -> NodeOut:
    """Make the node that shows the code one of ours, in an area."""
    return await services.enrolments.adopt(
        actor, claim_code=wanted.claim_code, area_id=wanted.area_id, name=wanted.name
    )


def _json(found: msgspec.Struct, status_code: int) -> Response:
    return Response(msgspec.json.encode(found), status_code, media_type="application/json")
