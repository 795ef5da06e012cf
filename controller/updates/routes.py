"""Releases and rollouts over HTTP. The body of a release is its bundle."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from controller.errors import ForbiddenError, NoSpaceError, NotFoundError, TooLargeError, TooManyAttemptsError
from controller.http.body import FILE, declared, streamed
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.recordings.uploads import TooSlowError

from .errors import BundleError, OldReleaseError, RolloutError, UpdateKeyError
from .schemas import ForecastOut, ReleaseOut, RolloutIn, RolloutOut, RolloutWithNodes

updates = APIRouter(prefix="/updates", tags=["updates"])
rollouts = APIRouter(prefix="/rollouts", tags=["updates"])

MAX_TOKEN = 2048
"""Characters, as a command may carry (docs/protocol.md section 10)."""
_Id = Annotated[str, Path(max_length=64)]
_ADDING = may_raise(
    ForbiddenError,
    UpdateKeyError,
    BundleError,
    OldReleaseError,
    TooLargeError,
    TooSlowError,
    TooManyAttemptsError,
    NoSpaceError,
)
_TURNING = may_raise(ForbiddenError, NotFoundError, RolloutError)


@updates.post("", status_code=201, summary="Add a release", openapi_extra=FILE, responses=_ADDING)
async def add(
    request: Request, actor: Acting, services: AnyServices, release: Annotated[str, Query(max_length=MAX_TOKEN)]
) -> ReleaseOut:
    """Take in a bundle; ``release`` is what the update key signed of it (``loa updates sign``)."""
    return await services.releases.add(actor, release, streamed(request), declared(request))


@updates.get("", summary="All releases")
async def list_updates(actor: Acting, services: AnyServices) -> list[ReleaseOut]:
    """Give the newest first."""
    return await services.releases.list(actor)


@updates.get("/{release_id}", summary="One release", responses=NOT_FOUND)
async def get_update(release_id: _Id, actor: Acting, services: AnyServices) -> ReleaseOut:
    """Give one."""
    return await services.releases.get(actor, release_id)


@rollouts.post(
    "",
    status_code=201,
    summary="Send a release to nodes, wave by wave",
    responses=may_raise(ForbiddenError, RolloutError),
)
async def start(wanted: RolloutIn, actor: Acting, services: AnyServices) -> RolloutWithNodes:
    """Begin. It goes on by itself, and stops by itself when too much goes wrong."""
    return await services.rollouts.start(actor, wanted)


@rollouts.post(
    "/preview",
    summary="What sending a release would do",
    responses=may_raise(ForbiddenError, RolloutError),
)
async def preview(wanted: RolloutIn, actor: Acting, services: AnyServices) -> ForecastOut:
    """Name the nodes that would get it, how many in each wave, and those that cannot take it now; begins nothing."""
    return await services.rollouts.preview(actor, wanted)


@rollouts.get("", summary="Latest rollouts")
async def list_rollouts(
    actor: Acting, services: AnyServices, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> list[RolloutOut]:
    """Give those that are for nodes in sight, the newest first; nodes are counted as far as they are in sight."""
    return await services.rollouts.list(actor, limit=limit)


@rollouts.get("/{rollout_id}", summary="One rollout", responses=NOT_FOUND)
async def get_rollout(rollout_id: _Id, actor: Acting, services: AnyServices) -> RolloutWithNodes:
    """Give one, with how far each node in sight is."""
    return await services.rollouts.get(actor, rollout_id)


@rollouts.post("/{rollout_id}/pause", summary="Tell no more nodes for now", responses=_TURNING)
async def pause(rollout_id: _Id, actor: Acting, services: AnyServices) -> RolloutWithNodes:
    """What is under way on a node goes on."""
    return await services.rollouts.pause(actor, rollout_id)


@rollouts.post("/{rollout_id}/resume", summary="Let a rollout go on", responses=_TURNING)
async def resume(rollout_id: _Id, actor: Acting, services: AnyServices) -> RolloutWithNodes:
    """Go on with the wave in which it was paused."""
    return await services.rollouts.resume(actor, rollout_id)


@rollouts.post("/{rollout_id}/stop", summary="Stop a rollout for good", responses=_TURNING)
async def stop(rollout_id: _Id, actor: Acting, services: AnyServices) -> RolloutWithNodes:
    """Nodes that have the release keep it."""
    return await services.rollouts.stop(actor, rollout_id)
