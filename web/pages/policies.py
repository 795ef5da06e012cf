"""Quy định phát thanh: what holds in an area and who says so, changing it, and what a change would change."""

from collections.abc import Mapping
from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import LoaError
from controller.people.proof import FIELD, CodeError
from controller.people.rights import Act
from controller.policies.schemas import PolicyIn
from web.forms import Unclear, read_form
from web.pages.bulletins import categories
from web.pages.frame import back, whole_page
from web.problems import problem_text, problems_of
from web.site import Site, Visit
from web.views import policies as views
from web.views.dated import Told
from web.views.places import choices
from web.views.whatif import change_lines

FIELDS = frozenset({"windows", "earliest", "night_hours", "night_cap", "alone_minutes", "alone_a_day", *views.NUMBERS})


async def _page(
    visit: Visit,
    area_id: str,
    *,
    draft: views.Draft | None = None,
    problems: Mapping[str, str] | None = None,
    preview: list[Told] | None = None,
    quiet: str | None = None,
) -> HTMLResponse:
    known = await visit.services.policies.get(visit.actor, area_id)
    area = next((each for each in visit.areas if each.id == area_id), None)
    lines = views.lines(known, visit.form)
    form = asdict(draft or views.draft_of(known))
    return await whole_page(
        visit,
        "policy.html",
        status=422 if problems else 200,
        areas=choices(visit.areas),
        area_id=area_id,
        area_name=visit.name_of(area_id),
        place=visit.name_of(area_id),
        tab="policy",
        may_move=len(visit.areas) > 1 and visit.may(Act.AREAS_MOVE, area_id),
        lines=[line for line in lines if line.is_set],
        usual=[line for line in lines if not line.is_set],
        form=form | {"numbers": dict(form["numbers"])},
        categories=await categories(visit, *form["alone_categories"]),
        problems={"form": ""} | dict(problems) if problems else {},
        preview=preview,
        quiet=quiet if quiet is not None else views.windows_said(area.quiet_hours if area else None),
        may_change=visit.may(Act.POLICIES_CHANGE, area_id),
        may_quiet=visit.may(Act.AREAS_CHANGE, area_id),
    )


async def _save(visit: Visit, area_id: str, draft: views.Draft, *, look: bool) -> Response:
    policies = visit.services.policies
    try:
        wanted = PolicyIn.model_validate(views.wanted(draft, await policies.get(visit.actor, area_id), visit.form))
        if look:
            found = await policies.preview(visit.actor, area_id, wanted)
            return await _page(visit, area_id, draft=draft, preview=change_lines(found.changes, visit.form))
        await policies.put(visit.actor, area_id, wanted)
    except Unclear as unclear:
        return await _page(visit, area_id, draft=draft, problems=unclear.problems)
    except ValueError:
        return await _page(visit, area_id, draft=draft, problems={"form": visit.text("policies.cannot")})
    except LoaError as error:
        return await _page(visit, area_id, draft=draft, problems=problems_of(error, visit.form, FIELDS))
    return back(f"/policies/{area_id}", "saved")


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""

    @router.get("/policies")
    async def first(request: Request) -> Response:
        visit = await site.visit(request)
        wanted = request.query_params.get("area", "") or (visit.areas[0].id if visit.areas else "")
        return RedirectResponse(f"/policies/{wanted}" if wanted.isalnum() else "/places", 303)

    @router.get("/policies/{area_id}")
    async def policy(request: Request, area_id: str) -> HTMLResponse:
        return await _page(await site.visit(request), area_id)

    @router.post("/policies/{area_id}")
    async def change(request: Request, area_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        return await _save(visit, area_id, views.read_draft(typed), look=bool(typed.one("look")))

    @router.post("/policies/{area_id}/quiet-hours")
    async def quiet_hours(request: Request, area_id: str) -> Response:
        visit, form = await site.visit(request), await read_form(request)
        typed = form.one("quiet")
        visit.prove(form)
        try:
            hours = views.quiet_windows(typed, visit.form)
            await visit.services.areas.change(visit.actor, area_id, quiet_hours=hours)
        except Unclear as unclear:
            return await _page(visit, area_id, problems=unclear.problems, quiet=typed)
        except LoaError as error:
            field = FIELD if isinstance(error, CodeError) else "quiet"
            return await _page(visit, area_id, problems={field: problem_text(error, visit.form)}, quiet=typed)
        return back(f"/policies/{area_id}", "saved")
