"""Renewals over HTTP. Nodes use the first without a session, operators the others."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response

from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, TooManyAttemptsError
from controller.http.description import may_raise
from controller.http.session import Acting, AnyServices
from controller.http.tokens import origin_of
from edge_agent.protocol.renewal import RenewalStatus

from .schemas import AnswerIn, RenewalOut

router = APIRouter(prefix="/renewals", tags=["renewals"])
for_nodes = APIRouter(prefix="/nodes", tags=["renewals"])

MAX_REQUEST_BYTES = 32 * 1024

_STATUS = {"schema": {"$ref": f"#/components/schemas/{RenewalStatus.__name__}"}}
_TOKEN = {"required": True, "content": {"application/jose": {"schema": {"type": "string"}}}}


@for_nodes.post(
    "/{node_id}/renewal",
    summary="A node asks for its next certificate",
    response_class=Response,
    responses=may_raise(NotFoundError, TooManyAttemptsError)
    | {200: {"description": "How it stands", "content": {"application/json": _STATUS}}},
    openapi_extra={"requestBody": _TOKEN},
)
async def ask(node_id: Annotated[str, Path(max_length=64)], request: Request, services: AnyServices) -> Response:
    """Give the next certificate to who has the node's key; when the last one has ended, after a person's yes."""
    token = await request.body()
    if len(token) > MAX_REQUEST_BYTES:
        raise InvalidError("the request is too large", field="body", problem="too_long")
    status = await services.renewals.ask(node_id, token, origin_of(request))
    return Response(msgspec.json.encode(status), media_type="application/json")


@router.get("", summary="Nodes that wait for a yes to their next certificate")
async def waiting(actor: Acting, services: AnyServices) -> list[RenewalOut]:
    """Give the nodes whose certificate has ended and that ask for another, where one may say yes."""
    return await services.renewals.waiting(actor)


@router.post(
    "/{renewal_id}/answer",
    summary="Say whether a node is still the one on the pole",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError),
)
async def answer(
    renewal_id: Annotated[str, Path(max_length=64)], wanted: AnswerIn, actor: Acting, services: AnyServices
) -> RenewalOut:
    """Let it have its next certificate, or not."""
    return await services.renewals.answer(actor, renewal_id, confirmed=wanted.confirmed)
