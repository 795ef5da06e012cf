"""The audit over HTTP: read only."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.errors import ForbiddenError
from controller.http.description import may_raise
from controller.http.session import Acting, AnyServices

from .schemas import AuditOut

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("", summary="Who did what", responses=may_raise(ForbiddenError))
async def list_entries(
    actor: Acting,
    services: AnyServices,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> list[AuditOut]:
    """Give the latest entries, newest first; ``before`` is the last ``seq`` of the page before."""
    return await services.audit.list(actor, limit=limit, before=before)
