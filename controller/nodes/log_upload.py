"""A node brings its log: at the nodes' port, under its own certificate."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from controller.errors import InvalidError, NotFoundError
from controller.http.description import may_raise
from controller.http.session import AnyServices
from edge_agent.protocol.logs import MAX_PACKED_LOG_BYTES

from .shown import shown

router = APIRouter(prefix="/nodes", tags=["nodes"])

_Id = Annotated[str, Path(max_length=64)]


@router.post(
    "/{node_id}/logs/{log_id}",
    status_code=204,
    summary="A node brings its log",
    responses=may_raise(NotFoundError, InvalidError),
)
async def take_log(node_id: _Id, log_id: _Id, request: Request, services: AnyServices) -> Response:
    """Take it, once, from the node that shows its certificate; for everybody else there is no such place."""
    packed = await request.body()
    if len(packed) > MAX_PACKED_LOG_BYTES:
        raise InvalidError("the log is too large", field="body", problem="too_long")
    await services.node_logs.take(shown(request), node_id, log_id, packed)
    return Response(status_code=204)
