"""Bulletins over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.approvals.errors import NotListenedError, OwnWorkError
from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.http.description import ENDS_ONCE, NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices

from .schemas import (
    BulletinChange,
    BulletinIn,
    BulletinOut,
    Category,
    DifferenceOut,
    OfferIn,
    ReturnIn,
    VersionOut,
    VersionSeen,
)
from .states import BulletinState

router = APIRouter(prefix="/bulletins", tags=["bulletins"])

CHANGES = may_raise(ForbiddenError, NotFoundError, ConflictError)
APPROVES = may_raise(ForbiddenError, OwnWorkError, NotFoundError, ConflictError, NotListenedError)


@router.post("", status_code=201, summary="Write a bulletin", responses=may_raise(ForbiddenError))
async def create(wanted: BulletinIn, actor: Acting, services: AnyServices) -> BulletinOut:
    """Save a draft."""
    return await services.bulletins.create(actor, wanted)


@router.get("", summary="Bulletins", responses=NOT_FOUND)
async def list_bulletins(
    actor: Acting,
    services: AnyServices,
    *,
    area_id: str | None = None,
    state: BulletinState | None = None,
    category: Annotated[Category | None, Query()] = None,
    q: Annotated[str, Query(max_length=200)] = "",
    on_offer: Annotated[bool, Query()] = False,
    owed: Annotated[bool, Query()] = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: str | None = None,
) -> list[BulletinOut]:
    """Give the newest first: one's own and those that areas above offer. ``q`` finds with and without accents.

    ``owed``: priority ones on offer that stand in no programme of an area below that airs some; ``owed_in`` names it.
    """
    return await services.bulletins.list(
        actor,
        area_id=area_id,
        state=state,
        category=category,
        query=q,
        on_offer=on_offer,
        owed=owed,
        limit=limit,
        before=before,
    )


@router.get("/{bulletin_id}", summary="One bulletin", responses=NOT_FOUND)
async def get(bulletin_id: str, actor: Acting, services: AnyServices) -> BulletinOut:
    """Give what it says now and how far it is."""
    return await services.bulletins.get(actor, bulletin_id)


@router.patch("/{bulletin_id}", summary="Change a bulletin", responses=CHANGES)
async def change(bulletin_id: str, wanted: BulletinChange, actor: Acting, services: AnyServices) -> BulletinOut:
    """Save the fields that are given as a new version; an approved one is a draft again."""
    return await services.bulletins.change(actor, bulletin_id, wanted)


@router.get("/{bulletin_id}/versions", summary="All versions of a bulletin", responses=NOT_FOUND)
async def versions(bulletin_id: str, actor: Acting, services: AnyServices) -> list[VersionOut]:
    """Give all that it ever said, the first version first."""
    return await services.bulletins.versions(actor, bulletin_id)


@router.get("/{bulletin_id}/differences", summary="What two versions have differently", responses=NOT_FOUND)
async def differences(
    bulletin_id: str,
    actor: Acting,
    services: AnyServices,
    before: Annotated[int, Query(ge=1)],
    after: Annotated[int, Query(ge=1)],
) -> list[DifferenceOut]:
    """Compare two versions field by field."""
    return await services.bulletins.differences(actor, bulletin_id, before, after)


@router.post("/{bulletin_id}/submit", summary="Submit a bulletin", responses=CHANGES)
async def submit(bulletin_id: str, wanted: VersionSeen, actor: Acting, services: AnyServices) -> BulletinOut:
    """Ask for a yes to this version."""
    return await services.bulletins.submit(actor, bulletin_id, wanted)


@router.post("/{bulletin_id}/approve", summary="Approve a bulletin", responses=APPROVES)
async def approve(bulletin_id: str, wanted: VersionSeen, actor: Acting, services: AnyServices) -> BulletinOut:
    """Say yes to this version."""
    return await services.bulletins.approve(actor, bulletin_id, wanted)


@router.post("/{bulletin_id}/return", summary="Return a bulletin", responses=CHANGES)
async def return_(bulletin_id: str, wanted: ReturnIn, actor: Acting, services: AnyServices) -> BulletinOut:
    """Send it back with a reason, or take a yes back."""
    return await services.bulletins.return_(actor, bulletin_id, wanted)


@router.post("/{bulletin_id}/archive", summary="Archive a bulletin", responses=ENDS_ONCE)
async def archive(bulletin_id: str, actor: Acting, services: AnyServices) -> BulletinOut:
    """Put it away; its versions stay."""
    return await services.bulletins.archive(actor, bulletin_id)


@router.post("/{bulletin_id}/offer", summary="Offer a bulletin to the areas below", responses=CHANGES)
async def offer(bulletin_id: str, wanted: OfferIn, actor: Acting, services: AnyServices) -> BulletinOut:
    """Let the areas below place it in their programmes."""
    return await services.bulletins.offer(actor, bulletin_id, wanted)


@router.post("/{bulletin_id}/end-offer", summary="Take an offer back", responses=ENDS_ONCE)
async def end_offer(bulletin_id: str, actor: Acting, services: AnyServices) -> BulletinOut:
    """The areas below may not place it any more."""
    return await services.bulletins.end_offer(actor, bulletin_id)
