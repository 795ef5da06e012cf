"""Phát ngay, lên lịch: what, whom and when, the sentence of what will happen, and sending it once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.errors import ConflictError, InvalidError, LoaError
from controller.names import in_reading_order
from controller.nodes.rules import HEARD, NodeStatus
from controller.people.proof import FIELD
from controller.people.rights import Act
from web.formats import Formats
from web.forms import Unclear, hour_of, read_form
from web.pages import changing
from web.pages.bulletins import categories
from web.pages.existing import said_card
from web.pages.frame import whole_page
from web.pages.sounds import record_words, recording_card, sound_context, until_ready
from web.pages.targets import own_place, to_choose, whole_of
from web.pages.trying import (
    MOST_TYPED,
    VOICES,
    changed_since,
    read_aloud,
    read_on_sending,
    spoken,
    tried,
    unspoken,
    were_changed,
)
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import changing as changes
from web.views import say as views
from web.views.existing import Said
from web.views.hours import hour_wrong
from web.views.recordings import Recording
from web.words import Mark

FIELDS = frozenset({"recording", "bulletins", "programme", "items", "title", "targets", "day", "hour", FIELD})
GIVEN = ("recording", "bulletin", "programme")
"""What the address may say is to be said: that it comes from its own page."""
MOST_TO_TRY = 300
"""Nodes of which one can be chosen to try on."""


@dataclass(frozen=True)
class Chosen:
    """What is to be said: a recording, or a bulletin or programme."""

    recording: Recording | None = None
    said: Said | None = None

    @property
    def title(self) -> str:
        """Give its name; empty: there is nothing."""
        return next((each.title for each in (self.recording, self.said) if each), "")

    @property
    def level(self) -> Literal["normal", "priority"]:
        """Give the level at which it is said: a bulletin has its own."""
        return "priority" if self.said and self.said.is_priority else "normal"


async def _chosen(visit: Visit, draft: views.Draft) -> Chosen:
    if draft.recording:
        return Chosen(await recording_card(visit, draft.recording))
    if draft.bulletin:
        return Chosen(said=await said_card(visit, "bulletin", draft.bulletin))
    return Chosen(said=await said_card(visit, "programme", draft.programme)) if draft.programme else Chosen()


def _wanted(draft: views.Draft, visit: Visit, chosen: Chosen, known: BroadcastOut | None) -> BroadcastIn:
    form = visit.form
    times = changes.times(draft, known, form) if known else {"start_at": views.start_of(draft, form)}
    return BroadcastIn.checked(
        **draft.content,
        **times,
        title=draft.title,
        level="priority" if "priority" in {draft.level, chosen.level} else "normal",
        targets=views.covered(draft.targets, visit.areas),
        category=draft.category or None,
        during=draft.during or None if draft.when == "now" else None,
        confirm_unusual=draft.confirm_unusual,
        confirm_conflicts=draft.confirm_conflicts,
    )


def _not_yet(draft: views.Draft, chosen: Chosen, form: Formats) -> str:
    """Say what is in the way before anything can be foreseen; empty: nothing."""
    sound, said = chosen.recording, chosen.said
    if (sound is None or sound.state == "rejected") and said is None and not draft.keeps:
        return views.nothing_said(draft, form)
    if said and said.why:
        return said.why
    if sound and changed_since(draft.text, sound):
        return form.text("speech.changed")
    return views.missing(draft, form, processing=sound is not None and sound.state == "processing")


async def foreseen(visit: Visit, draft: views.Draft, known: BroadcastOut | None = None) -> views.Preview:
    """Say what sending it would do; ``known``: the broadcast that it would change."""
    found = await _foreseen(visit, draft, known)
    return replace(found, leave=f"/broadcasts/{known.id}") if known else found


async def _foreseen(visit: Visit, draft: views.Draft, known: BroadcastOut | None) -> views.Preview:
    form, button = visit.form, views.button(draft, visit.form)
    chosen = await _chosen(visit, draft)
    if lacks := _not_yet(draft, chosen, form):
        return views.Preview(button=button, missing=lacks)
    try:
        wanted = _wanted(views.with_title(draft, chosen.title), visit, chosen, known)
        found = await visit.services.broadcasts.preview(visit.actor, wanted, edits=known.id if known else None)
        otherwise = await changing.effects(visit, known, found) if known else ()
    except Unclear as unclear:
        return views.Preview(button=button, missing=next(iter(unclear.problems.values())))
    except (InvalidError, ConflictError) as error:
        wrong = Mark("triangle", "care", problem_text(error, form))
        return views.Preview(button=button, missing=form.text("say.to_mend"), warnings=(wrong,))
    area = own_place(visit) if draft.whole else None
    shown = views.preview(draft, found, form, area.name if area and area.scope == draft.whole else "")
    unheard = unspoken(visit, draft.text, chosen.recording or chosen.said)
    return replace(shown, warnings=(*otherwise, *unheard, *shown.warnings))


async def page(
    visit: Visit,
    draft: views.Draft,
    problems: Problems,
    known: BroadcastOut | None = None,
    *,
    status: int = 200,
    given: bool = False,
) -> HTMLResponse:
    """Show the form. ``known``: the broadcast that it changes; ``given``: what is said was chosen on another page."""
    form = visit.form
    whole = await whole_of(visit)
    if draft.whole and (whole is None or draft.whole != whole.scope):
        draft = replace(draft, whole="")  # not this person's to choose as one: it is shown in the tree
    chosen = () if draft.whole else draft.targets
    return await whole_page(
        visit,
        "say.html",
        status=status,
        form=asdict(draft) | {"targets": chosen},
        problems={"form": ""} | problems if problems else {},
        places=await to_choose(visit, chosen),
        ground=visit.services.tiles.ground,
        whole=whole,
        days=changes.days(views.days(form), draft.day, form),
        categories=await categories(visit, *([draft.category] if draft.category else [])),
        voices=[(code, form.text(key)) for code, key in VOICES.items()],
        most_characters=MOST_TYPED,
        record_words=record_words(visit),
        any_node=known is None and any(area.node_count for area in visit.areas),
        preview=await foreseen(visit, draft, known),
        said=None if draft.recording else (await _chosen(visit, draft)).said,
        given=given or known is not None or bool(draft.bulletin or draft.programme),
        kept=await changing.kept(visit, known) if known and draft.keeps else None,
        edits=known,
        **await sound_context(visit, draft.recording, written=True),
    )


async def _to_try(visit: Visit) -> list[tuple[str, str]]:
    """Give nodes on which it can be tried: where one may broadcast, those in contact first."""
    places = {area.id for area in visit.places(Act.BROADCASTS_CREATE)}
    stands = await visit.services.overview.stands(visit.actor)
    there = [each for each in stands if each.node.area_id in places and each.status is not NodeStatus.UNREPORTING]
    there.sort(key=lambda each: (each.status not in HEARD, in_reading_order(each.node.name), each.node.id))
    return [(f"nodes/{each.node.id}", each.node.name) for each in there[:MOST_TO_TRY]]


async def sent(visit: Visit, draft: views.Draft, known: BroadcastOut | None = None) -> Response:
    """Send what was typed, or show what is wrong with it; ``known``: the broadcast that it changes."""
    changed = await were_changed(visit, draft.text, draft.recording)
    if changed or (draft.text.strip() and not draft.content):
        return await _read_first(visit, draft, known, again=changed)
    if lacking := _lacking(draft, visit):
        return await page(visit, draft, dict(lacking), known, status=422)
    await until_ready(visit, draft.recording)
    try:
        wanted, broadcasts = _wanted(draft, visit, await _chosen(visit, draft), known), visit.services.broadcasts
        if known is None:
            made = await broadcasts.create(visit.actor, wanted, idempotency_key=draft.key)
        else:
            made = await broadcasts.change(visit.actor, known.id, wanted)
    except Unclear as unclear:
        return await page(visit, draft, unclear.problems, known, status=422)
    except LoaError as error:
        return await page(visit, draft, problems_of(error, visit.form, FIELDS), known, status=422)
    return RedirectResponse(f"/broadcasts/{made.id}", 303)


async def _read_first(visit: Visit, draft: views.Draft, known: BroadcastOut | None, *, again: bool) -> HTMLResponse:
    """Have the words read aloud that were typed, for their author to hear before they send them."""
    made, said = await read_on_sending(visit, draft.text, draft.voice, again=again)
    draft = views.with_title(replace(draft, recording=made.id, keeps=False), made.title) if made else draft
    return await page(visit, draft, dict(_lacking(draft, visit)) | {"recording": said}, known, status=422)


def _lacking(draft: views.Draft, visit: Visit) -> Mapping[str, str]:
    """Name all that was left out at once, not one at a time."""
    text = visit.text
    lacks = {
        "recording": "" if draft.content or draft.keeps else text("wrong.recording"),
        # what is chosen brings its name along
        "title": "" if draft.title or not (draft.content or draft.keeps) else text("wrong.title_empty"),
        "targets": "" if draft.targets else text("wrong.targets"),
        "hour": hour_wrong(draft.hour, visit.form) if draft.when == "later" and hour_of(draft.hour) is None else "",
    }
    return {field: said for field, said in lacks.items() if said}


def _add_parts(router: APIRouter, site: Site) -> None:
    """Add what the form asks for while it is filled in."""

    @router.post("/say/preview")
    async def preview(request: Request) -> HTMLResponse:
        """Say what would happen; it is posted because a form with thousands of nodes fits no address."""
        visit = await site.visit(request)
        draft = views.read_draft(await read_form(request))
        return visit.fragment("_preview.html", preview=await foreseen(visit, draft))

    @router.post("/say/reading")
    async def reading(request: Request) -> HTMLResponse:
        """Show a text as it would be read aloud."""
        visit = await site.visit(request)
        draft = views.read_draft(await read_form(request))
        return await read_aloud(visit, draft.text, draft.voice)

    @router.post("/say/speech")
    async def speech(request: Request) -> HTMLResponse:
        """Have a text read aloud; answers with the card of its recording."""
        visit = await site.visit(request)
        draft = views.read_draft(await read_form(request))
        return await spoken(visit, draft.text, draft.voice)

    @router.post("/say/trial")
    async def trial(request: Request) -> HTMLResponse:
        """Let one node play it."""
        visit = await site.visit(request)
        typed = await read_form(request)
        visit.prove(typed)
        confirmed = typed.one("confirm_trial") == "yes"
        return await tried(visit, views.read_draft(typed), typed.one("trial_node"), confirmed=confirmed)

    @router.get("/say/nodes")
    async def to_try(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_try_at.html", try_at=await _to_try(visit))


def add(router: APIRouter, site: Site) -> None:
    """Add the page and its parts."""

    @router.get("/say")
    async def say(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        visit.require(Act.BROADCASTS_CREATE)
        own, asked = own_place(visit), request.query_params
        draft = views.empty_draft(asked.get("when", ""), visit.form, own.scope if own else "")
        recording, bulletin, programme = (asked.get(kind, "")[:64] for kind in GIVEN)
        draft = replace(draft, recording=recording, bulletin=bulletin, programme=programme)
        if draft.content:
            draft = views.with_title(draft, (await _chosen(visit, draft)).title)
        return await page(visit, draft, {}, given=bool(draft.content))

    @router.post("/say")
    async def send(request: Request) -> Response:
        visit = await site.visit(request)
        typed = await read_form(request)
        visit.prove(typed)
        return await sent(visit, replace(views.read_draft(typed), keeps=False))

    _add_parts(router, site)
