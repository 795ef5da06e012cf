"""Quy định phát thanh: what holds in an area and who says so, changing it, and what a change would change."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.areas.schemas import QuietWindow
from controller.errors import LoaError
from controller.people.proof import FIELD, CodeError
from controller.people.rights import Act
from controller.policies.schemas import PolicyIn, PolicyOut
from web.forms import Form, Unclear, read_form
from web.pages.bulletins import categories
from web.pages.frame import back, whole_page
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import policies as views
from web.views import policy_form as forms
from web.views.hours import Typed, spans_said
from web.views.kinds import kind_said
from web.views.places import choices
from web.views.whatif import Looked, looked

FIELDS = frozenset({"windows", "earliest", "night_hours", "night_cap", "alone_minutes", "alone_a_day", *forms.NUMBERS})
QUIET = frozenset({"quiet", FIELD})
NEW_ROWS = 3
"""Empty lines for categories that are to be added."""


async def _page(
    visit: Visit,
    area_id: str,
    *,
    draft: forms.Draft | None = None,
    problems: Mapping[str, str] | None = None,
    preview: Looked | None = None,
    quiet: Typed | None = None,
) -> HTMLResponse:
    """Show the rules; ``preview``: what saving ``draft``, or else the quiet hours, would change."""
    known = await visit.services.policies.get(visit.actor, area_id)
    draft = draft or forms.draft_of(known, await _offered(visit, area_id), visit.form)
    await visit.read_kinds(area_id)
    lines = views.lines(known, visit.form)
    named = await categories(
        visit, *draft.alone_categories, *(code for code, _ in draft.seconds if code != forms.EVERY)
    )
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
        form=asdict(draft) | {"numbers": dict(draft.numbers)},
        **_rows(visit, known, draft, named),
        categories=named,
        problems={"form": ""} | dict(problems) if problems else {},
        preview=preview if quiet is None else None,
        quiet=quiet if quiet is not None else _quiet_of(visit, area_id),
        quiet_preview=preview if quiet is not None else None,
        may_change=visit.may(Act.POLICIES_CHANGE, area_id),
        may_quiet=visit.may(Act.AREAS_CHANGE, area_id),
    )


def _rows(visit: Visit, known: PolicyOut, draft: forms.Draft, named: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Give the lines of the form that are one for each category."""
    every = [(forms.EVERY, visit.text("policies.second_every"))]
    levels = {"": "none", forms.EVERY: "any", "priority": "priority", "normal": "normal"}
    return {
        "second_words": ["", *forms.SECOND, forms.SOME],
        "seconds": [(code, name, dict(draft.seconds).get(code, "")) for code, name in [*every, *named]],
        "second_levels": [(value, visit.text(f"policies.second_row_{key}")) for value, key in levels.items()],
        "kinds": [*draft.categories, *[forms.Category("", "", "")] * NEW_ROWS],
        "has_own_kinds": known.rules.categories is not None,
    }


async def _offered(visit: Visit, area_id: str) -> forms.Named:
    """Give the categories that hold in an area, with their words."""
    found = await visit.services.policies.categories(visit.actor, area_id)
    return tuple((each.code, kind_said(each, visit.text)) for each in found)


def _quiet_of(visit: Visit, area_id: str) -> Typed:
    """Give the quiet hours that an area says itself."""
    hours = next((each.quiet_hours for each in visit.areas if each.id == area_id), None)
    return views.windows_said(hours), hours == ()


async def _save(visit: Visit, area_id: str, typed: Form) -> Response:
    policies, draft = visit.services.policies, forms.read_draft(typed)
    visit.require(Act.POLICIES_CHANGE, area_id)
    try:
        wanted = PolicyIn.model_validate(forms.wanted(draft, await policies.get(visit.actor, area_id), visit.form))
        found = await policies.preview(visit.actor, area_id, wanted)
        if waits := looked(typed, wanted.model_dump(mode="json"), found.changes, visit.form):
            return await _page(visit, area_id, draft=draft, preview=waits)
        await policies.put(visit.actor, area_id, wanted)
    except Unclear as unclear:
        return await _page(visit, area_id, draft=draft, problems=unclear.problems)
    except ValueError:
        return await _page(visit, area_id, draft=draft, problems={"form": visit.text("policies.cannot")})
    except LoaError as error:
        return await _page(visit, area_id, draft=draft, problems=problems_of(error, visit.form, FIELDS))
    return back(f"/policies/{area_id}", "saved")


async def _save_quiet(visit: Visit, area_id: str, typed: Form) -> Response:
    quiet = typed.one("quiet").strip(), typed.one("quiet_none") == "yes"
    visit.prove(typed)
    visit.require(Act.AREAS_CHANGE, area_id)
    try:
        said = spans_said(quiet, _quiet_of(visit, area_id), "quiet", visit.form)
        hours = None if said is None else [QuietWindow(**each) for each in said]
        found = await visit.services.area_what_ifs.of(visit.actor, area_id, quiet_hours=hours)
        if waits := looked(typed, said, found.changes, visit.form):
            return await _page(visit, area_id, preview=waits, quiet=quiet)
        await visit.services.areas.change(visit.actor, area_id, quiet_hours=hours)
    except Unclear as unclear:
        return await _page(visit, area_id, problems=unclear.problems, quiet=quiet)
    except LoaError as error:
        problems: Problems = {FIELD if isinstance(error, CodeError) else "quiet": problem_text(error, visit.form)}
        return await _page(visit, area_id, problems=problems, quiet=quiet)
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
        return await _save(await site.visit(request), area_id, await read_form(request))

    @router.post("/policies/{area_id}/quiet-hours")
    async def quiet_hours(request: Request, area_id: str) -> Response:
        return await _save_quiet(await site.visit(request), area_id, await read_form(request))
