"""Requests for a yes over HTTP, and what people listened to."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import FileResponse

from controller.errors import (
    ConflictError,
    ForbiddenError,
    NoSpaceError,
    NotFoundError,
    TooLargeError,
    TooManyAttemptsError,
)
from controller.http.body import FILE, declared, streamed
from controller.http.description import ENDS_ONCE, NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.people.proof import CodeError
from controller.policies.errors import PolicyBreachError, UnusualHourError
from controller.recordings.uploads import TooSlowError

from .errors import NotListenedError, OwnWorkError
from .schemas import AloneOut, ApprovalOut, ApprovalRow, ApproveIn, ListeningIn, ListeningOut, PaperIn, ReturnIn
from .states import RequestState

router = APIRouter(prefix="/approvals", tags=["approvals"])
recordings = APIRouter(prefix="/recordings", tags=["approvals"])

APPROVES = may_raise(
    ForbiddenError,
    NotFoundError,
    ConflictError,
    OwnWorkError,
    NotListenedError,
    PolicyBreachError,
    UnusualHourError,
    CodeError,
)
_YES = ApproveIn()
SCAN_ERRORS = may_raise(
    ForbiddenError,
    NotFoundError,
    ConflictError,
    TooLargeError,
    TooSlowError,
    TooManyAttemptsError,
    NoSpaceError,
)
_SCAN: dict[int | str, dict[str, Any]] = {200: {"description": "The scan", "content": {"application/octet-stream": {}}}}


@router.get("", summary="What waits for a yes")
async def list_approvals(
    actor: Acting,
    services: AnyServices,
    state: RequestState = RequestState.OPEN,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[ApprovalRow]:
    """Give the requests that one may decide, or asked for: of open ones the most urgent first."""
    return await services.approvals.list(actor, state=state, limit=limit)


@router.get("/by-authors", summary="What authors approved alone", responses=may_raise(ForbiddenError))
async def by_authors(
    actor: Acting,
    services: AnyServices,
    *,
    seen: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[AloneOut]:
    """Give every use of the bounds that policies leave to authors, in the places where one may approve."""
    return await services.by_authors.list(actor, seen=seen, limit=limit)


@router.post(
    "/by-authors/{approval_id}/seen",
    summary="Tick off what an author approved alone",
    responses=ENDS_ONCE | may_raise(ForbiddenError, OwnWorkError),
)
async def see(approval_id: str, actor: Acting, services: AnyServices) -> AloneOut:
    """Say that the leader has seen it."""
    return await services.by_authors.see(actor, approval_id)


@router.get("/{request_id}", summary="One request", responses=NOT_FOUND)
async def get(request_id: str, actor: Acting, services: AnyServices) -> ApprovalOut:
    """Give one with all that would be heard, and what of it is new to whoever asks."""
    return await services.approvals.get(actor, request_id)


@router.post("/{request_id}/approve", summary="Say yes", responses=APPROVES)
async def approve(request_id: str, actor: Acting, services: AnyServices, wanted: ApproveIn = _YES) -> ApprovalOut:
    """Let it be heard, having listened to what is new: exactly this content, there, in this time."""
    return await services.approvals.approve(actor, request_id, wanted)


@router.post("/{request_id}/return", summary="Say no, and why", responses=ENDS_ONCE)
async def return_(request_id: str, wanted: ReturnIn, actor: Acting, services: AnyServices) -> ApprovalOut:
    """Give it back to whoever asked, with a reason."""
    return await services.approvals.return_(actor, request_id, wanted)


@router.post("/{request_id}/withdraw", summary="Take one's own request back", responses=ENDS_ONCE)
async def withdraw(request_id: str, actor: Acting, services: AnyServices) -> ApprovalOut:
    """Ask no more; a single broadcast is cancelled with it."""
    return await services.approvals.withdraw(actor, request_id)


@router.put("/{request_id}/paper", summary="Number of the paper", responses=ENDS_ONCE)
async def put_number(request_id: str, wanted: PaperIn, actor: Acting, services: AnyServices) -> ApprovalRow:
    """Say on which signed paper the request rests."""
    return await services.papers.put_number(actor, request_id, wanted.document_number)


@router.put("/{request_id}/scan", summary="Scan of the paper", openapi_extra=FILE, responses=SCAN_ERRORS)
async def put_scan(request_id: str, request: Request, actor: Acting, services: AnyServices) -> ApprovalRow:
    """Take in a PDF, JPEG or PNG of at most 10 MB, whatever its content type says."""
    return await services.papers.put_scan(actor, request_id, streamed(request), declared(request))


@router.get("/{request_id}/scan", summary="Scan of the paper", response_class=Response, responses=NOT_FOUND | _SCAN)
async def scan(request_id: str, actor: Acting, services: AnyServices) -> Response:
    """Give the scan as a file to keep: it is never shown as a page of ours."""
    found = await services.papers.scan(actor, request_id)
    headers = {"Cache-Control": "private, no-store"}
    return FileResponse(found.path, headers=headers, media_type=found.type, filename=found.file_name)


@recordings.post("/{recording_id}/listening", summary="What one listened to", responses=ENDS_ONCE)
async def listen(recording_id: str, wanted: ListeningIn, actor: Acting, services: AnyServices) -> ListeningOut:
    """Add what the player played; gives all that one has heard of the recording."""
    return await services.hearings.note(actor, recording_id, wanted.spans)
