"""Policies over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.broadcasts.schemas import When
from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices

from .errors import PolicyLockedError
from .schemas import MINUTES_OF_A_DAY, CategoryOut, CheckOut, PolicyIn, PolicyOut, WhatIfOut

router = APIRouter(tags=["policies"])


@router.get("/policies", summary="Policies of all areas that say something")
async def all_policies(actor: Acting, services: AnyServices) -> list[PolicyOut]:
    """Give what areas say, in the order of the tree."""
    return await services.policies.all(actor)


@router.get("/categories", summary="What bulletins may be about", responses=NOT_FOUND)
async def categories(
    actor: Acting, services: AnyServices, area_id: Annotated[str | None, Query(max_length=64)] = None
) -> list[CategoryOut]:
    """Give the categories of an area, its own or from above; without one, of all areas in sight together."""
    return await services.policies.categories(actor, area_id)


@router.get("/areas/{area_id}/policy", summary="What an area allows", responses=NOT_FOUND)
async def get(area_id: str, actor: Acting, services: AnyServices) -> PolicyOut:
    """Give what the area says itself, and every rule that holds there with where it comes from."""
    return await services.policies.get(actor, area_id)


@router.put(
    "/areas/{area_id}/policy",
    summary="Change what an area allows",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError, PolicyLockedError),
)
async def put(area_id: str, wanted: PolicyIn, actor: Acting, services: AnyServices) -> PolicyOut:
    """Say it as a whole, with the version that was seen; what is left out comes from the areas above."""
    return await services.policies.put(actor, area_id, wanted)


@router.post(
    "/areas/{area_id}/policy/preview",
    summary="What a change of policy would change",
    responses=may_raise(NotFoundError, PolicyLockedError),
)
async def preview(area_id: str, wanted: PolicyIn, actor: Acting, services: AnyServices) -> WhatIfOut:
    """Run the last and the next 30 days through the function that nodes play by, before and after; saves nothing."""
    return await services.policies.preview(actor, area_id, wanted)


@router.get("/areas/{area_id}/policy/check", summary="What a policy says to a draft", responses=NOT_FOUND)
async def check(
    area_id: str,
    actor: Acting,
    services: AnyServices,
    start_at: Annotated[When, Query()],
    length_ms: Annotated[int, Query(ge=1, le=MINUTES_OF_A_DAY * 60_000)],
) -> CheckOut:
    """Say which rules a routine broadcast there would break, and whether its hour is unusual; saves nothing."""
    return await services.policies.check(actor, area_id, start_at=start_at, length_ms=length_ms)
