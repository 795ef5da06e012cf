"""Ready messages: what lies on the nodes before an emergency; written, changed, put away."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.emergencies.schemas import MessageChange, MessageIn, MessageOut
from controller.errors import LoaError
from controller.people.rights import Act
from web.forms import MOST_VERSION, Form, number_of, read_form
from web.pages.frame import back, whole_page
from web.pages.sounds import sound_context
from web.problems import Problems, problems_of
from web.site import Site, Visit
from web.views.emergencies import choice
from web.views.places import choices

KINDS = ("alert", "all_clear", "false_alarm")
FIELDS = frozenset({"title", "area_id", "text", "recording"})
LANGUAGE = "vi"


def _typed(typed: Form) -> dict[str, str]:
    names = ("title", "area_id", "kind", "text", "recording", "version")
    return {name: typed.one(name).strip() for name in names}


def _of(known: MessageOut) -> dict[str, str]:
    voice = known.voices[0]
    return {
        "title": known.title,
        "area_id": known.area_id,
        "kind": str(known.kind),
        "text": voice.text,
        "recording": voice.recording_id or "",
        "version": str(known.version),
    }


async def _list(visit: Visit) -> HTMLResponse:
    found = [choice(each, visit.form) for each in await visit.services.messages.list(visit.actor)]
    kinds = [(kind, [each for each in found if each.kind == kind]) for kind in KINDS]
    may_write = visit.may(Act.MESSAGES_WRITE)
    return await whole_page(visit, "messages.html", kinds=kinds, may_write=may_write)


async def _form(visit: Visit, form: Mapping[str, str], message_id: str, problems: Problems) -> HTMLResponse:
    return await whole_page(
        visit,
        "message_form.html",
        status=422 if problems else 200,
        form=form,
        message_id=message_id,
        problems={"form": ""} | problems if problems else {},
        kinds=KINDS,
        areas=choices(visit.places(Act.MESSAGES_WRITE)),
        **await sound_context(visit, form["recording"]),
    )


def _voices(form: Mapping[str, str], known: MessageOut | None) -> list[dict[str, Any]]:
    """Give the voices: the first as typed, other languages as they were."""
    first = known.voices[0].language if known else LANGUAGE
    typed = {"language": first, "text": form["text"], "recording_id": form["recording"] or None}
    return [typed, *(voice.model_dump() for voice in (known.voices[1:] if known else ()))]


async def _save(visit: Visit, typed: Form, known: MessageOut | None) -> Response:
    form, messages, problems = _typed(typed), visit.services.messages, Problems()
    if not form["text"] and not form["recording"]:
        problems["text"] = visit.text("bulletins.voices_empty")
        return await _form(visit, form, known.id if known else "", problems)
    said = {"title": form["title"], "voices": _voices(form, known)}
    try:
        if known is None:
            wanted = {"area_id": form["area_id"], "kind": form["kind"]}
            await messages.create(visit.actor, MessageIn.model_validate(wanted | said))
        else:
            version = number_of(form["version"], most=MOST_VERSION) or known.version
            await messages.change(visit.actor, known.id, MessageChange.model_validate({"version": version} | said))
    except ValueError:
        problems = {"form": visit.text("bulletins.cannot")}
    except LoaError as error:
        problems = problems_of(error, visit.form, FIELDS)
    return await _form(visit, form, known.id if known else "", problems) if problems else back("/messages", "saved")


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""

    @router.get("/messages")
    async def all_of_them(request: Request) -> HTMLResponse:
        return await _list(await site.visit(request))

    @router.get("/messages/new")
    async def new(request: Request) -> HTMLResponse:
        visit, kind = await site.visit(request), request.query_params.get("kind", "")
        places = visit.places(Act.MESSAGES_WRITE)
        form = dict.fromkeys(("title", "text", "recording", "version"), "")
        form |= {"kind": kind if kind in KINDS else KINDS[0], "area_id": places[0].id if places else ""}
        return await _form(visit, form, "", {})

    @router.post("/messages/new")
    async def create(request: Request) -> Response:
        visit = await site.visit(request)
        return await _save(visit, await read_form(request), None)

    @router.get("/messages/{message_id}")
    async def edit(request: Request, message_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return await _form(visit, _of(await visit.services.messages.get(visit.actor, message_id)), message_id, {})

    @router.post("/messages/{message_id}")
    async def change(request: Request, message_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        if typed.one("act") == "archive":
            await visit.services.messages.archive(visit.actor, message_id)
            return back("/messages", "ended")
        return await _save(visit, typed, await visit.services.messages.get(visit.actor, message_id))
