"""Chương trình: the list, one programme put together by hand, and what may come into it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.errors import LoaError, NotFoundError
from controller.paging import Wanted
from controller.people.rights import Act
from controller.programmes.schemas import (
    CopyIn,
    FillIn,
    OrderIn,
    ProgrammeChange,
    ProgrammeIn,
    ProgrammeOut,
)
from web.forms import MOST_VERSION, Form, number_of, read_form
from web.listing import Asked, Filter, Listing, Rows, in_parts
from web.pages.arranging import Held, asking, brought, change_of, confirmed, held_back
from web.pages.bulletins import categories
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.problems import problem_text, problems_of
from web.site import Site, Visit
from web.views import library
from web.views import programmes as views
from web.views.airings import airing_lines
from web.views.handing_down import may_hold
from web.views.places import choices

FIELDS = frozenset({"title", "area_id"})
HEADS = ("name", "items", "changed", "place")
MOST_CHOICES = 20
SOURCES = ("bulletins", "recordings")
"""What items are chosen from."""


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return library.programme_filters(visit.areas, visit.text)


async def _read(visit: Visit, wish: Asked) -> Rows[library.Row]:
    found, names = await visit.services.programmes.find(visit.actor, wish.wanted()), _names(visit)
    return Rows(tuple(library.programme_row(each, names, visit.form) for each in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    names = _names(visit)
    async for each in in_parts(partial(visit.services.programmes.find, visit.actor), wish.wanted()):
        row = library.programme_row(each, names, visit.form)
        yield [row.title, *row.cells, row.said]


def _names(visit: Visit) -> dict[str, str]:
    return {area.id: area.name for area in visit.areas}


async def _making(visit: Visit, _listing: Listing[library.Row]) -> dict[str, Any]:
    places = visit.places(Act.PROGRAMMES_WRITE)
    blank = {"title": "", "area_id": places[0].id if places else "", "template": False}
    return {"areas": choices(places), "form": blank, "problems": {}}


MANY = Many(
    path="/programmes",
    title="programmes.title",
    template="programmes.html",
    fragment="_programmes.html",
    live=Live("programmes", "programme", tick=0),
    columns=library.PROGRAMME_COLUMNS,
    sort="changed",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("chuong-trinh", tuple(f"programmes.{head}" for head in HEADS), _lines),
    around=_making,
)


def _may_write(visit: Visit, known: ProgrammeOut) -> bool:
    return known.archived_at is None and visit.may(Act.PROGRAMMES_WRITE, known.area_id)


async def _context(visit: Visit, known: ProgrammeOut, waits: Held | str = "") -> dict[str, Any]:
    """Give what the part of the page shows that changes with the items. ``waits``: why nothing was changed."""
    may_write, asked = _may_write(visit, known), confirmed(visit)
    bring = await _brought(visit, known) if may_write else None
    airings = await visit.services.airings.of_programme(visit.actor, known.id)
    await visit.read_kinds(known.area_id)
    may_plan = may_write and visit.may(Act.SCHEDULES_WRITE) and (known.session_ms is not None or known.is_template)
    shown = views.one(known, visit.form)
    return {
        "programme": shown,
        "bring": bring,
        "asking": asking(visit, bring[0] if bring else ""),
        "numbered": [(str(each.position), f"{each.position + 1}. {each.title}") for each in shown.items],
        "is_template": known.is_template,
        "may_write": may_write,
        "may_change": may_write and (not airings or bool(asked)),
        "airings": airing_lines(airings, visit.form),
        "asked": asked,
        "held": waits if isinstance(waits, Held) else None,
        "may_plan": may_plan,
        "may_say": _is_sayable(known) and visit.may(Act.BROADCASTS_CREATE),
        "problem": waits if isinstance(waits, str) else "",
    }


async def _brought(visit: Visit, known: ProgrammeOut) -> tuple[str, str] | None:
    """Give the bulletin, by id and title, that somebody comes to put in; None: none that may stand here."""
    bulletin_id = brought(visit)
    if not bulletin_id or any(each.bulletin_id == bulletin_id for each in known.items):
        return None
    with suppress(NotFoundError):
        found = await visit.services.bulletins.get(visit.actor, bulletin_id)
        fits = may_hold(found, known.area_id, visit.areas, visit.form.now)
        return (found.id, found.title) if found.state == "approved" and fits else None
    return None


def _is_sayable(known: ProgrammeOut) -> bool:
    return known.session_ms is not None and known.archived_at is None and not known.is_template


async def _choices(visit: Visit, known: ProgrammeOut) -> dict[str, Any]:
    """Find what may come in, by the words and the kind that the address says."""
    query = visit.request.query_params
    asked_for = query.get("of", "")
    source = asked_for if asked_for in SOURCES else SOURCES[0]
    wanted = Wanted(" ".join(query.get("q", "")[:200].split()), limit=MOST_CHOICES, down=True)
    services, actor = visit.services, visit.actor
    if source == "bulletins":
        await visit.read_kinds()
        approved = replace(wanted, having={"state": "approved", "for": known.area_id})
        bulletins = await services.bulletins.find(actor, approved)
        total, found = bulletins.total, views.choices(bulletins.rows, (), visit.form)
    else:
        recordings = await services.library.find(actor, replace(wanted, having={"state": "ready"}))
        total, found = recordings.total, views.choices((), recordings.rows, visit.form)
    return {
        "source": source,
        "query": wanted.q,
        "found": found,
        "more": max(0, total - len(found)),
        "id": known.id,
        "asking": asking(visit, brought(visit)),
    }


async def _one(visit: Visit, programme_id: str, waits: Held | str = "") -> HTMLResponse:
    known = await visit.services.programmes.get(visit.actor, programme_id)
    shown = await _context(visit, known, waits)
    slots = await visit.services.programmes.slots(visit.actor, programme_id) if known.is_template else ()
    choosing = await _choices(visit, known) if shown["may_change"] else {}
    return await whole_page(
        visit,
        "programme.html",
        place=visit.name_of(known.area_id),
        status=422 if shown["problem"] else 200,
        may_copy=visit.may(Act.PROGRAMMES_WRITE),
        sources=[(each, visit.text(f"programmes.of_{each}")) for each in SOURCES],
        categories=await categories(visit) if known.is_template else [],
        slots=slots,
        **(choosing | shown),
    )


async def _create(visit: Visit, typed: Form) -> Response:
    title, area_id, is_template = typed.one("title").strip(), typed.one("area_id"), typed.one("template") == "yes"
    shown = {"title": title, "area_id": area_id, "template": is_template}
    if not title:
        return await MANY.page(visit, form=shown, problems={"title": visit.text("wrong.name_empty")})
    wanted = ProgrammeIn(area_id=area_id[:64], title=title[:1000], is_template=is_template)
    try:
        made = await visit.services.programmes.create(visit.actor, wanted)
    except LoaError as error:
        return await MANY.page(visit, form=shown, problems=problems_of(error, visit.form, FIELDS))
    return back(f"/programmes/{made.id}", "saved")


async def _act(visit: Visit, known: ProgrammeOut, typed: Form) -> str:
    """Do what was asked; gives the programme to go to."""
    programmes, version = visit.services.programmes, number_of(typed.one("version"), most=MOST_VERSION)
    match typed.one("act"):
        case "rename":
            change = ProgrammeChange(version=version or known.version, title=typed.one("title")[:1000])
            await programmes.change(visit.actor, known.id, change)
        case "copy":
            slots = [each.position for each in known.items if each.kind == "slot"]
            fill = [FillIn(position=each, bulletins=typed.many(f"slot-{each}")) for each in slots]
            made = await programmes.copy(visit.actor, known.id, CopyIn(title=typed.one("title")[:1000], fill=fill))
            return made.id
        case "archive":
            await programmes.archive(visit.actor, known.id)
        case other:
            raise NotFoundError("there is no such act", resource="programmes", id=other[:64])
    return known.id


async def _again(visit: Visit, programme_id: str, waits: Held | str = "") -> HTMLResponse:
    """Show the items as they are now, to the script that asked for a change."""
    known = await visit.services.programmes.get(visit.actor, programme_id)
    return visit.fragment("_programme.html", **await _context(visit, known, waits))


async def _waits(visit: Visit, known: ProgrammeOut, wanted: ProgrammeChange | OrderIn, typed: Form) -> Held | str:
    """Say why a change of what is on air is not made yet; empty: it is."""
    if not await visit.services.airings.of_programme(visit.actor, known.id):
        return ""
    if not confirmed(visit):
        return visit.text("airings.programme_first")
    return await held_back(visit, known, wanted, typed) or ""


async def _done(visit: Visit, programme_id: str, typed: Form) -> Response:
    """Do what was asked of a programme; a script gets the items back, anybody else a page."""
    programmes, known = visit.services.programmes, await visit.services.programmes.get(visit.actor, programme_id)
    show = _again if "hx-request" in visit.request.headers else _one
    try:
        wanted = change_of(known, typed)
        if wanted is None:
            return back(f"/programmes/{await _act(visit, known, typed)}", "saved")
        if waits := await _waits(visit, known, wanted, typed):
            return await show(visit, programme_id, waits)
        if isinstance(wanted, OrderIn):
            await programmes.reorder(visit.actor, programme_id, wanted)
        else:
            await programmes.change(visit.actor, programme_id, wanted)
    except NotFoundError:
        raise
    except LoaError as error:
        return await show(visit, programme_id, problem_text(error, visit.form))
    if show is _again:
        return await _again(visit, programme_id)
    bring = brought(visit)
    if query := asking(visit, "" if typed.one("chosen") == bring else bring):
        return RedirectResponse(f"/programmes/{programme_id}{query}&done=saved", 303)
    return back(f"/programmes/{programme_id}", "saved")


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    add_many(router, site, MANY)

    @router.post("/programmes")
    async def create(request: Request) -> Response:
        visit = await site.visit(request)
        return await _create(visit, await read_form(request))

    @router.get("/programmes/{programme_id}")
    async def one(request: Request, programme_id: str) -> HTMLResponse:
        return await _one(await site.visit(request), programme_id)

    @router.get("/programmes/{programme_id}/live")
    async def live(request: Request, programme_id: str) -> HTMLResponse:
        return await _again(await site.visit(request), programme_id)

    @router.get("/programmes/{programme_id}/choices")
    async def choosing(request: Request, programme_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known = await visit.services.programmes.get(visit.actor, programme_id)
        if not _may_write(visit, known):
            raise NotFoundError("there is nothing to choose", resource="programmes", id=programme_id[:64])
        return visit.fragment("_choices.html", **await _choices(visit, known))

    @router.post("/programmes/{programme_id}")
    async def act(request: Request, programme_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        return await _done(visit, programme_id, typed)
