"""Requests for a yes as whoever looks at what they are for is told of them."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import ApprovalRequest
from controller.approvals.states import RequestState
from controller.people.repository import names_of

from .schemas import AskedOut

REFUSED = frozenset({RequestState.RETURNED, RequestState.WITHDRAWN})
"""Nobody is asked any more, and what was asked for stays silent until somebody acts."""


async def said_of(session: AsyncSession, rows: Iterable[ApprovalRequest]) -> list[AskedOut]:
    """Tell of requests, of refused ones by whom and when; in their order."""
    rows = tuple(rows)
    by = {row.decided_by for row in rows if row.state in REFUSED and row.decided_by}
    people = await names_of(session, by) if by else {}
    return [_said(row, people.get(row.decided_by or "") if row.state in REFUSED else None) for row in rows]


def _said(row: ApprovalRequest, by: str | None) -> AskedOut:
    return AskedOut(
        id=row.id,
        state=RequestState(row.state),
        returned_reason=row.returned_reason,
        refused_by=by,
        refused_at=row.decided_at if row.state in REFUSED else None,
    )
