"""Plays over HTTP: why a node sounds or does not. What became of a broadcast is told by ``broadcasts.routes``."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.http.description import NOT_FOUND
from controller.http.session import Acting, AnyServices
from controller.paging import Wanted

from .of_node import NodePlayOut
from .why_schemas import WhyOut

router = APIRouter(prefix="/nodes", tags=["plays"])


@router.get("/{node_id}/broadcasts/{broadcast_id}/why", summary="Why a node sounds, or does not", responses=NOT_FOUND)
async def why(node_id: str, broadcast_id: str, actor: Acting, services: AnyServices) -> WhyOut:
    """Give the rules in order with their verdicts, the first that blocks named, for a play that was or is to come."""
    return await services.whys.of(actor, node_id, broadcast_id)


@router.get("/{node_id}/plays", summary="What became of a node's plays", responses=NOT_FOUND)
async def plays(
    node_id: str,
    actor: Acting,
    services: AnyServices,
    offset: Annotated[int, Query(ge=0, le=10**6)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[NodePlayOut]:
    """Give those that were due or are over, the latest first."""
    wanted = Wanted(sort="start", down=True, offset=offset, limit=limit)
    return list((await services.node_plays.find(actor, node_id, wanted)).rows)
