"""Nodes over HTTP."""

from fastapi import APIRouter

from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices

from .schemas import NodeChange, NodeIn, NodeOut, RevokedOut, RevokeIn

router = APIRouter(prefix="/nodes", tags=["nodes"])


@router.get("", summary="All nodes")
async def list_nodes(actor: Acting, services: AnyServices) -> list[NodeOut]:
    """Give all nodes with their status, area by area."""
    return await services.nodes.all(actor)


@router.post("", status_code=201, summary="Add a cluster without an agent", responses=may_raise(ForbiddenError))
async def create(wanted: NodeIn, actor: Acting, services: AnyServices) -> NodeOut:
    """Add a wired or FM cluster: it stands in every schedule and reports nothing."""
    return await services.nodes.create(actor, kind=wanted.kind, area_id=wanted.area_id, name=wanted.name)


@router.get("/{node_id}", summary="One node", responses=NOT_FOUND)
async def get(node_id: str, actor: Acting, services: AnyServices) -> NodeOut:
    """Give one node."""
    return await services.nodes.get(actor, node_id)


@router.patch("/{node_id}", summary="Change a node", responses=may_raise(ForbiddenError, NotFoundError))
async def change(node_id: str, wanted: NodeChange, actor: Acting, services: AnyServices) -> NodeOut:
    """Rename it, or set its volume. Where it stands, ``POST /areas/{area_id}/moves`` changes."""
    return await services.nodes.change(
        actor,
        node_id,
        name=wanted.name,
        volume_mb=wanted.volume_mb,
        trim_mb=wanted.trim_mb,
    )


@router.post(
    "/{node_id}/revoke",
    summary="Give up a stolen node, for good",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError),
)
async def revoke(node_id: str, wanted: RevokeIn, actor: Acting, services: AnyServices) -> RevokedOut:
    """Void its certificates, cut it off, end its plays. One that enrols again is a new node."""
    return await services.revocations.revoke(actor, node_id, wanted.reason)
