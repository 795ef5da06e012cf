"""Chương trình: the list, one programme with its items, putting items in and out, templates."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import InvalidError, LoaError, NotFoundError
from controller.people.rights import Act
from controller.programmes.schemas import CopyIn, FillIn, ItemIn, OrderIn, ProgrammeChange, ProgrammeIn, ProgrammeOut
from web.forms import MOST_VERSION, Form, number_of, read_form
from web.pages.frame import back, whole_page
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import programmes as views
from web.views.places import Choice, choices
from web.views.recordings import recent

FIELDS = frozenset({"title", "area_id"})
MOST_CHOICES = 100
LONGEST_SILENCE_S = 60


async def _list(visit: Visit, typed: Mapping[str, str], problems: Problems) -> HTMLResponse:
    found = await visit.services.programmes.list(visit.actor)
    return await whole_page(
        visit,
        "programmes.html",
        status=422 if problems else 200,
        lines=[views.line(each, visit.form) for each in found],
        areas=choices(visit.places(Act.PROGRAMMES_WRITE)),
        form=typed,
        problems=problems,
    )


async def _one(visit: Visit, programme_id: str, problem: str = "") -> HTMLResponse:
    services, actor, form = visit.services, visit.actor, visit.form
    known = await services.programmes.get(actor, programme_id)
    may_write = known.archived_at is None and visit.may(Act.PROGRAMMES_WRITE, known.area_id)
    approved = await services.bulletins.list(actor, limit=MOST_CHOICES) if may_write else []
    recordings = await services.recordings.list(actor, limit=MOST_CHOICES) if may_write else []
    slots = await services.programmes.slots(actor, programme_id) if known.is_template else ()
    return await whole_page(
        visit,
        "programme.html",
        place=visit.name_of(known.area_id),
        status=422 if problem else 200,
        programme=views.one(known, form),
        is_template=known.is_template,
        may_write=may_write,
        may_copy=visit.may(Act.PROGRAMMES_WRITE),
        may_plan=may_write and visit.may(Act.SCHEDULES_WRITE) and known.session_ms is not None,
        bulletins=[Choice(each.id, each.title) for each in approved if each.state == "approved"],
        recordings=recent(recordings, form),
        slots=slots,
        problem=problem,
    )


async def _create(visit: Visit, typed: Form) -> Response:
    title, area_id = typed.one("title").strip(), typed.one("area_id")
    if not title:
        return await _list(visit, {"title": "", "area_id": area_id}, {"title": visit.text("wrong.name_empty")})
    try:
        made = await visit.services.programmes.create(visit.actor, ProgrammeIn(area_id=area_id, title=title[:1000]))
    except LoaError as error:
        return await _list(visit, {"title": title, "area_id": area_id}, problems_of(error, visit.form, FIELDS))
    return back(f"/programmes/{made.id}", "saved")


def _item(typed: Form) -> ItemIn:
    """Read the item that is to be added.

    Raises:
        InvalidError: nothing was chosen.
    """
    kind, chosen = typed.one("kind"), typed.one("chosen")
    if kind == "bulletin" and chosen:
        return ItemIn.model_validate({"kind": "bulletin", "bulletin_id": chosen})
    if kind in {"tune", "recording"} and chosen:
        return ItemIn.model_validate({"kind": kind, "recording_id": chosen})
    seconds = number_of(typed.one("seconds"), most=10 * LONGEST_SILENCE_S)
    if kind == "pause" and seconds:
        return ItemIn.model_validate({"kind": "pause", "pause_ms": seconds * 1000})
    raise InvalidError("nothing was chosen", field="items", problem="nothing_chosen")


async def _act(visit: Visit, known: ProgrammeOut, typed: Form) -> str:
    """Do what was asked; gives the programme to go to."""
    programmes, items = visit.services.programmes, views.items_in(known)
    position = number_of(typed.one("position"), most=len(items)) or 0
    version = number_of(typed.one("version"), most=MOST_VERSION) or known.version
    match typed.one("act"):
        case "add":
            change = ProgrammeChange(version=version, items=[*items, _item(typed)])
            await programmes.change(visit.actor, known.id, change)
        case "remove":
            kept = [each for number, each in enumerate(items) if number != position]
            await programmes.change(visit.actor, known.id, ProgrammeChange(version=version, items=kept))
        case "up":
            order = list(views.moved_up(len(items), position))
            await programmes.reorder(visit.actor, known.id, OrderIn(version=version, order=order))
        case "silences":
            silences = {
                name: (number_of(typed.one(name), most=LONGEST_SILENCE_S) or 0) * 1000 for name in ("lead_in", "gap")
            }
            change = ProgrammeChange(version=version, lead_in_ms=silences["lead_in"], gap_ms=silences["gap"])
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


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""

    @router.get("/programmes")
    async def all_of_them(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        places = visit.places(Act.PROGRAMMES_WRITE)
        return await _list(visit, {"title": "", "area_id": places[0].id if places else ""}, {})

    @router.post("/programmes")
    async def create(request: Request) -> Response:
        visit = await site.visit(request)
        return await _create(visit, await read_form(request))

    @router.get("/programmes/{programme_id}")
    async def one(request: Request, programme_id: str) -> HTMLResponse:
        return await _one(await site.visit(request), programme_id)

    @router.post("/programmes/{programme_id}")
    async def act(request: Request, programme_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        known = await visit.services.programmes.get(visit.actor, programme_id)
        try:
            went_to = await _act(visit, known, typed)
        except LoaError as error:
            if isinstance(error, NotFoundError):
                raise
            return await _one(visit, programme_id, problem_text(error, visit.form))
        return back(f"/programmes/{went_to}", "saved")
