"""Tệp âm thanh: the recordings' library, where each is used, and cutting."""

import json
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import LoaError, NotFoundError
from controller.http.middleware import SECURITY_HEADERS
from controller.people.rights import Act
from controller.recordings.schemas import CutIn, RecordingOut
from web.forms import Form, read_form
from web.listing import Asked, Filter, Listing, Rows, in_parts
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.pages.sounds import record_words, recording_card, upload_context
from web.problems import problem_text
from web.site import Site, Visit
from web.views import library as views
from web.views.airings import airing_lines

HEADS = ("name", "length", "origin", "added", "by", "file")
CSP = "Content-Security-Policy"
WAVE_STYLE = "'sha256-jyz+/aSLcvl4pJ7PjuSvFYlSCgBZG3DNB5lmp1dZ7ms='"
"""Of the style that wavesurfer 8.0.1 writes into its own corner of the page at a height of 80 px. A test opens the page
in a browser, which complains when this is not it."""


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return views.recording_filters(visit.areas, visit.text)


async def _read(visit: Visit, wish: Asked) -> Rows[views.Row]:
    found = await visit.services.library.find(visit.actor, wish.wanted())
    return Rows(tuple(views.recording_row(each, visit.form) for each in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    async for each in in_parts(partial(visit.services.library.find, visit.actor), wish.wanted()):
        row = views.recording_row(each, visit.form)
        yield [row.title, *row.cells, row.said, each.file_name]


async def _adding(visit: Visit, _listing: Listing[views.Row]) -> dict[str, Any]:
    if not visit.may(Act.RECORDINGS_UPLOAD):
        return {"may_add": False}
    return {"may_add": True, "record_words": record_words(visit)} | upload_context(visit)


MANY = Many(
    path="/recordings",
    title="recordings.title",
    template="recordings.html",
    fragment="_recordings.html",
    live=Live("recordings", "recording", tick=0),
    columns=views.RECORDING_COLUMNS,
    sort="added",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("ban-ghi-am", tuple(f"recordings.{head}" for head in HEADS), _lines),
    around=_adding,
)


def _acts(visit: Visit, known: RecordingOut) -> set[str]:
    """Name what this person can do with a recording as it is."""
    if known.withdrawn_at is not None:
        return set()
    ready, upload = known.state == "ready", Act.RECORDINGS_UPLOAD
    offered = {
        "say": ready and visit.may(Act.BROADCASTS_CREATE),
        "cut": ready and (visit.may(upload, known.area_id) if known.area_id else visit.may(upload)),
        "write": known.state != "rejected" and visit.may(Act.BULLETINS_WRITE),
        "withdraw": visit.may(Act.RECORDINGS_WITHDRAW, known.area_id),
    }
    return {act for act, offer in offered.items() if offer}


async def _one(visit: Visit, recording_id: str, problem: str = "") -> HTMLResponse:
    known = await visit.services.recordings.get(visit.actor, recording_id)
    uses = await visit.services.library.uses(visit.actor, recording_id)
    source, acts = await _source(visit, known.derived_from), _acts(visit, known)
    airings = await visit.services.airings.of_recording(visit.actor, recording_id) if "withdraw" in acts else []
    return await whole_page(
        visit,
        "recording.html",
        place=visit.name_of(known.area_id),
        status=422 if problem else 200,
        title=known.title,
        id=known.id,
        recording=await recording_card(visit, recording_id),
        facts=views.facts(known, visit.form),
        source=source,
        uses=views.uses(uses, visit.text),
        airings=airing_lines(airings, visit.form),
        acts=acts,
        problem=problem,
    )


async def _source(visit: Visit, recording_id: str | None) -> RecordingOut | None:
    """Give what a recording was cut out of, if this person may see that."""
    if recording_id is None:
        return None
    try:
        return await visit.services.recordings.get(visit.actor, recording_id)
    except NotFoundError:
        return None


async def _cut_page(
    visit: Visit, recording_id: str, pieces: Sequence[views.Piece] = (), title: str = "", problem: str = ""
) -> HTMLResponse:
    known = await visit.services.recordings.get(visit.actor, recording_id)
    if "cut" not in _acts(visit, known) or known.length_ms is None:
        raise NotFoundError("there is nothing to cut", resource="recordings", id=recording_id[:64])
    peaks = (await visit.services.recordings.waveform(visit.actor, recording_id)).peaks
    whole = [views.Piece(views.point(0), views.point(known.length_ms))]
    answer = await whole_page(
        visit,
        "recording_cut.html",
        place=visit.name_of(known.area_id),
        status=422 if problem else 200,
        known=known,
        length=visit.form.length(known.length_ms),
        peaks=json.dumps([round(each / 255, 3) for each in peaks]),
        pieces=list(pieces) or whole,
        most=views.MOST_PIECES,
        title=title or visit.text("recordings.cut_title", title=known.title)[:200],
        problem=problem,
    )
    answer.headers[CSP] = SECURITY_HEADERS[CSP].replace("style-src 'self'", f"style-src 'self' {WAVE_STYLE}")
    return answer


async def _cut(visit: Visit, recording_id: str, typed: Form) -> Response:
    pieces, title = views.read_pieces(typed), typed.one("title").strip()[:200]
    spans = views.spans(pieces)
    if not spans:
        problem = visit.text("recordings.cut_unclear" if pieces else "wrong.spans_ms_empty")
        return await _cut_page(visit, recording_id, pieces, title, problem)
    try:
        made = await visit.services.cutting.cut(visit.actor, recording_id, CutIn(spans_ms=spans, title=title))
    except NotFoundError:
        raise
    except LoaError as error:
        return await _cut_page(visit, recording_id, pieces, title, problem_text(error, visit.form))
    return back(f"/recordings/{made.id}", "recording_cut")


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    add_many(router, site, MANY)
    _add_one(router, site)


def _add_one(router: APIRouter, site: Site) -> None:
    @router.get("/recordings/{recording_id}")
    async def one(request: Request, recording_id: str) -> HTMLResponse:
        return await _one(await site.visit(request), recording_id)

    @router.post("/recordings/{recording_id}")
    async def act(request: Request, recording_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        if typed.one("act") != "withdraw":
            raise NotFoundError("there is no such act", resource="recordings", id=recording_id[:64])
        try:
            await visit.services.recordings.withdraw(visit.actor, recording_id)
        except NotFoundError:
            raise
        except LoaError as error:
            return await _one(visit, recording_id, problem_text(error, visit.form))
        return back("/recordings", "recording_withdrawn")

    @router.get("/recordings/{recording_id}/cut")
    async def cut_page(request: Request, recording_id: str) -> HTMLResponse:
        return await _cut_page(await site.visit(request), recording_id)

    @router.post("/recordings/{recording_id}/cut")
    async def cut(request: Request, recording_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        return await _cut(visit, recording_id, typed)
