"""Holds over HTTP."""

from fastapi import APIRouter

from controller.errors import ForbiddenError
from controller.http.description import ENDS_ONCE, NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices

from .schemas import HoldIn, HoldOut

router = APIRouter(prefix="/holds", tags=["holds"])


@router.post("", status_code=201, summary="STOP", responses=may_raise(ForbiddenError))
async def order(wanted: HoldIn, actor: Acting, services: AnyServices) -> list[HoldOut]:
    """Silence every node at or under the scopes, until released; one hold for each scope."""
    return await services.holds.order(actor, wanted.scopes)


@router.get("", summary="Holds that stand")
async def active(actor: Acting, services: AnyServices) -> list[HoldOut]:
    """Give the holds that are not released, with who has not confirmed yet."""
    return await services.holds.active(actor)


@router.get("/{hold_id}", summary="One hold", responses=NOT_FOUND)
async def get(hold_id: str, actor: Acting, services: AnyServices) -> HoldOut:
    """Give one hold, released or not."""
    return await services.holds.get(actor, hold_id)


@router.post("/{hold_id}/release", summary="Release a hold", responses=ENDS_ONCE)
async def release(hold_id: str, actor: Acting, services: AnyServices) -> HoldOut:
    """Let its nodes sound again, unless another hold keeps them."""
    return await services.holds.release(actor, hold_id)
