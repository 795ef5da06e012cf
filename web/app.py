"""The operator's pages, added to the application that serves the API. Talks to controller services only."""

import os
from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from controller.errors import NotFoundError
from controller.services import Services
from web.pages import (
    accounts,
    alarms,
    approvals,
    broadcasts,
    bulletins,
    emergencies,
    faults,
    frame,
    holds,
    messages,
    node_acts,
    nodes,
    people,
    policies,
    programmes,
    renewals,
    say,
    schedules,
    today,
)
from web.site import STATIC, Site, page_route, problem_page

A_YEAR = "public, max-age=31536000, immutable"
A_DAY = "public, max-age=86400"


PAGES = (
    *(frame, people, today, say, schedules, bulletins, programmes),
    *(
        broadcasts,
        approvals,
        holds,
        nodes,
        node_acts,
        renewals,
        emergencies,
        messages,
        alarms,
        faults,
        accounts,
        policies,
    ),
)
"""Each adds its own addresses."""


class OurFiles(StaticFiles):
    """Static files: those whose address holds their hash are kept for good."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Add how long a browser may keep it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = A_YEAR if b"v=" in scope["query_string"] else A_DAY
        return response


def add_pages(app: FastAPI, services: Services) -> Site:
    """Add the pages, their static files and their live parts to ``app``; gives what they share."""
    site = Site(services)
    app.state.in_words = partial(problem_page, site)
    router = APIRouter(include_in_schema=False, default_response_class=Response, route_class=page_route(site))
    for page in PAGES:
        page.add(router, site)

    @router.get("/{page}")
    async def no_such_page(page: str) -> Response:
        """Answer a mistyped address as a page; deeper addresses and the API's answer for themselves."""
        raise NotFoundError("there is no such page", resource="pages", id=page[:64])

    app.include_router(router)
    app.mount("/static", OurFiles(directory=STATIC), name="static")
    return site
