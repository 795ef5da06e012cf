"""Plays over HTTP: why a node sounds or does not. What became of a broadcast is told by ``broadcasts.routes``."""

from fastapi import APIRouter

from controller.http.description import NOT_FOUND
from controller.http.session import Acting, AnyServices

from .why_schemas import WhyOut

router = APIRouter(prefix="/nodes", tags=["plays"])


@router.get("/{node_id}/broadcasts/{broadcast_id}/why", summary="Why a node sounds, or does not", responses=NOT_FOUND)
async def why(node_id: str, broadcast_id: str, actor: Acting, services: AnyServices) -> WhyOut:
    """Give the rules in order with their verdicts, the first that blocks named, for a play that was or is to come."""
    return await services.whys.of(actor, node_id, broadcast_id)
