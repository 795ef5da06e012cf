"""The operator's pages, added to the application that serves the API. Talks to controller services only."""

import os
from functools import partial
from pathlib import Path
from types import ModuleType

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from controller.errors import NotFoundError
from controller.services import Services
from web.joined import JOINED, KINDS, STATIC, joined
from web.pages import (
    accounts,
    activity,
    alarms,
    approvals,
    broadcasts,
    bulletins,
    calendars,
    day,
    emergencies,
    existing,
    faults,
    faults_list,
    feed,
    frame,
    help_pages,
    history,
    holds,
    importing,
    look,
    messages,
    node_acts,
    node_health,
    node_map,
    node_settings,
    nodes,
    people,
    places,
    policies,
    programmes,
    recordings,
    releases,
    removing,
    renewals,
    rollouts,
    say,
    schedules,
    settings,
    setup,
    shell,
    targets,
    today,
    updates,
    versions,
)
from web.refusals import page_route, problem_page
from web.site import Site

A_YEAR = "public, max-age=31536000, immutable"
A_DAY = "public, max-age=86400"


PAGES: tuple[ModuleType, ...] = (
    # what stands under /nodes, /schedules and /updates by a name of its own comes before what stands there by its id
    *(frame, people, look, shell, setup, help_pages, settings, today, say, existing, targets, recordings),
    *(calendars, feed, importing, schedules, bulletins, versions, programmes, broadcasts, history, activity),
    *(approvals, holds, emergencies, messages, alarms, faults_list, faults),
    *(node_map, node_health, node_settings, day, nodes, node_acts, renewals, releases, rollouts, updates),
    *(accounts, places, removing, policies),
)
"""Each adds its own addresses."""


class OurFiles(StaticFiles):
    """Static files: those whose address holds their hash are kept for good. Some are joined from several."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Give a file; a joined one is none on the disk."""
        if path not in JOINED or scope["method"] not in {"GET", "HEAD"}:
            return await super().get_response(path, scope)
        return self._kept(Response(joined(path), media_type=KINDS[Path(path).suffix]), scope)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Add how long a browser may keep it."""
        return self._kept(super().file_response(full_path, stat_result, scope, status_code), scope)

    def _kept(self, response: Response, scope: Scope) -> Response:
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
        """Answer a mistyped address inside the frame; deeper ones on a page of its own, the API's for itself."""
        raise NotFoundError("there is no such page", resource="pages", id=page[:64])

    app.include_router(router)
    app.mount("/static", OurFiles(), name="static")
    return site
