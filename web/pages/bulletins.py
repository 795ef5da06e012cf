"""Bản tin: the list, one bulletin with its voices, writing and changing one, and its way to a yes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.bulletins.schemas import MAX_TEXT, BulletinChange, BulletinIn, BulletinOut, ReturnIn, VersionSeen
from controller.errors import LoaError, NotFoundError
from controller.people.rights import Act
from web.forms import MOST_VERSION, Form, number_of, read_form
from web.pages.frame import back, whole_page
from web.pages.sounds import DEFAULT_LANGUAGES, recording_card, voices_context
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import bulletins as views
from web.views.places import choices
from web.views.voices import blank, languages_of

FIELDS = frozenset({"title", "voices", "recording", "area_id", "category", "author", "source", "document_number"})


def _languages(visit: Visit, area_id: str, known: BulletinOut | None) -> list[str]:
    place = next((area for area in visit.areas if area.id == area_id), visit.areas[0] if visit.areas else None)
    asked: Sequence[str] = (place.effective.languages if place else ()) or DEFAULT_LANGUAGES
    return languages_of(asked, known.voices if known else ())


def _language_names(visit: Visit, languages: Sequence[str]) -> dict[str, str]:
    return {each: visit.text.word("spoken", each) for each in languages}


async def _list(visit: Visit, query: str) -> HTMLResponse:
    found = await visit.services.bulletins.list(visit.actor, query=query, limit=100)
    may_write = visit.may(Act.BULLETINS_WRITE)
    lines = [views.line(each, visit.form) for each in found]
    return await whole_page(visit, "bulletins.html", lines=lines, query=query, may_write=may_write)


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
    }
    return [act for act, offer in offered.items() if offer]


async def _one(visit: Visit, bulletin_id: str, problem: str = "") -> HTMLResponse:
    known = await visit.services.bulletins.get(visit.actor, bulletin_id)
    found = views.one(known, _language_names(visit, [voice.language for voice in known.voices]), visit.form)
    recordings = [each.recording_id for each in found.voices if each.recording_id]
    cards = {each: await recording_card(visit, each) for each in recordings}
    acts = _acts(visit, known)
    status, place = 422 if problem else 200, visit.name_of(known.area_id)
    return await whole_page(
        visit, "bulletin.html", place=place, status=status, bulletin=found, cards=cards, acts=acts, problem=problem
    )


async def categories(visit: Visit, *chosen: str) -> list[tuple[str, str]]:
    """Give what bulletins in sight may be about, code and word, with what is ``chosen`` already."""
    found = {each.code: each.name for each in await visit.services.policies.categories(visit.actor)}
    words = {code: name or visit.text.word("category", code) for code, name in found.items()}
    words |= {code: visit.text.word("category", code) for code in chosen if code not in words}
    return list(words.items())


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
        areas=choices(visit.places(Act.BULLETINS_WRITE)),
        categories=await categories(visit, draft.category),
        path=f"/bulletins/{known.id}/edit" if known else "/bulletins/new",
        leave=f"/bulletins/{known.id}" if known else "/bulletins",
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
        places = visit.places(Act.BULLETINS_WRITE)
        area_id = places[0].id if places else ""
        voices = blank(_languages(visit, area_id, None))
        return await _form(visit, views.Draft(area_id=area_id, voices=voices), None, {})

    @router.post("/bulletins/new")
    async def create(request: Request) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        return await _save(visit, views.read_draft(typed, _languages(visit, typed.one("area_id"), None)), None)

    @router.get("/bulletins/{bulletin_id}/edit")
    async def edit(request: Request, bulletin_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known = await visit.services.bulletins.get(visit.actor, bulletin_id)
        return await _form(visit, views.draft_of(known, _languages(visit, known.area_id, known)), known, {})

    @router.post("/bulletins/{bulletin_id}/edit")
    async def change(request: Request, bulletin_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        known = await visit.services.bulletins.get(visit.actor, bulletin_id)
        return await _save(visit, views.read_draft(typed, _languages(visit, known.area_id, known)), known)


def _add_reading(router: APIRouter, site: Site) -> None:
    @router.get("/bulletins")
    async def all_of_them(request: Request) -> HTMLResponse:
        return await _list(await site.visit(request), request.query_params.get("q", "").strip()[:200])

    @router.get("/bulletins/{bulletin_id}")
    async def one(request: Request, bulletin_id: str) -> HTMLResponse:
        return await _one(await site.visit(request), bulletin_id)

    @router.post("/bulletins/{bulletin_id}")
    async def act(request: Request, bulletin_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        try:
            await _act(visit, bulletin_id, typed)
        except NotFoundError:
            raise
        except LoaError as error:
            return await _one(visit, bulletin_id, problem_text(error, visit.form))
        return back(f"/bulletins/{bulletin_id}", "saved")
