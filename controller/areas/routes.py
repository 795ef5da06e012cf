"""Areas over HTTP."""

from fastapi import APIRouter

from controller.errors import ForbiddenError, NotFoundError
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.policies.errors import PolicyLockedError

from .schemas import AreaChange, AreaIn, AreaOut

router = APIRouter(prefix="/areas", tags=["areas"])


@router.get("", summary="All areas")
async def tree(actor: Acting, services: AnyServices) -> list[AreaOut]:
    """Give the tree of places, parents before children: what is in sight, and what lies above it."""
    return await services.areas.tree(actor)


@router.post("", status_code=201, summary="Add an area", responses=may_raise(ForbiddenError))
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
    responses=may_raise(ForbiddenError, NotFoundError, PolicyLockedError),
)
async def change(area_id: str, wanted: AreaChange, actor: Acting, services: AnyServices) -> AreaOut:
    """Change the fields that are given; null means "as the parent"."""
    given = {field: getattr(wanted, field) for field in wanted.model_fields_set}
    return await services.areas.change(actor, area_id, **given)
