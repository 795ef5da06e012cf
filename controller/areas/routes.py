"""Areas over HTTP."""

from fastapi import APIRouter

from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.people.proof import CodeError
from controller.policies.errors import PolicyLockedError
from controller.policies.schemas import WhatIfOut

from .errors import AreaInUseError
from .move_schemas import MoveIn, MoveOut, MoveSeenIn
from .schemas import AreaChange, AreaIn, AreaOut

router = APIRouter(prefix="/areas", tags=["areas"])


@router.get("", summary="All areas")
async def tree(actor: Acting, services: AnyServices) -> list[AreaOut]:
    """Give the tree of places, parents before children: what is in sight, and what lies above it."""
    return await services.areas.tree(actor)


@router.post(
    "", status_code=201, summary="Add an area", responses=may_raise(ForbiddenError, PolicyLockedError, CodeError)
)
async def create(wanted: AreaIn, actor: Acting, services: AnyServices) -> AreaOut:
    """Add a place to the tree."""
    given = {field: getattr(wanted, field) for field in AreaIn.model_fields}
    return await services.areas.create(actor, **given)


@router.get("/{area_id}", summary="One area", responses=NOT_FOUND)
async def get(area_id: str, actor: Acting, services: AnyServices) -> AreaOut:
    """Give one place."""
    return await services.areas.get(actor, area_id)


@router.patch(
    "/{area_id}",
    summary="Change an area",
    responses=may_raise(ForbiddenError, NotFoundError, PolicyLockedError, CodeError),
)
async def change(area_id: str, wanted: AreaChange, actor: Acting, services: AnyServices) -> AreaOut:
    """Change the fields that are given; null means "as the parent". Where it lies, ``POST …/moves`` changes."""
    given = {field: getattr(wanted, field) for field in wanted.model_fields_set}
    return await services.areas.change(actor, area_id, **given)


@router.post(
    "/{area_id}/what-if",
    summary="What changing an area would change",
    responses=may_raise(ForbiddenError, NotFoundError, PolicyLockedError),
)
async def what_if(area_id: str, wanted: AreaChange, actor: Acting, services: AnyServices) -> WhatIfOut:
    """Run the last and the next 30 days through the function that nodes play by, before and after; saves nothing."""
    given = {field: getattr(wanted, field) for field in wanted.model_fields_set}
    return await services.area_what_ifs.of(actor, area_id, **given)


@router.delete(
    "/{area_id}",
    status_code=204,
    summary="Remove an area",
    responses=may_raise(ForbiddenError, NotFoundError, AreaInUseError),
)
async def remove(area_id: str, actor: Acting, services: AnyServices) -> None:
    """Put a place away in which nothing is. What was said and done there goes on naming it."""
    await services.removals.remove(actor, area_id)


@router.post(
    "/{area_id}/moves/preview",
    summary="What moving into an area would change",
    responses=may_raise(ForbiddenError, NotFoundError),
)
async def preview_move(area_id: str, wanted: MoveIn, actor: Acting, services: AnyServices) -> MoveOut:
    """Name the nodes, rules, broadcasts, schedules, holds and people that it touches; saves nothing."""
    return await services.moves.preview(actor, area_id, wanted)


@router.post(
    "/{area_id}/moves",
    summary="Move areas and nodes into an area",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError),
)
async def move(area_id: str, wanted: MoveSeenIn, actor: Acting, services: AnyServices) -> MoveOut:
    """Do what the preview showed. Ids, history, and the rights of those who work in what moves stay."""
    return await services.moves.move(actor, area_id, wanted)
