"""Bắt đầu đợt cập nhật: which release, to whom, how fast; said in words before it begins."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import LoaError
from controller.people.rights import Act
from controller.updates.schemas import ForecastOut, RolloutIn
from web.forms import Unclear, read_form
from web.pages.frame import back, whole_page
from web.pages.releases import may_add
from web.pages.targets import to_choose
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views import rollouts as views

FIELDS = frozenset({"release", "targets", "waves"})


async def _page(
    visit: Visit,
    draft: views.Draft,
    problems: Problems | None = None,
    seen: tuple[ForecastOut, RolloutIn] | None = None,
) -> HTMLResponse:
    releases = views.offered(await visit.services.releases.list(visit.actor), visit.form.now, visit.form)
    shown: dict[str, Any] = {"found": views.forecast(*seen, visit.form) if seen else None}
    return await whole_page(
        visit,
        "rollout_new.html",
        status=422 if problems else 200,
        form=draft,
        problems={"form": ""} | problems if problems else {},
        releases=releases,
        places=await to_choose(visit, draft.targets, visit.places(Act.ROLLOUTS_START)),
        may_add=may_add(visit),
        **shown,
    )


async def _begun(visit: Visit) -> HTMLResponse:
    """Begin with the newest release; whom it is for, nobody chooses but the person."""
    releases = views.offered(await visit.services.releases.list(visit.actor), visit.form.now, visit.form)
    asked = visit.request.query_params.get("release", "")
    ids = [each.id for each in releases]
    return await _page(visit, views.Draft(release=asked if asked in ids else next(iter(ids), "")))


async def _sent(visit: Visit, draft: views.Draft, *, begin: bool) -> Response:
    rollouts = visit.services.rollouts
    try:
        wanted = views.wanted(draft, visit.form)
        if begin:
            made = await rollouts.start(visit.actor, wanted)
            return back(f"/updates/{made.id}", "rollout_start")
        return await _page(visit, draft, seen=(await rollouts.preview(visit.actor, wanted), wanted))
    except Unclear as unclear:
        return await _page(visit, draft, unclear.problems)
    except LoaError as error:
        return await _page(visit, draft, problems_of(error, visit.form, FIELDS))


def add(router: APIRouter, site: Site) -> None:
    """Add the page and its two acts."""

    @router.get("/updates/new")
    async def ask(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        visit.require(Act.ROLLOUTS_START)
        return await _begun(visit)

    @router.post("/updates/new")
    async def send(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        visit.require(Act.ROLLOUTS_START)
        return await _sent(visit, views.read(typed), begin=typed.one("begin") == "yes")
