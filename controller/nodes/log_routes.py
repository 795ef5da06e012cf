"""Logs of nodes over HTTP, for people."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import PlainTextResponse

from controller.errors import BusyError, ForbiddenError, NotFoundError
from controller.http.description import may_raise
from controller.http.session import Acting, AnyServices

from .acts import NodeAwayError, NodeUnableError
from .schemas import AskedOut, LogOut

router = APIRouter(prefix="/nodes", tags=["nodes"])

_Id = Annotated[str, Path(max_length=64)]
_ASKING = may_raise(ForbiddenError, NotFoundError, NodeAwayError, NodeUnableError, BusyError)
_READING = may_raise(ForbiddenError, NotFoundError)


@router.post("/{node_id}/send-log", status_code=202, summary="Let a node send its log", responses=_ASKING)
async def send_log(node_id: _Id, actor: Acting, services: AnyServices) -> AskedOut:
    """Ask; it comes within ten minutes, as the log with this id."""
    return await services.node_logs.ask(actor, node_id)


@router.get("/{node_id}/logs", summary="Logs that a node was asked for", responses=_READING)
async def list_logs(node_id: _Id, actor: Acting, services: AnyServices) -> list[LogOut]:
    """Give the last five, the newest first; they are kept for 30 days."""
    return await services.node_logs.list(actor, node_id)


@router.get(
    "/{node_id}/logs/{log_id}",
    summary="A log as text",
    response_class=PlainTextResponse,
    responses=_READING | {200: {"description": "The text", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_log(node_id: _Id, log_id: _Id, actor: Acting, services: AnyServices) -> PlainTextResponse:
    """Give what a node said of itself, without anything that a terminal or browser would obey."""
    text = await services.node_logs.text(actor, node_id, log_id)
    return PlainTextResponse(text, headers={"Content-Disposition": 'attachment; filename="node.log.txt"'})
