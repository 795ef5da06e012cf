"""The audit over HTTP: read only."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.errors import ForbiddenError
from controller.http.description import may_raise
from controller.http.session import AnyServices, SignedInPerson
from controller.people.rights import Act, may

from .schemas import AuditOut

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("", summary="Who did what", responses=may_raise(ForbiddenError))
async def list_entries(
    person: SignedInPerson,
    services: AnyServices,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> list[AuditOut]:
    """Give the latest entries, newest first; ``before`` is the last ``seq`` of the page before."""
    if not may(person.role, Act.AUDIT_READ):
        raise ForbiddenError("this needs another role", act=str(Act.AUDIT_READ))
    return await services.audit.list(limit=limit, before=before)
