"""Faults over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.http.description import may_raise
from controller.http.session import Acting, AnyServices

from .schemas import AcknowledgeIn, FaultEntryOut

router = APIRouter(prefix="/faults", tags=["faults"])

_Id = Annotated[str, Path(max_length=64)]


@router.get("", summary="What is, or was, wrong with nodes", responses=may_raise(NotFoundError))
async def list_faults(
    actor: Acting,
    services: AnyServices,
    *,
    area: Annotated[str | None, Query(max_length=64)] = None,
    node: Annotated[str | None, Query(max_length=64)] = None,
    standing: Annotated[bool | None, Query(alias="open")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[FaultEntryOut]:
    """Give the latest faults; ``area``: there and below it; ``open``: only those that are not over, or the others."""
    return await services.faults.list(actor, area_id=area, node_id=node, standing=standing, limit=limit)


@router.get("/{fault_id}", summary="One fault", responses=may_raise(NotFoundError))
async def get_fault(fault_id: _Id, actor: Acting, services: AnyServices) -> FaultEntryOut:
    """Give one fault."""
    return await services.faults.get(actor, fault_id)


@router.post(
    "/{fault_id}/acknowledgement",
    summary="Acknowledge a fault",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError),
)
async def acknowledge(fault_id: _Id, said: AcknowledgeIn, actor: Acting, services: AnyServices) -> FaultEntryOut:
    """Say that one looks after it."""
    return await services.faults.acknowledge(actor, fault_id, note=said.note)
