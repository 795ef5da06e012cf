"""Nodes over HTTP."""

from fastapi import APIRouter

from controller.errors import ForbiddenError, NotFoundError
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices, SignedInPerson

from .schemas import NodeChange, NodeOut

router = APIRouter(prefix="/nodes", tags=["nodes"])


@router.get("", summary="All nodes")
async def list_nodes(_person: SignedInPerson, services: AnyServices) -> list[NodeOut]:
    """Give all nodes with their status, area by area."""
    return await services.nodes.all()


@router.get("/{node_id}", summary="One node", responses=NOT_FOUND)
async def get(node_id: str, _person: SignedInPerson, services: AnyServices) -> NodeOut:
    """Give one node."""
    return await services.nodes.get(node_id)


@router.patch("/{node_id}", summary="Change a node", responses=may_raise(ForbiddenError, NotFoundError))
async def change(node_id: str, wanted: NodeChange, actor: Acting, services: AnyServices) -> NodeOut:
    """Rename it, move it, or set its volume."""
    return await services.nodes.change(
        actor,
        node_id,
        name=wanted.name,
        area_id=wanted.area_id,
        volume_mb=wanted.volume_mb,
        trim_mb=wanted.trim_mb,
    )
