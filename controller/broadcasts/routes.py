"""Broadcasts over HTTP."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Query

from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.http.description import ENDS_ONCE, NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.paging import Wanted
from controller.people.proof import CodeError
from controller.plays.schemas import PlayOut
from controller.policies.errors import PolicyBreachError, UnusualHourError
from controller.programmes.layout import NotAirableError
from controller.schedules.conflicts import ScheduleConflictError
from controller.schedules.schemas import UnairedOut

from .preview import QuietHoursError, RefusedByAllError
from .replays import AlreadyReplayedError
from .room import PlanFullError, UrgentFullError
from .schemas import BroadcastIn, BroadcastOut, PreviewOut, ReplayIn, ReplayPreviewOut, When

router = APIRouter(prefix="/broadcasts", tags=["broadcasts"])

LONGEST_LIST = timedelta(days=62)
_Text = Annotated[str, Query(max_length=200)]
_NOW = ReplayIn()
SENDING = (
    ForbiddenError,
    ConflictError,
    PlanFullError,
    UrgentFullError,
    UnusualHourError,
    ScheduleConflictError,
    QuietHoursError,
    RefusedByAllError,
    PolicyBreachError,
    CodeError,
)
SEND_ERRORS = may_raise(*SENDING, NotAirableError)
REPLAY_ERRORS = (ForbiddenError, NotFoundError, ConflictError, AlreadyReplayedError)


@router.post("", status_code=201, summary="Send a broadcast, now or at a time", responses=SEND_ERRORS)
async def create(
    wanted: BroadcastIn,
    actor: Acting,
    services: AnyServices,
    idempotency_key: Annotated[str | None, Header(max_length=1000)] = None,
) -> BroadcastOut:
    """Send, or ask those who must approve it first.

    With an ``Idempotency-Key``, asking again gives the same broadcast and makes none.
    """
    return await services.broadcasts.create(actor, wanted, idempotency_key=idempotency_key)


@router.post(
    "/preview",
    summary="What sending it would do",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError, NotAirableError),
)
async def preview(
    wanted: BroadcastIn,
    actor: Acting,
    services: AnyServices,
    edits: Annotated[str | None, Query(max_length=64)] = None,
) -> PreviewOut:
    """Say node by node what would happen, by the function that nodes play by; saves nothing.

    ``edits``: the broadcast that this is to change, which is then left out of account.
    """
    return await services.broadcasts.preview(actor, wanted, edits=edits)


@router.get("", summary="Broadcasts of a time", responses=NOT_FOUND)
async def list_broadcasts(
    actor: Acting,
    services: AnyServices,
    from_at: Annotated[When | None, Query()] = None,
    to_at: Annotated[When | None, Query()] = None,
    area_id: Annotated[str | None, Query(max_length=64)] = None,
) -> list[BroadcastOut]:
    """Give those that start in the time, and those still on air at its beginning; today's when no time is given.

    ``area_id``: only what is for nodes of that area and all below it, with their counts alone.
    """
    if from_at is None and to_at is None:
        return await services.broadcasts.today(actor, area_id=area_id)
    if from_at is None or to_at is None or not from_at < to_at <= from_at + LONGEST_LIST:
        raise InvalidError(
            f"from_at, to_at: give both, at most {LONGEST_LIST.days} days apart", field="to_at", problem="range"
        )
    return await services.broadcasts.list(actor, from_at=from_at, to_at=to_at, area_id=area_id)


@router.get("/history", summary="What was aired", responses=NOT_FOUND)
async def history(
    actor: Acting,
    services: AnyServices,
    *,
    q: _Text = "",
    area_id: _Text = "",
    result: _Text = "",
    kind: _Text = "",
    from_at: _Text = "",
    until_at: _Text = "",
    offset: Annotated[int, Query(ge=0, le=10**6)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[BroadcastOut | UnairedOut]:
    """Give what was to begin until now, the latest first; ``q``: words of the title, accents may be left out.

    Dates of schedules of which no broadcast came to be are among them, in the phase ``unaired``.

    ``result``: ``whole``, ``missed``, ``open``, ``cancelled``, ``unsaid``, ``unaired``; ``kind``: a level or
    ``drill``.
    """
    having = {"area": area_id, "result": result, "kind": kind, "from": from_at, "until": until_at}
    wanted = Wanted(q=q, sort="start", down=True, offset=offset, limit=limit, having=having)
    return list((await services.history.find(actor, wanted)).rows)


@router.get("/{broadcast_id}", summary="One broadcast", responses=NOT_FOUND)
async def get(broadcast_id: str, actor: Acting, services: AnyServices) -> BroadcastOut:
    """Give one broadcast with its counts."""
    return await services.broadcasts.get(actor, broadcast_id)


@router.put(
    "/{broadcast_id}",
    summary="Change a broadcast that has not begun",
    responses=SEND_ERRORS | NOT_FOUND,
)
async def change(broadcast_id: str, wanted: BroadcastIn, actor: Acting, services: AnyServices) -> BroadcastOut:
    """Put a new version in its place, under an id of its own; what was approved has to be approved again.

    Without recordings, bulletins and a programme, what it says stays as it was laid out.
    """
    return await services.broadcasts.change(actor, broadcast_id, wanted)


@router.get("/{broadcast_id}/plays", summary="What became of it, node by node", responses=NOT_FOUND)
async def plays(broadcast_id: str, actor: Acting, services: AnyServices) -> list[PlayOut]:
    """Give the plays of a broadcast, area by area."""
    return await services.broadcasts.plays(actor, broadcast_id)


@router.post("/{broadcast_id}/cancel", summary="Cancel a broadcast", responses=ENDS_ONCE)
async def cancel(broadcast_id: str, actor: Acting, services: AnyServices) -> BroadcastOut:
    """Take it out of what nodes are told, and stop it where it sounds."""
    return await services.broadcasts.cancel(actor, broadcast_id)


@router.post(
    "/{broadcast_id}/replays/preview",
    summary="Who missed it, and what a replay would do",
    responses=may_raise(*REPLAY_ERRORS),
)
async def preview_replay(
    broadcast_id: str, actor: Acting, services: AnyServices, wanted: ReplayIn = _NOW
) -> ReplayPreviewOut:
    """List the nodes that missed it, and say what would happen there; saves nothing."""
    return await services.replays.preview(actor, broadcast_id, wanted)


@router.post(
    "/{broadcast_id}/replays",
    status_code=201,
    summary="Say it again where it was missed",
    responses=may_raise(*REPLAY_ERRORS, *SENDING),
)
async def replay(broadcast_id: str, actor: Acting, services: AnyServices, wanted: ReplayIn = _NOW) -> BroadcastOut:
    """Send it once more, only to the nodes that missed it; refused the second time, unless the first was cancelled."""
    return await services.replays.create(actor, broadcast_id, wanted)
