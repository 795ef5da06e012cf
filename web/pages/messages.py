"""Ready messages: what lies on the nodes before an emergency; written, changed, put away."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.emergencies.schemas import MAX_TEXT, MessageChange, MessageIn, MessageOut
from controller.errors import LoaError
from controller.names import in_reading_order
from controller.paging import part_of
from controller.people.rights import Act
from web.forms import MOST_VERSION, Form, number_of, read_form
from web.listing import Asked, Column, Filter, Listing, Rows, chosen
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.pages.sounds import DEFAULT_LANGUAGES, voices_context
from web.pages.trying import VOICES
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views.emergency_form import choice
from web.views.model_texts import LANGUAGE, MODELS, model
from web.views.places import choices
from web.views.voices import NOTHING, Voices, blank, languages_of, of, read

KINDS = ("alert", "all_clear", "false_alarm", "drill")
COLUMNS = (
    Column("title", "messages.name"),
    Column("kind", "messages.kind"),
    Column("place", "messages.area"),
    Column("said", "messages.said", sort=False),
)
HEADS = ("name", "kind", "area", "said", "words")
SORTS: Mapping[str, Callable[[MessageOut], Any]] = {
    "title": lambda each: in_reading_order(each.title),
    "kind": lambda each: (KINDS.index(each.kind), in_reading_order(each.title)),
    "place": lambda each: (in_reading_order(each.area_name), in_reading_order(each.title)),
}
FIELDS = frozenset({"title", "area_id", "voices", "recording"})


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed."""

    kind: str = KINDS[0]
    area_id: str = ""
    title: str = ""
    voices: Voices = NOTHING
    version: int = 0


def _languages(visit: Visit, area_id: str, known: MessageOut | None) -> list[str]:
    """Give the languages of a form: those that are there, of its area, and of all places that may hear it."""
    places = sorted(visit.areas, key=lambda area: area.id != area_id)
    asked = [language for area in places for language in area.effective.languages]
    return languages_of(asked or DEFAULT_LANGUAGES, known.voices if known else ())


def _typed(typed: Form, languages: Sequence[str]) -> Draft:
    return Draft(
        kind=typed.one("kind"),
        area_id=typed.one("area_id"),
        title=typed.one("title").strip(),
        voices=read(typed, languages),
        version=number_of(typed.one("version"), most=MOST_VERSION) or 0,
    )


def _of(known: MessageOut, languages: Sequence[str]) -> Draft:
    return Draft(str(known.kind), known.area_id, known.title, of(known.voices, languages), known.version)


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return (Filter("kind", "messages.kind", tuple((kind, visit.text(f"message_kind.{kind}")) for kind in KINDS)),)


async def _of_all(visit: Visit, wish: Asked) -> list[MessageOut]:
    every = await visit.services.messages.list(visit.actor)
    return chosen(every, wish, _words, SORTS, {"kind": lambda each: str(each.kind)})


def _words(each: MessageOut) -> list[str | None]:
    return [each.title, each.area_name, *(voice.text for voice in each.voices)]


async def _read(visit: Visit, wish: Asked) -> Rows[MessageOut]:
    part = part_of(await _of_all(visit, wish), wish.wanted())
    return Rows(part.rows, part.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    for each in await _of_all(visit, wish):
        shown, kind = choice(each, visit.form), visit.text(f"message_kind.{each.kind}")
        yield [each.title, kind, each.area_name, shown.said, " / ".join(shown.words)]


async def _within(visit: Visit, listing: Listing[MessageOut]) -> dict[str, Any]:
    shown = {each.id: choice(each, visit.form) for each in listing.rows}
    return {"shown": shown, "may_write": visit.may(Act.MESSAGES_WRITE)}


async def _lacking(visit: Visit, _listing: Listing[MessageOut] | None = None) -> dict[str, Any]:
    """Name the kinds of which none lies ready."""
    there = {str(each.kind) for each in await visit.services.messages.list(visit.actor)}
    return {"kinds": KINDS, "lacking": [kind for kind in KINDS if kind not in there]}


MANY = Many(
    path="/messages",
    title="messages.title",
    template="messages.html",
    fragment="_messages.html",
    live=Live("messages", "message recording area"),
    columns=COLUMNS,
    sort="kind",
    filters=_filters,
    read=_read,
    table=Table("ban-tin-khan-cap", tuple(f"messages.{head}" for head in HEADS), _lines),
    within=_within,
    around=_lacking,
)


async def _form(visit: Visit, draft: Draft, message_id: str, problems: Problems) -> HTMLResponse:
    return await whole_page(
        visit,
        "message_form.html",
        place=visit.name_of(draft.area_id if message_id else None),
        status=422 if problems else 200,
        form=asdict(draft),
        message_id=message_id,
        problems={"form": ""} | problems if problems else {},
        kinds=KINDS,
        areas=choices(visit.places(Act.MESSAGES_WRITE)),
        models=[] if message_id else [name for name in MODELS if model(draft.kind, name)],
        may_speak=visit.may(Act.RECORDINGS_UPLOAD),
        voice_names=[(code, visit.text(key)) for code, key in VOICES.items()],
        **await voices_context(visit, draft.voices, most_words=MAX_TEXT),
    )


async def _save(visit: Visit, draft: Draft, known: MessageOut | None) -> Response:
    messages = visit.services.messages
    lacks = {
        "title": "" if draft.title else visit.text("wrong.title_empty"),
        "voices": visit.text("bulletins.voices_empty") if draft.voices.are_empty else "",
    }
    if problems := {field: said for field, said in lacks.items() if said}:
        return await _form(visit, draft, known.id if known else "", problems)
    said = {"title": draft.title, "voices": draft.voices.wanted()}
    try:
        if known is None:
            wanted = {"area_id": draft.area_id, "kind": draft.kind}
            await messages.create(visit.actor, MessageIn.model_validate(wanted | said))
        else:
            version = draft.version or known.version
            await messages.change(visit.actor, known.id, MessageChange.model_validate({"version": version} | said))
    except ValueError:
        problems = {"form": visit.text("bulletins.cannot")}
    except LoaError as error:
        problems = problems_of(error, visit.form, FIELDS)
    return await _form(visit, draft, known.id if known else "", problems) if problems else back("/messages", "saved")


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    add_many(router, site, MANY)

    @router.get("/messages/lacking")
    async def lacking(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_messages_lacking.html", **await _lacking(visit))

    @router.get("/messages/new")
    async def new(request: Request) -> HTMLResponse:
        visit, kind = await site.visit(request), request.query_params.get("kind", "")
        visit.require(Act.MESSAGES_WRITE)
        places = visit.places(Act.MESSAGES_WRITE)
        area_id = places[0].id if places else ""
        kind = kind if kind in KINDS else KINDS[0]
        voices, found = blank(_languages(visit, area_id, None)), model(kind, request.query_params.get("model", ""))
        if found is not None:
            voices = replace(voices, texts=tuple((at, found.text if at == LANGUAGE else "") for at, _ in voices.texts))
        return await _form(visit, Draft(kind, area_id, found.title if found else "", voices), "", {})

    @router.post("/messages/new")
    async def create(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        return await _save(visit, _typed(typed, _languages(visit, typed.one("area_id"), None)), None)

    @router.get("/messages/{message_id}")
    async def edit(request: Request, message_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known = await visit.services.messages.get(visit.actor, message_id)
        visit.require(Act.MESSAGES_WRITE, known.area_id)
        return await _form(visit, _of(known, _languages(visit, known.area_id, known)), message_id, {})

    @router.post("/messages/{message_id}")
    async def change(request: Request, message_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        if typed.one("act") == "archive":
            await visit.services.messages.archive(visit.actor, message_id)
            return back("/messages", "ended")
        known = await visit.services.messages.get(visit.actor, message_id)
        return await _save(visit, _typed(typed, _languages(visit, known.area_id, known)), known)
