"""Bản tin: the list, one bulletin with its voices, writing and changing one, and its way to a yes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.bulletins.schemas import MAX_TEXT, BulletinChange, BulletinIn, BulletinOut, ReturnIn, VersionSeen
from controller.errors import LoaError, NotFoundError
from controller.people.rights import Act
from controller.recordings.schemas import ReadingIn
from web.forms import MOST_VERSION, Form, number_of, read_form
from web.listing import Asked, Filter, Listing, Rows, in_parts
from web.pages import handing_down
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.pages.sounds import DEFAULT_LANGUAGES, recording_card, voices_context
from web.pages.trying import VOICES, changed_since, read_aloud, spoken
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import bulletins as views
from web.views import library
from web.views.airings import Airing, airing_lines
from web.views.places import choices
from web.views.voices import begun_with, blank, languages_of

HEADS = ("name", "state", "category", "saved_head", "area", "field_author", "field_document_number")
FIELDS = frozenset({"title", "voices", "recording", "area_id", "category", "author", "source", "document_number"})


def _languages(visit: Visit, area_id: str, known: BulletinOut | None) -> list[str]:
    place = next((area for area in visit.areas if area.id == area_id), visit.areas[0] if visit.areas else None)
    asked: Sequence[str] = (place.effective.languages if place else ()) or DEFAULT_LANGUAGES
    return languages_of(asked, known.voices if known else ())


def _language_names(visit: Visit, languages: Sequence[str]) -> dict[str, str]:
    return {each: visit.text.word("spoken", each) for each in languages}


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return library.bulletin_filters(visit.areas, await categories(visit), visit.text)


async def _read(visit: Visit, wish: Asked) -> Rows[library.Row]:
    await visit.read_kinds()
    found = await visit.services.bulletins.find(visit.actor, wish.wanted())
    return Rows(tuple(library.bulletin_row(each, visit.form) for each in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    await visit.read_kinds()
    async for each in in_parts(partial(visit.services.bulletins.find, visit.actor), wish.wanted()):
        row = library.bulletin_row(each, visit.form)
        number = each.document_number or ""
        yield [row.title, row.mark.word if row.mark else "", *row.cells, row.said, each.author, number]


async def _beside(visit: Visit, listing: Listing[library.Row]) -> dict[str, Any]:
    first = visit.may(Act.PROGRAMMES_WRITE) and not listing.chosen and listing.asked.page == 1
    above = await handing_down.from_above(visit) if first else {"above": (), "above_count": 0}
    return {"may_write": visit.may(Act.BULLETINS_WRITE)} | above


MANY = Many(
    path="/bulletins",
    title="bulletins.title",
    template="bulletins.html",
    fragment="_bulletins.html",
    live=Live("bulletins", "bulletin", tick=0),
    columns=library.BULLETIN_COLUMNS,
    sort="saved",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("ban-tin", tuple(f"bulletins.{head}" for head in HEADS), _lines),
    around=_beside,
)


async def _reading(visit: Visit, language: str, text: str | None) -> str:
    """Write a text out as it is read aloud; empty: it is read as it stands, or nobody here reads it so."""
    if language != "vi" or not text or not visit.may(Act.RECORDINGS_UPLOAD):
        return ""
    try:
        said = (await visit.services.speech.read(visit.actor, ReadingIn(text=text))).said
    except LoaError:
        return ""
    return "" if said.split() == text.split() else said


def _acts(visit: Visit, known: BulletinOut) -> list[str]:
    """Name what this person can do with a bulletin as it is."""
    write, approve = visit.may(Act.BULLETINS_WRITE, known.area_id), visit.may(Act.APPROVALS_GIVE, known.area_id)
    if known.from_above or known.archived_at is not None:
        return []
    offered = {
        "submit": write and known.state == "draft",
        "approve": approve and known.state == "submitted",
        "return": approve and known.state in {"submitted", "approved"},
        "edit": write,
        "archive": write,
    } | handing_down.acts(visit, known)
    return [act for act, offer in offered.items() if offer]


async def _one(visit: Visit, bulletin_id: str, problem: str = "", typed: Form | None = None) -> HTMLResponse:
    known = await visit.services.bulletins.get(visit.actor, bulletin_id)
    await visit.read_kinds()
    readings = {each.language: await _reading(visit, each.language, each.text) for each in known.voices}
    names = _language_names(visit, [voice.language for voice in known.voices])
    found = views.one(known, names, visit.form, readings)
    recordings = [each.recording_id for each in found.voices if each.recording_id]
    cards = {each: await recording_card(visit, each) for each in recordings}
    unlike = {
        each.recording_id
        for each in known.voices
        if each.text and (card := cards.get(each.recording_id or "")) and changed_since(each.text, card)
    }
    acts = _acts(visit, known)
    airings = await silenced(visit, known) if {"return", "archive"} & {*acts} else []
    status, place = 422 if problem else 200, visit.name_of(known.area_id)
    return await whole_page(
        visit,
        "bulletin.html",
        place=place,
        status=status,
        bulletin=found,
        seen=_seen(known),
        is_older=False,
        is_ours=not known.from_above,
        cards=cards,
        unlike=unlike,
        acts=acts,
        airings=airings,
        may_say=_is_sayable(known) and visit.may(Act.BROADCASTS_CREATE),
        problem=problem,
        **await handing_down.part(visit, known, typed, problem),
    )


def _seen(known: BulletinOut) -> str:
    """Name what a page shows of a bulletin: when that is another, it is older than what its state says."""
    return f"{known.version}-{known.state}"


async def _state(visit: Visit, bulletin_id: str) -> HTMLResponse:
    """Say how it stands now, to a page that was opened before."""
    known = await visit.services.bulletins.get(visit.actor, bulletin_id)
    await visit.read_kinds()
    names, now = _language_names(visit, [voice.language for voice in known.voices]), _seen(known)
    found, seen = views.one(known, names, visit.form, {}), visit.request.query_params.get("seen", now)[:64]
    return visit.fragment("_bulletin_state.html", bulletin=found, seen=seen, is_older=seen != now)


def _is_sayable(known: BulletinOut) -> bool:
    return known.state == "approved" and any(each.media_url for each in known.voices)


async def silenced(visit: Visit, known: BulletinOut | None) -> list[Airing]:
    """Name the schedules that fall silent when a bulletin is no longer approved."""
    if known is None or known.state != "approved":
        return []
    return airing_lines(await visit.services.airings.of_bulletin(visit.actor, known.id), visit.form)


async def categories(visit: Visit, *chosen: str) -> list[tuple[str, str]]:
    """Give what bulletins in sight may be about, code and word, with what is ``chosen`` already."""
    await visit.read_kinds(visit.form.kinds_of)
    found = await visit.services.policies.categories(visit.actor)
    codes = dict.fromkeys([*(each.code for each in found), *chosen])
    return [(code, visit.form.kind(code)) for code in codes]


async def _form(
    visit: Visit, draft: views.Draft, known: BulletinOut | None, problems: Mapping[str, str]
) -> HTMLResponse:
    return await whole_page(
        visit,
        "bulletin_form.html",
        place=visit.name_of(known.area_id if known else None),
        status=422 if problems else 200,
        form=asdict(draft),
        problems={"form": ""} | dict(problems) if problems else {},
        airings=await silenced(visit, known),
        areas=choices(visit.places(Act.BULLETINS_WRITE)),
        categories=await categories(visit, draft.category),
        path=f"/bulletins/{known.id}/edit" if known else "/bulletins/new",
        leave=f"/bulletins/{known.id}" if known else "/bulletins",
        may_speak=visit.may(Act.RECORDINGS_UPLOAD),
        voice_names=[(code, visit.text(key)) for code, key in VOICES.items()],
        **await voices_context(visit, draft.voices, most_words=MAX_TEXT),
    )


async def _save(visit: Visit, draft: views.Draft, known: BulletinOut | None) -> Response:
    if lacks := views.missing(draft, visit.form):
        return await _form(visit, draft, known, lacks)
    wanted: dict[str, Any] = views.wanted(draft)
    bulletins, problems = visit.services.bulletins, Problems()
    try:
        if known is None:
            saved = await bulletins.create(visit.actor, BulletinIn(area_id=draft.area_id, **wanted))
        else:
            saved = await bulletins.change(visit.actor, known.id, BulletinChange(version=draft.version, **wanted))
    except ValueError:
        problems = {"form": visit.text("bulletins.cannot")}
    except LoaError as error:
        problems = problems_of(error, visit.form, FIELDS)
    return await _form(visit, draft, known, problems) if problems else back(f"/bulletins/{saved.id}", "saved")


async def _act(visit: Visit, bulletin_id: str, typed: Form) -> None:
    bulletins, version = visit.services.bulletins, number_of(typed.one("version"), most=MOST_VERSION) or 1
    match typed.one("act"):
        case "submit":
            await bulletins.submit(visit.actor, bulletin_id, VersionSeen(version=version))
        case "approve":
            await bulletins.approve(visit.actor, bulletin_id, VersionSeen(version=version))
        case "return":
            said = ReturnIn(version=version, reason=typed.one("reason")[:1000])
            await bulletins.return_(visit.actor, bulletin_id, said)
        case "archive":
            await bulletins.archive(visit.actor, bulletin_id)
        case "offer":
            await handing_down.offer(visit, bulletin_id, version, typed)
        case "end_offer":
            await bulletins.end_offer(visit.actor, bulletin_id)
        case other:
            raise NotFoundError("there is no such act", resource="bulletins", id=other[:64])


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    _add_writing(router, site)
    _add_reading(router, site)


def _add_writing(router: APIRouter, site: Site) -> None:
    @router.get("/bulletins/new")
    async def new(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        visit.require(Act.BULLETINS_WRITE)
        places, recording = visit.places(Act.BULLETINS_WRITE), request.query_params.get("recording", "")[:64]
        area_id = places[0].id if places else ""
        voices = blank(_languages(visit, area_id, None))
        card = await recording_card(visit, recording) if recording else None
        draft = views.Draft(area_id=area_id, voices=voices)
        if card is not None:
            draft = views.Draft(title=card.title, area_id=area_id, voices=begun_with(voices, recording))
        return await _form(visit, draft, None, {})

    @router.post("/bulletins/reading")
    async def reading(request: Request) -> HTMLResponse:
        visit, typed = await site.visit(request), await read_form(request)
        return await read_aloud(visit, typed.one("text-vi"), "vi")

    @router.post("/bulletins/speech")
    async def speech(request: Request) -> HTMLResponse:
        visit, typed = await site.visit(request), await read_form(request)
        return await spoken(visit, typed.one("text-vi"), typed.one("voice") or "vi")

    @router.post("/bulletins/new")
    async def create(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        return await _save(visit, views.read_draft(typed, _languages(visit, typed.one("area_id"), None)), None)

    @router.get("/bulletins/{bulletin_id}/edit")
    async def edit(request: Request, bulletin_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known = await visit.services.bulletins.get(visit.actor, bulletin_id)
        visit.require(Act.BULLETINS_WRITE, known.area_id)
        return await _form(visit, views.draft_of(known, _languages(visit, known.area_id, known)), known, {})

    @router.post("/bulletins/{bulletin_id}/edit")
    async def change(request: Request, bulletin_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        known = await visit.services.bulletins.get(visit.actor, bulletin_id)
        return await _save(visit, views.read_draft(typed, _languages(visit, known.area_id, known)), known)


def _add_reading(router: APIRouter, site: Site) -> None:
    add_many(router, site, MANY)

    @router.get("/bulletins/{bulletin_id}")
    async def one(request: Request, bulletin_id: str) -> HTMLResponse:
        return await _one(await site.visit(request), bulletin_id)

    @router.get("/bulletins/{bulletin_id}/live")
    async def live(request: Request, bulletin_id: str) -> HTMLResponse:
        return await _state(await site.visit(request), bulletin_id)

    @router.post("/bulletins/{bulletin_id}")
    async def act(request: Request, bulletin_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        try:
            await _act(visit, bulletin_id, typed)
        except NotFoundError:
            raise
        except LoaError as error:
            return await _one(visit, bulletin_id, problem_text(error, visit.form), typed)
        return back(f"/bulletins/{bulletin_id}", "saved")
