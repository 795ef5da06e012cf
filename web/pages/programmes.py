"""Chương trình: the list, one programme put together by hand, and what may come into it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import InvalidError, LoaError, NotFoundError
from controller.paging import PAGE, Found, Wanted
from controller.people.rights import Act
from controller.programmes.schemas import (
    MAX_ITEMS,
    CopyIn,
    FillIn,
    ItemIn,
    OrderIn,
    ProgrammeChange,
    ProgrammeIn,
    ProgrammeOut,
)
from web.forms import MOST_VERSION, Form, number_of, read_form
from web.listing import Listing, asked, csv_answer, in_parts
from web.pages.bulletins import categories
from web.pages.frame import back, whole_page
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import library
from web.views import programmes as views
from web.views.places import choices

FIELDS = frozenset({"title", "area_id"})
HEADS = ("name", "items", "changed", "place")
MOST_CHOICES = 20
LONGEST_SILENCE_S = 60
SOURCES = ("bulletins", "recordings")
"""What items are chosen from."""


async def _listing(visit: Visit, limit: int = PAGE) -> Listing[library.Row]:
    filters = library.programme_filters(visit.areas, visit.text)
    wanted = asked(visit.request, library.PROGRAMME_COLUMNS, filters, sort="changed", down=True)
    found = await visit.services.programmes.find(visit.actor, wanted.wanted(limit))
    rows, default = _rows(visit, found), ("changed", True)
    return Listing("/programmes", library.PROGRAMME_COLUMNS, filters, wanted, rows, found.total, default=default)


def _rows(visit: Visit, found: Found[Any]) -> tuple[library.Row, ...]:
    names = {area.id: area.name for area in visit.areas}
    return tuple(library.programme_row(each, names, visit.form) for each in found.rows)


async def _table(visit: Visit, listing: Listing[library.Row]) -> AsyncIterator[Sequence[str]]:
    find, names = partial(visit.services.programmes.find, visit.actor), {area.id: area.name for area in visit.areas}
    async for each in in_parts(find, listing.asked.wanted()):
        row = library.programme_row(each, names, visit.form)
        yield [row.title, *row.cells, row.said]


async def _list(visit: Visit, typed: Mapping[str, Any], problems: Problems) -> HTMLResponse:
    return await whole_page(
        visit,
        "programmes.html",
        status=422 if problems else 200,
        listing=await _listing(visit),
        areas=choices(visit.places(Act.PROGRAMMES_WRITE)),
        form=typed,
        problems=problems,
    )


def _may_write(visit: Visit, known: ProgrammeOut) -> bool:
    return known.archived_at is None and visit.may(Act.PROGRAMMES_WRITE, known.area_id)


async def _context(visit: Visit, known: ProgrammeOut, problem: str = "") -> dict[str, Any]:
    """Give what the part of the page shows that changes with the items."""
    may_write = _may_write(visit, known)
    may_plan = may_write and visit.may(Act.SCHEDULES_WRITE) and (known.session_ms is not None or known.is_template)
    shown = views.one(known, visit.form)
    return {
        "programme": shown,
        "numbered": [(str(each.position), f"{each.position + 1}. {each.title}") for each in shown.items],
        "is_template": known.is_template,
        "may_write": may_write,
        "may_plan": may_plan,
        "problem": problem,
    }


async def _choices(visit: Visit, known: ProgrammeOut) -> dict[str, Any]:
    """Find what may come in, by the words and the kind that the address says."""
    query = visit.request.query_params
    asked_for = query.get("of", "")
    source = asked_for if asked_for in SOURCES else SOURCES[0]
    wanted = Wanted(" ".join(query.get("q", "")[:200].split()), limit=MOST_CHOICES, down=True)
    services, actor = visit.services, visit.actor
    if source == "bulletins":
        approved = replace(wanted, having={"state": "approved", "for": known.area_id})
        bulletins = await services.bulletins.find(actor, approved)
        total, found = bulletins.total, views.choices(bulletins.rows, (), visit.form)
    else:
        recordings = await services.library.find(actor, replace(wanted, having={"state": "ready"}))
        total, found = recordings.total, views.choices((), recordings.rows, visit.form)
    return {"source": source, "query": wanted.q, "found": found, "more": max(0, total - len(found)), "id": known.id}


async def _one(visit: Visit, programme_id: str, problem: str = "") -> HTMLResponse:
    known = await visit.services.programmes.get(visit.actor, programme_id)
    shown = await _context(visit, known, problem)
    slots = await visit.services.programmes.slots(visit.actor, programme_id) if known.is_template else ()
    choosing = await _choices(visit, known) if shown["may_write"] else {}
    return await whole_page(
        visit,
        "programme.html",
        place=visit.name_of(known.area_id),
        status=422 if problem else 200,
        may_copy=visit.may(Act.PROGRAMMES_WRITE),
        sources=[(each, visit.text(f"programmes.of_{each}")) for each in SOURCES],
        categories=await categories(visit) if known.is_template else [],
        slots=slots,
        **shown,
        **choosing,
    )


async def _create(visit: Visit, typed: Form) -> Response:
    title, area_id, is_template = typed.one("title").strip(), typed.one("area_id"), typed.one("template") == "yes"
    shown = {"title": title, "area_id": area_id, "template": is_template}
    if not title:
        return await _list(visit, shown, {"title": visit.text("wrong.name_empty")})
    wanted = ProgrammeIn(area_id=area_id[:64], title=title[:1000], is_template=is_template)
    try:
        made = await visit.services.programmes.create(visit.actor, wanted)
    except LoaError as error:
        return await _list(visit, shown, problems_of(error, visit.form, FIELDS))
    return back(f"/programmes/{made.id}", "saved")


def _item(typed: Form) -> ItemIn:
    """Read the item that is to be added.

    Raises:
        InvalidError: nothing was chosen.
    """
    kind, chosen = typed.one("kind"), typed.one("chosen")[:64]
    if kind == "bulletin" and chosen:
        return ItemIn.model_validate({"kind": "bulletin", "bulletin_id": chosen})
    if kind in {"tune", "recording"} and chosen:
        return ItemIn.model_validate({"kind": kind, "recording_id": chosen})
    if kind == "slot" and chosen:
        return _slot(chosen)
    seconds = number_of(typed.one("seconds"), most=10 * LONGEST_SILENCE_S)
    if kind == "pause" and seconds:
        return ItemIn.model_validate({"kind": "pause", "pause_ms": seconds * 1000})
    raise InvalidError("nothing was chosen", field="items", problem="nothing_chosen")


def _slot(category: str) -> ItemIn:
    try:
        return ItemIn.model_validate({"kind": "slot", "category": category})
    except ValueError:
        raise InvalidError("nothing was chosen", field="items", problem="nothing_chosen") from None


def _ordered(typed: Form, count: int, position: int) -> Sequence[int]:
    """Say how the items are to stand: all of them as they were dragged, or one of them moved."""
    if said := typed.one("order"):
        numbers = [number_of(each, most=MAX_ITEMS) for each in said.split(",")[: MAX_ITEMS + 1]]
        return [-1 if each is None else each for each in numbers]
    to = {
        "up": position - 1,
        "down": position + 1,
        "to": (number_of(typed.one("to"), most=MAX_ITEMS) or 1) - 1,
    }[typed.one("act")]
    return views.moved(count, position, to)


def _in_place(items: list[ItemIn], typed: Form, new: ItemIn) -> list[ItemIn]:
    """Put a new item where it was dropped, else at the end.

    Raises:
        InvalidError: there are as many as there may be.
    """
    if len(items) >= MAX_ITEMS:
        raise InvalidError("too many items", field="items", problem="too_many", most=MAX_ITEMS)
    at = number_of(typed.one("at"), most=len(items))
    where = len(items) if at is None else at
    return [*items[:where], new, *items[where:]]


async def _rearrange(visit: Visit, known: ProgrammeOut, typed: Form) -> bool:
    """Change what stands in it, and in which order; False: something else was asked."""
    programmes, actor, items = visit.services.programmes, visit.actor, views.items_in(known)
    position = number_of(typed.one("position"), most=len(items)) or 0
    version = number_of(typed.one("version"), most=MOST_VERSION) or known.version
    match typed.one("act"):
        case "add":
            new = _in_place(items, typed, _item(typed))
            await programmes.change(actor, known.id, ProgrammeChange(version=version, items=new))
        case "remove":
            kept = [each for number, each in enumerate(items) if number != position]
            await programmes.change(actor, known.id, ProgrammeChange(version=version, items=kept))
        case "order" | "up" | "down" | "to":
            order = _ordered(typed, len(items), position)
            if sorted(order) != list(range(len(items))):
                raise InvalidError("order: name every position once", field="order", problem="order")
            await programmes.reorder(actor, known.id, OrderIn(version=version, order=list(order)))
        case _:
            return False
    return True


async def _act(visit: Visit, known: ProgrammeOut, typed: Form) -> str:
    """Do what was asked; gives the programme to go to."""
    programmes, version = visit.services.programmes, number_of(typed.one("version"), most=MOST_VERSION)
    match typed.one("act"):
        case "silences":
            silences = {
                name: (number_of(typed.one(name), most=LONGEST_SILENCE_S) or 0) * 1000 for name in ("lead_in", "gap")
            }
            change = ProgrammeChange(
                version=version or known.version, lead_in_ms=silences["lead_in"], gap_ms=silences["gap"]
            )
            await programmes.change(visit.actor, known.id, change)
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


async def _again(visit: Visit, programme_id: str, problem: str = "") -> HTMLResponse:
    """Show the items as they are now, to the script that asked for a change."""
    known = await visit.services.programmes.get(visit.actor, programme_id)
    return visit.fragment("_programme.html", **await _context(visit, known, problem))


async def _done(visit: Visit, programme_id: str, typed: Form) -> Response:
    """Do what was asked of a programme; a script gets the items back, anybody else a page."""
    known = await visit.services.programmes.get(visit.actor, programme_id)
    by_script = "hx-request" in visit.request.headers
    try:
        rearranged = await _rearrange(visit, known, typed)
        went_to = programme_id if rearranged else await _act(visit, known, typed)
    except NotFoundError:
        raise
    except LoaError as error:
        problem = problem_text(error, visit.form)
        return await (_again if by_script else _one)(visit, programme_id, problem)
    return await _again(visit, programme_id) if by_script and rearranged else back(f"/programmes/{went_to}", "saved")


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""

    @router.get("/programmes")
    async def all_of_them(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        places = visit.places(Act.PROGRAMMES_WRITE)
        return await _list(visit, {"title": "", "area_id": places[0].id if places else "", "template": False}, {})

    @router.get("/programmes.csv")
    async def table(request: Request) -> Response:
        visit = await site.visit(request)
        heads = [visit.text(f"programmes.{key}") for key in HEADS]
        return csv_answer("chuong-trinh", heads, _table(visit, await _listing(visit, 1)), visit.text)

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
