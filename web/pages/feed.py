"""Lịch phát thanh as a calendar: a week or a month, drawn where there is room and scripts, and always as a list."""

import json
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.people.rights import Act
from controller.schedules.feed_schemas import FeedOut
from web.pages import copying, moving
from web.pages.frame import whole_page
from web.site import Site, Visit
from web.views import planning as views
from web.views import schedules as told
from web.views.planning import Asked
from web.views.standing import look_at


def _asked(visit: Visit) -> Asked:
    given = visit.request.query_params
    place = given.get("place", "")
    known = place if any(area.id == place for area in visit.areas) else ""
    return views.read_asked(given.get("view", ""), given.get("day", ""), known, visit.form.today())


async def _found(visit: Visit, asked: Asked) -> FeedOut:
    return await visit.services.feeds.of(visit.actor, asked.first, asked.until, asked.place or None)


def _movable(visit: Visit) -> list[str]:
    return [area.id for area in visit.places(Act.SCHEDULES_WRITE)]


def _shown(visit: Visit, asked: Asked, found: FeedOut) -> dict[str, Any]:
    """Give what the list shows."""
    return {
        "asked": asked,
        "days": views.days(found, asked, visit.form, movable=_movable(visit)),
        "weekdays": views.weekdays(visit.form),
        "is_cut": found.is_cut,
        "is_empty": not found.entries,
        "may_write": visit.may(Act.SCHEDULES_WRITE),
    }


async def _page(visit: Visit) -> HTMLResponse:
    asked = _asked(visit)
    async with visit.services.together():
        found = await _found(visit, asked)
        owed = await visit.services.bulletins.list(visit.actor, owed=True)
    return await whole_page(
        visit,
        "schedules.html",
        place=visit.name_of(asked.place),
        look_at=look_at(visit.areas, visit.form),
        looked_with=replace(asked, place="").query + "&",
        title=views.title_of(asked, visit.form),
        before=asked.step(-1).path(),
        after=asked.step(1).path(),
        now=Asked(asked.view, visit.form.today(), asked.place).path(),
        drawn=json.dumps(views.drawn(found, visit.form, movable=_movable(visit)), ensure_ascii=False),
        owed=told.owed_below(owed, visit.form),
        may_calendars=visit.may(Act.CALENDARS_WRITE),
        **_shown(visit, asked, found),
    )


def add(router: APIRouter, site: Site) -> None:
    """Add the calendar, its list, its data, and how a week is copied."""

    @router.get("/schedules")
    async def calendar(request: Request) -> HTMLResponse:
        return await _page(await site.visit(request))

    @router.get("/schedules/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        asked = _asked(visit)
        return visit.fragment("_schedules.html", **_shown(visit, asked, await _found(visit, asked)))

    @router.get("/schedules/feed.json")
    async def feed(request: Request) -> Response:
        visit = await site.visit(request)
        found = await _found(visit, _asked(visit))
        body = json.dumps(views.drawn(found, visit.form, movable=_movable(visit)), ensure_ascii=False)
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store", "Vary": "Cookie"})

    copying.add(router, site)
    moving.add(router, site)
