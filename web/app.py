"""The operator's pages, added to the application that serves the API. Talks to controller services only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse

if TYPE_CHECKING:
    from controller.services import Services


def add_pages(app: FastAPI, services: Services) -> None:
    """Add the pages, their static files and their live updates to ``app``."""
    app.state.services = services
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def home() -> RedirectResponse:
        return RedirectResponse("/today")

    app.include_router(router)
