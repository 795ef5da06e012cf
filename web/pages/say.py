"""Phát ngay, lên lịch: what, whom and when, the sentence of what will happen, and sending it once."""

from collections.abc import Mapping
from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.broadcasts.schemas import BroadcastIn
from controller.errors import InvalidError, LoaError
from controller.people.proof import FIELD
from web.forms import Unclear, read_form
from web.pages.bulletins import categories
from web.pages.frame import nodes_and_runs, whole_page
from web.pages.sounds import recording_card, sound_context
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import say as views
from web.views.places import tree
from web.views.recordings import Recording
from web.words import Mark

FIELDS = frozenset({"recording", "title", "targets", "day", "hour", FIELD})


def _wanted(draft: views.Draft, visit: Visit) -> BroadcastIn:
    return BroadcastIn.checked(
        title=draft.title,
        recordings=[draft.recording] if draft.recording else [],
        targets=views.covered(draft.targets, visit.areas),
        start_at=views.start_of(draft, visit.form),
        category=draft.category or None,
        during=draft.during or None if draft.when == "now" else None,
        confirm_unusual=draft.confirm_unusual,
        confirm_conflicts=draft.confirm_conflicts,
    )


async def _preview(visit: Visit, draft: views.Draft) -> views.Preview:
    form, button = visit.form, views.button(draft, visit.form)
    chosen = await recording_card(visit, draft.recording) if draft.recording else None
    if chosen is None or chosen.state == "rejected":
        return views.Preview(button=button, missing=form.text("say.missing_recording"))
    if lacks := views.missing(draft, form, processing=chosen.state == "processing"):
        return views.Preview(button=button, missing=lacks)
    try:
        wanted = _wanted(views.with_title(draft, chosen.title), visit)
        found = await visit.services.broadcasts.preview(visit.actor, wanted)
    except Unclear as unclear:
        return views.Preview(button=button, missing=next(iter(unclear.problems.values())))
    except InvalidError as error:
        wrong = Mark("triangle", "care", problem_text(error, form))
        return views.Preview(button=button, missing=form.text("say.look_again"), warnings=(wrong,))
    return views.preview(draft, found, form)


async def _page(visit: Visit, draft: views.Draft, problems: Problems, *, status: int = 200) -> HTMLResponse:
    nodes, runs = await nodes_and_runs(visit)
    form = visit.form
    return await whole_page(
        visit,
        "say.html",
        nodes=nodes,
        runs=runs,
        status=status,
        form=asdict(draft),
        problems={"form": ""} | problems if problems else {},
        places=tree(visit.areas, nodes, form, draft.targets),
        days=views.days(form),
        categories=await categories(visit, *([draft.category] if draft.category else [])),
        preview=await _preview(visit, draft),
        **await sound_context(visit, draft.recording),
    )


async def _send(visit: Visit, draft: views.Draft) -> Response:
    try:
        made = await visit.services.broadcasts.create(visit.actor, _wanted(draft, visit), idempotency_key=draft.key)
    except Unclear as unclear:
        return await _page(visit, draft, unclear.problems, status=422)
    except LoaError as error:
        return await _page(visit, draft, problems_of(error, visit.form, FIELDS), status=422)
    return RedirectResponse(f"/broadcasts/{made.id}", 303)


def _lacking(draft: views.Draft, visit: Visit) -> Mapping[str, str]:
    """Name all that was left out at once, not one at a time."""
    text = visit.text
    lacks = {
        "recording": "" if draft.recording else text("wrong.recording"),
        "title": "" if draft.title else text("wrong.title_empty"),
        "targets": "" if draft.targets else text("wrong.targets"),
        "hour": text("wrong.hour") if draft.when == "later" and not draft.hour else "",
    }
    return {field: said for field, said in lacks.items() if said}


def add(router: APIRouter, site: Site) -> None:
    """Add the page and its parts."""

    @router.get("/say")
    async def say(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return await _page(visit, views.empty_draft(request.query_params.get("when", ""), visit.form), {})

    @router.post("/say")
    async def send(request: Request) -> Response:
        visit = await site.visit(request)
        typed = await read_form(request)
        visit.prove(typed)
        draft = views.read_draft(typed)
        if lacking := _lacking(draft, visit):
            return await _page(visit, draft, dict(lacking), status=422)
        return await _send(visit, draft)

    @router.post("/say/preview")
    async def preview(request: Request) -> HTMLResponse:
        """Say what would happen; it is posted because a form with thousands of nodes fits no address."""
        visit = await site.visit(request)
        draft = views.read_draft(await read_form(request))
        return visit.fragment("_preview.html", preview=await _preview(visit, draft))

    @router.get("/say/recordings/{recording_id}")
    async def recording(request: Request, recording_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        found = await recording_card(visit, recording_id)
        gone = Recording(recording_id, "", "rejected", why=visit.text("recording.gone"))
        return visit.fragment("_recording.html", recording=found or gone)
