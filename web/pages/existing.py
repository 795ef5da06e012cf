"""What exists already, to be said or put into a form: searched without accents, and its card."""

import re

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller.errors import NotFoundError
from web.pages.sounds import existing, recording_card
from web.site import Site, Visit
from web.views import existing as views
from web.views.recordings import Recording

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8})*\Z")


async def said_card(visit: Visit, kind: str, known_id: str) -> views.Said | None:
    """Show a bulletin or a programme that is to be said; None: there is none for this person."""
    services = visit.services
    try:
        if kind == "bulletin":
            await visit.read_kinds()
            return views.bulletin(await services.bulletins.get(visit.actor, known_id), visit.form)
        return views.programme(await services.programmes.get(visit.actor, known_id), visit.form)
    except NotFoundError:
        return None


def language(asked: str) -> str:
    """Take the language that a recording is for; empty: the first of a form."""
    return asked if len(asked) <= 40 and _LANGUAGE.match(asked) else ""


def add(router: APIRouter, site: Site) -> None:
    """Add the parts."""

    @router.get("/say/existing")
    async def find(request: Request) -> HTMLResponse:
        visit, asked = await site.visit(request), request.query_params
        into = language(asked.get("into", ""))
        found = await existing(visit, asked.get("find", ""), into=into, written=asked.get("written") == "yes")
        return visit.fragment("_existing.html", existing=found)

    @router.get("/say/recordings/{recording_id}")
    async def recording(request: Request, recording_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        found = await recording_card(visit, recording_id)
        gone = Recording(recording_id, "", "rejected", why=visit.text("recording.gone"))
        into = language(request.query_params.get("into", ""))
        return visit.fragment("_recording.html", recording=found or gone, into=into)

    @router.get("/say/bulletins/{bulletin_id}")
    async def bulletin(request: Request, bulletin_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_said.html", said=await said_card(visit, "bulletin", bulletin_id))

    @router.get("/say/programmes/{programme_id}")
    async def programme(request: Request, programme_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_said.html", said=await said_card(visit, "programme", programme_id))
