"""Nodes over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices

from .schemas import ContactOut, HealthOut, MapOut, NodeChange, NodeIn, NodeOut, RevokedOut, RevokeIn

router = APIRouter(prefix="/nodes", tags=["nodes"])


@router.get("", summary="All nodes")
async def list_nodes(actor: Acting, services: AnyServices) -> list[NodeOut]:
    """Give all nodes with their status, area by area."""
    return await services.nodes.all(actor)


@router.post("", status_code=201, summary="Add a cluster without an agent", responses=may_raise(ForbiddenError))
async def create(wanted: NodeIn, actor: Acting, services: AnyServices) -> NodeOut:
    """Add a wired or FM cluster: it stands in every schedule and reports nothing."""
    return await services.nodes.create(actor, kind=wanted.kind, area_id=wanted.area_id, name=wanted.name)


@router.get("/map", summary="Where nodes stand, and how")
async def spots(actor: Acting, services: AnyServices) -> MapOut:
    """Give every node in sight of which somebody said where it stands."""
    return await services.node_lists.map(actor)


@router.get("/{node_id}", summary="One node", responses=NOT_FOUND)
async def get(node_id: str, actor: Acting, services: AnyServices) -> NodeOut:
    """Give one node."""
    return await services.nodes.get(actor, node_id)


@router.patch("/{node_id}", summary="Change a node", responses=may_raise(ForbiddenError, NotFoundError))
async def change(node_id: str, wanted: NodeChange, actor: Acting, services: AnyServices) -> NodeOut:
    """Rename it, set its volume, say where it stands. Its area, ``POST /areas/{area_id}/moves`` changes."""
    return await services.nodes.change(
        actor,
        node_id,
        name=wanted.name,
        volume_mb=wanted.volume_mb,
        trim_mb=wanted.trim_mb,
        position=wanted.position,
    )


@router.get("/{node_id}/contacts", summary="Whom to call about a node", responses=NOT_FOUND)
async def contacts(node_id: str, actor: Acting, services: AnyServices) -> list[ContactOut]:
    """Give its helpers and technicians, the nearest first, those with a telephone before those without."""
    return await services.contacts.of(actor, node_id)


@router.get("/{node_id}/health", summary="How a node was", responses=NOT_FOUND)
async def health(
    node_id: str,
    actor: Acting,
    services: AnyServices,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
) -> HealthOut:
    """Give what it told of itself in steps of ten minutes, of the last day unless asked; kept for 30 days.

    A step of which nothing is known is left out.
    """
    return await services.node_health.of(actor, node_id, since, until)


@router.post(
    "/{node_id}/revoke",
    summary="Give up a stolen node, for good",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError),
)
async def revoke(node_id: str, wanted: RevokeIn, actor: Acting, services: AnyServices) -> RevokedOut:
    """Void its certificates, cut it off, end its plays. One that enrols again is a new node."""
    return await services.revocations.revoke(actor, node_id, wanted.reason)
