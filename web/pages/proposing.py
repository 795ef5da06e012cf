"""Phát khẩn cấp: what is to be said, to whom, how often; looked at, and proposed."""

from collections.abc import Mapping
from dataclasses import asdict, replace

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.emergencies.rules import MOST_REPEATS, act_for
from controller.emergencies.schemas import EmergencyIn
from controller.errors import LoaError
from controller.ids import new_id
from controller.people.proof import FIELD
from controller.people.rights import Act
from web.forms import number_of, read_form
from web.pages.frame import back, whole_page
from web.pages.sounds import record_words, recording_card, sound_context, until_ready
from web.pages.targets import to_choose
from web.pages.trying import MOST_TYPED, VOICES, changed_since, read_on_sending, unspoken, were_changed
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views import emergency_form as drafts
from web.views.say import covered

FIELDS = frozenset({"message", "targets", "title", "times", "reason", "again", FIELD})


def _wanted(visit: Visit, draft: drafts.Draft) -> EmergencyIn:
    return EmergencyIn.model_validate(drafts.wanted(draft, covered(draft.targets, visit.areas)))


async def _preview(visit: Visit, draft: drafts.Draft) -> drafts.Preview:
    if lacks := drafts.missing(draft, visit.form):
        return drafts.Preview(missing=next(iter(lacks.values())))
    chosen = await recording_card(visit, draft.recording) if draft.recording else None
    if chosen and changed_since(draft.text, chosen):
        return drafts.Preview(missing=visit.text("speech.changed"))
    try:
        found = await visit.services.emergencies.preview(visit.actor, _wanted(visit, draft))
    except LoaError as error:
        return drafts.Preview(missing=next(iter(problems_of(error, visit.form, FIELDS).values())))
    shown = drafts.preview(found, number_of(draft.times, most=MOST_REPEATS) or 1, visit.form)
    return replace(shown, warnings=(*unspoken(visit, draft.text, chosen), *shown.warnings))


async def _form(visit: Visit, draft: drafts.Draft, problems: Mapping[str, str], *, look: bool = False) -> HTMLResponse:
    begins = act_for(draft.drill)
    visit.require(begins)
    messages = await visit.services.messages.list(visit.actor)
    return await whole_page(
        visit,
        "emergency_form.html",
        status=422 if problems else 200,
        form=asdict(draft),
        problems={"form": ""} | dict(problems) if problems else {},
        messages=[drafts.choice(each, visit.form) for each in messages if each.kind == "alert"],
        places=await to_choose(visit, draft.targets, visit.places(begins)),
        counted_at=visit.form.hour(visit.form.now),  # what is chosen is counted anew by the preview, which is live
        ground=visit.services.tiles.ground,
        preview=await _preview(visit, draft) if look or problems else drafts.Preview(),
        may_write=visit.may(Act.MESSAGES_WRITE),
        may_speak=visit.may(Act.RECORDINGS_UPLOAD),
        voice_names=[(code, visit.text(key)) for code, key in VOICES.items()],
        record_words=record_words(visit),
        most_characters=MOST_TYPED,
        **await sound_context(visit, draft.recording),
    )


async def _propose(visit: Visit, draft: drafts.Draft) -> Response:
    changed = await were_changed(visit, draft.text, draft.recording)
    if changed or (draft.text.strip() and not draft.recording):
        return await _read_first(visit, draft, again=changed)
    if lacks := drafts.missing(draft, visit.form):
        return await _form(visit, draft, lacks)
    problems: Problems = {}
    await until_ready(visit, draft.recording)
    try:
        made = await visit.services.emergencies.propose(visit.actor, _wanted(visit, draft), idempotency_key=draft.key)
    except LoaError as error:
        problems = problems_of(error, visit.form, FIELDS)
    if problems:
        return await _form(visit, draft, problems)
    return back(f"/emergencies/{made.id}", "proposed_before" if made.is_repeat else "")


async def _read_first(visit: Visit, draft: drafts.Draft, *, again: bool) -> HTMLResponse:
    """Have the words read aloud that were typed, for their author to hear before they propose it."""
    made, said = await read_on_sending(visit, draft.text, draft.voice, again=again)
    if made is None:
        return await _form(visit, draft, drafts.missing(draft, visit.form) | {"message": said})
    draft = replace(draft, recording=made.id, title=draft.title or made.title)
    return await _form(visit, draft, {"recording": said} | drafts.missing(draft, visit.form))


def add(router: APIRouter, site: Site) -> None:
    """Add the form, and what it would do."""

    @router.get("/emergencies/new")
    async def new(request: Request) -> HTMLResponse:
        visit, drill = await site.visit(request), request.query_params.get("drill", "")
        return await _form(visit, drafts.Draft(key=new_id(), drill=drill if drill in drafts.DRILLS else ""), {})

    @router.post("/emergencies/new")
    async def propose(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        visit.prove(typed)
        draft = drafts.read_draft(typed)
        return await (_form(visit, draft, {}, look=True) if typed.one("look") else _propose(visit, draft))

    @router.post("/emergencies/preview")
    async def preview(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        found = await _preview(visit, drafts.read_draft(await read_form(request)))
        return visit.fragment("_emergency_preview.html", preview=found)
