"""The overview over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from controller.http.description import NOT_FOUND
from controller.http.session import Acting, AnyServices

from .schemas import Overview

router = APIRouter(prefix="/overview", tags=["overview"])
AreaId = Annotated[str | None, Query(max_length=64)]


@router.get("", summary="How all nodes stand", responses=NOT_FOUND)
async def overview(actor: Acting, services: AnyServices, area_id: AreaId = None) -> Overview:
    """Count the nodes in sight, name those that need a person, and say what sounds by the nodes' own word.

    ``area_id``: only those of that area and all below it.
    """
    return await services.overview.of(actor, area_id)
