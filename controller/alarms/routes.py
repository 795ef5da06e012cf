"""Alarms over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.http.description import may_raise
from controller.http.session import Acting, AnyServices

from .schemas import AlarmOut

router = APIRouter(prefix="/alarms", tags=["alarms"])


@router.get("", summary="What must be known at once", responses=may_raise(ForbiddenError))
async def list_alarms(
    actor: Acting,
    services: AnyServices,
    *,
    waiting: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[AlarmOut]:
    """Give the latest alarms, newest first; ``waiting``: only those that nobody acknowledged, or only the others."""
    return await services.alarms.list(actor, waiting=waiting, limit=limit)


@router.post(
    "/{alarm_id}/acknowledgement",
    summary="Acknowledge an alarm",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError),
)
async def acknowledge(alarm_id: str, actor: Acting, services: AnyServices) -> AlarmOut:
    """Say that one looks after it."""
    return await services.alarms.acknowledge(actor, alarm_id)
