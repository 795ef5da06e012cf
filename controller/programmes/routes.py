"""Programmes over HTTP."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.http.description import ENDS_ONCE, NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.policies.schemas import WhatIfOut

from .schemas import CopyIn, OrderIn, ProgrammeChange, ProgrammeIn, ProgrammeOut, ProgrammeRow, SlotOut

router = APIRouter(prefix="/programmes", tags=["programmes"])

CHANGES = may_raise(ForbiddenError, NotFoundError, ConflictError)


@router.post("", status_code=201, summary="Put a programme together", responses=may_raise(ForbiddenError))
async def create(wanted: ProgrammeIn, actor: Acting, services: AnyServices) -> ProgrammeOut:
    """Save a new programme or template."""
    return await services.programmes.create(actor, wanted)


@router.get("", summary="Programmes", responses=NOT_FOUND)
async def list_programmes(
    actor: Acting,
    services: AnyServices,
    *,
    area_id: str | None = None,
    templates: Annotated[bool | None, Query()] = None,
    archived: Annotated[bool, Query()] = False,
) -> Sequence[ProgrammeRow]:
    """Give the last changed first: one's own, and the templates of areas above."""
    return await services.programmes.list(actor, area_id=area_id, templates=templates, archived=archived)


@router.get("/{programme_id}", summary="One programme", responses=NOT_FOUND)
async def get(programme_id: str, actor: Acting, services: AnyServices) -> ProgrammeOut:
    """Give its items and its length, or what keeps it from being aired."""
    return await services.programmes.get(actor, programme_id)


@router.patch("/{programme_id}", summary="Change a programme", responses=CHANGES)
async def change(programme_id: str, wanted: ProgrammeChange, actor: Acting, services: AnyServices) -> ProgrammeOut:
    """Change the fields that are given; items are given all together."""
    return await services.programmes.change(actor, programme_id, wanted)


@router.post("/{programme_id}/what-if", summary="What changing a programme would change", responses=CHANGES)
async def what_if(programme_id: str, wanted: ProgrammeChange, actor: Acting, services: AnyServices) -> WhatIfOut:
    """Run the last and the next 30 days of all schedules that air it with the change; saves nothing."""
    return await services.what_ifs.of_programme(actor, programme_id, wanted)


@router.post("/{programme_id}/order", summary="Put items in another order", responses=CHANGES)
async def reorder(programme_id: str, wanted: OrderIn, actor: Acting, services: AnyServices) -> ProgrammeOut:
    """Name every position once, in the order in which the items are to stand."""
    return await services.programmes.reorder(actor, programme_id, wanted)


@router.get("/{programme_id}/slots", summary="What could fill the slots of a template", responses=NOT_FOUND)
async def slots(
    programme_id: str, actor: Acting, services: AnyServices, area_id: str | None = None
) -> Sequence[SlotOut]:
    """Give approved bulletins of each slot's category, priority first; ``area_id``: whose programme it is to be."""
    return await services.programmes.slots(actor, programme_id, area_id)


@router.post(
    "/{programme_id}/copies",
    status_code=201,
    summary="Make a programme from a template",
    responses=may_raise(ForbiddenError, NotFoundError),
)
async def copy(programme_id: str, wanted: CopyIn, actor: Acting, services: AnyServices) -> ProgrammeOut:
    """Make a programme from a template or from another programme."""
    return await services.programmes.copy(actor, programme_id, wanted)


@router.post("/{programme_id}/archive", summary="Archive a programme", responses=ENDS_ONCE)
async def archive(programme_id: str, actor: Acting, services: AnyServices) -> ProgrammeOut:
    """Put it away; what was aired stays."""
    return await services.programmes.archive(actor, programme_id)
