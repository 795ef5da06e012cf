"""The audit over HTTP: read only."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.errors import ForbiddenError, InvalidError
from controller.http.description import may_raise
from controller.http.session import Acting, AnyServices
from controller.paging import Wanted

from .schemas import AuditOut

router = APIRouter(prefix="/audit", tags=["audit"])
_Text = Annotated[str, Query(max_length=200)]


@router.get("", summary="Who did what", responses=may_raise(ForbiddenError, InvalidError))
async def list_entries(
    actor: Acting,
    services: AnyServices,
    *,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[int | None, Query(ge=1)] = None,
    q: _Text = "",
    person_id: _Text = "",
    action: _Text = "",
    subject: _Text = "",
    from_at: _Text = "",
    until_at: _Text = "",
) -> list[AuditOut]:
    """Give the latest entries, newest first; ``before`` is the last ``seq`` of the page before.

    ``q``: words of the person's name or of the subject; ``from_at``, ``until_at``: instants.
    """
    having = {"person": person_id, "action": action, "subject": subject, "from": from_at, "until": until_at}
    return await services.audit.list(actor, limit=limit, before=before, wanted=Wanted(q=q, having=having))
