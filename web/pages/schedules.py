"""Lịch phát: all schedules, writing and changing one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import ConflictError, InvalidError, LoaError
from controller.paging import part_of
from controller.people.rights import Act
from controller.programmes.schemas import ProgrammeOut, SlotOut
from controller.schedules.schemas import ScheduleChange, ScheduleIn, ScheduleOut, TemplateScheduleIn
from controller.schedules.timing import OverrunError
from controller.search import folded
from web.forms import Unclear, read_form
from web.listing import Asked, Column, Filter, Listing, Rows
from web.pages.bulletins import categories
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.pages.schedule import add as add_one
from web.pages.schedule import names_of, programmes_of
from web.pages.schedule_finer import add as add_finer
from web.pages.schedule_finer import finer_context
from web.pages.targets import own_place, to_choose, whole_of
from web.problems import Problems, problem_text, problems_of
from web.site import Site, Visit
from web.views import programmes as programme_views
from web.views import schedule_finer as finer
from web.views import schedule_form as drafts
from web.views import schedules as views
from web.views.dated import Told
from web.views.say import covered
from web.views.whatif import change_lines
from web.words import Mark

FIELDS = finer.FIELDS | {"title", "programme", "targets", "hour", "weekday", "first_day", "last_day"}
COLUMNS = (
    Column("title", "schedules.name"),
    Column("when", "plan.when"),
    Column("said", "plan.said", sort=False),
    Column("next", "plan.next"),
)
STATES = ("coming", "waits", "returned", "unaired", "ended")
ROWS_SHOWN = 6
"""Programmes that stand on the first step; the others are one unfolding further."""
MORNING = "05:00"
"""When a template is heard that was never planned before. It stands in the sentence above the button, to be changed."""


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return (Filter("state", "plan.state", tuple((each, visit.text(f"plan.state_{each}")) for each in STATES)),)


async def _of_all(visit: Visit, wish: Asked) -> list[views.Line]:
    """Read the schedules that are asked for: all are made whole, as they sort by what comes next."""
    programmes = {each.id: each.whole_name for each in await programmes_of(visit)}
    state = wish.having.get("state", "")
    found = await visit.services.schedules.list(visit.actor, ended=state == "ended")
    names = await names_of(visit, found)
    rows = [(each, views.line(each, names, programmes, visit.form)) for each in found if views.is_in(each, state)]
    kept = [
        (each, line)
        for each, line in rows
        if all(word in folded(f"{line.title} {line.said}") for word in folded(wish.q).split())
    ]
    kept.sort(key=lambda pair: views.sorting(pair[0], wish.sort), reverse=wish.down)
    return [line for _, line in kept]


async def _read(visit: Visit, wish: Asked) -> Rows[views.Line]:
    part = part_of(await _of_all(visit, wish), wish.wanted())
    return Rows(part.rows, part.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    for each in await _of_all(visit, wish):
        yield [each.title, each.when, each.said, each.mark.word]


async def _writing(visit: Visit, _listing: Listing[views.Line]) -> dict[str, Any]:
    return {"may_write": visit.may(Act.SCHEDULES_WRITE)}


ALL = Many(
    path="/schedules/all",
    title="plan.all_title",
    template="schedules_all.html",
    fragment="_schedules_all.html",
    live=Live("all-schedules", "schedule approval programme", pace=5),
    columns=COLUMNS,
    sort="title",
    filters=_filters,
    read=_read,
    table=Table("lich-phat", tuple(column.word for column in COLUMNS), _lines),
    within=_writing,
)


def _wanted(visit: Visit, draft: drafts.Draft, known: ScheduleOut | None) -> dict[str, Any]:
    return drafts.wanted(draft, covered(draft.targets, visit.areas), visit.form, known)


async def _preview(visit: Visit, draft: drafts.Draft, known: ScheduleOut | None) -> views.Preview:
    if lacks := await _unfilled(visit, draft) | drafts.missing(draft, visit.form):
        return views.Preview(missing=next(iter(lacks.values())))
    try:
        wanted = _wanted(visit, draft, known)
        if draft.template:
            found = await visit.services.templates.preview(visit.actor, TemplateScheduleIn.checked(**wanted))
        else:
            found = await visit.services.schedules.preview(
                visit.actor, ScheduleIn.checked(**wanted), known.id if known else None
            )
    except Unclear as unclear:
        return views.Preview(missing=next(iter(unclear.problems.values())))
    except InvalidError as error:
        wrong = Mark("triangle", "care", problem_text(error, visit.form))
        return views.Preview(missing=visit.text("schedules.to_mend"), warnings=(Told(wrong),))
    once = wanted["rule"] is None
    return replace(views.preview(found, visit.form, once=once), notes=finer.notes(draft.finer, visit.form))


async def _what_if(visit: Visit, draft: drafts.Draft, known: ScheduleOut | None) -> list[Told] | None:
    """Say what saving would change elsewhere; None where the form is not ready for that."""
    if draft.template:
        return None  # there is no programme yet that could be laid out; what it meets stands in the preview
    try:
        wanted = ScheduleIn.checked(**_wanted(visit, draft, known))
        found = await visit.services.what_ifs.of(visit.actor, wanted, known.id if known else None)
    except (Unclear, InvalidError, ConflictError):
        return None
    return change_lines(found.changes, visit.form)


async def _template(visit: Visit, draft: drafts.Draft) -> ProgrammeOut | None:
    """Give the template, which the schedule need not be named like, with what it always says."""
    return await visit.services.programmes.get(visit.actor, draft.template) if draft.template else None


async def _slots(visit: Visit, draft: drafts.Draft) -> Sequence[SlotOut]:
    """Give the slots of the template, with what could fill each in the place where it is to be heard."""
    if not draft.template:
        return ()
    own = own_place(visit)
    return await visit.services.programmes.slots(visit.actor, draft.template, own.id if own else None)


async def _unfilled(visit: Visit, draft: drafts.Draft) -> Problems:
    """Name the slots of which nobody said what goes into them."""
    lacks = [each for each in await _slots(visit, draft) if each.position not in dict(draft.fill)]
    names = dict(await categories(visit, *(each.category for each in lacks))) if lacks else {}
    said = {each.position: names.get(each.category, each.category) for each in lacks}
    return {f"slot-{position}": visit.text("plan.slot_missing", name=name) for position, name in said.items()}


async def _form(
    visit: Visit, draft: drafts.Draft, known: ScheduleOut | None, problems: Mapping[str, str], *, look: bool = False
) -> HTMLResponse:
    whole = await whole_of(visit)
    if draft.whole and (whole is None or draft.whole != whole.scope):
        draft = replace(draft, whole="")  # not this person's to choose as one: it is shown in the tree
    chosen = () if draft.whole else draft.targets
    slots = await _slots(visit, draft)
    names = dict(await categories(visit, *(each.category for each in slots))) if slots else {}
    template = await _template(visit, draft)
    items = programme_views.one(template, visit.form).items if template else ()
    is_ready = known is not None or bool(draft.hour)
    return await whole_page(
        visit,
        "schedule_form.html",
        place=visit.name_of(known.area_id if known else None),
        status=422 if problems else 200,
        form=asdict(draft) | {"targets": chosen},
        problems={"form": ""} | dict(problems) if problems else {},
        places=await to_choose(visit, chosen),
        whole=whole if known is None or draft.whole else None,
        programmes=await programmes_of(visit),
        items=drafts.in_order(items, [drafts.slot_line(each, names, draft.fill) for each in slots]),
        of_template=template.title if template else "",
        **await finer_context(visit, draft.finer, known, problems),
        weekdays=[(day, visit.text(f"weekday.{number}")) for number, day in enumerate(drafts.WEEKDAYS, 1)],
        near_days=drafts.day_chips(visit.form),
        preview=await _preview(visit, draft, known) if look or problems or is_ready else None,
        looked=look,
        changes=await _what_if(visit, draft, known) if look else None,
        path=f"/schedules/{known.id}/edit" if known else "/schedules/new",
        leave=f"/schedules/{known.id}" if known else "/schedules",
    )


async def _choose(visit: Visit) -> HTMLResponse:
    """Ask what is to be heard: a template, or a programme that is there."""
    templates = await visit.services.programmes.list(visit.actor, templates=True)
    programmes = await visit.services.programmes.list(visit.actor, templates=False)
    rows = [drafts.what_row(each, visit.name_of(each.area_id), visit.form) for each in programmes]
    return await whole_page(
        visit,
        "schedule_choose.html",
        templates=[drafts.what_row(each, visit.name_of(each.area_id), visit.form) for each in templates],
        programmes=rows[:ROWS_SHOWN],
        others=rows[ROWS_SHOWN:],
    )


async def saved(visit: Visit, draft: drafts.Draft, known: ScheduleOut | None) -> Response:
    """Save it, or show the form with what is wrong."""
    if lacks := drafts.missing(draft, visit.form) | await _unfilled(visit, draft):
        return await _form(visit, draft, known, lacks)
    schedules, problems = visit.services.schedules, Problems()
    try:
        wanted = _wanted(visit, draft, known)
        if draft.template:
            done = await visit.services.templates.create(visit.actor, TemplateScheduleIn.checked(**wanted))
        elif known is None:
            done = await schedules.create(visit.actor, ScheduleIn.checked(**wanted))
        else:
            change = ScheduleChange.checked(**wanted, version=draft.version)
            done = await schedules.change(visit.actor, known.id, change)
    except Unclear as unclear:
        problems = unclear.problems
    except LoaError as error:
        problems = problems_of(error, visit.form, FIELDS)
        if isinstance(error, OverrunError):  # where it is said what is done about that
            problems["overrun"] = problems.pop("programme")
    return await _form(visit, draft, known, problems) if problems else back(f"/schedules/{done.id}", "saved")


async def _begun(visit: Visit, template: str, programme: str) -> HTMLResponse:
    """Show the form of a new one that airs this, a template or a programme; who names neither chooses first."""
    rows = await visit.services.programmes.list(visit.actor, templates=bool(template))
    title = next((each.title for each in rows if each.id == (template or programme)), None)
    if title is None:
        return await _choose(visit)
    own = own_place(visit)
    before = await visit.services.schedules.list(visit.actor)
    hour = drafts.hour_before(before, title=title if template else "", programme=programme)
    draft = drafts.begun(
        visit.form,
        template=template,
        programme="" if template else programme,
        title=title,
        whole=own.scope if own else "",
        hour=hour or (MORNING if template else ""),
    )
    return await _form(visit, draft, None, {})


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    add_finer(router, site)  # its addresses lie below those of all schedules
    _add_writing(router, site)
    add_many(router, site, ALL)
    add_one(router, site)


async def _known_of(visit: Visit, schedule_id: str) -> ScheduleOut | None:
    """Give the schedule that an address names; None: it names a new one."""
    return None if schedule_id == "new" else await visit.services.schedules.get(visit.actor, schedule_id)


def _add_writing(router: APIRouter, site: Site) -> None:
    @router.get("/schedules/new")
    async def new(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        visit.require(Act.SCHEDULES_WRITE)
        programme, template = (request.query_params.get(name, "")[:64] for name in ("programme", "template"))
        if not programme and not template:
            return await _choose(visit)
        return await _begun(visit, template, programme)

    @router.get("/schedules/{schedule_id}/edit")
    async def edit(request: Request, schedule_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known = await visit.services.schedules.get(visit.actor, schedule_id)
        visit.require(Act.SCHEDULES_WRITE, known.area_id)
        return await _form(visit, drafts.draft_of(known, visit.form), known, {})

    @router.post("/schedules/{schedule_id}/preview")
    async def preview(request: Request, schedule_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known, draft = await _known_of(visit, schedule_id), drafts.read_draft(await read_form(request))
        found = await _preview(visit, draft, known)
        return visit.fragment("_schedule_preview.html", preview=found, form=asdict(draft))

    @router.post("/schedules/new")
    async def create(request: Request) -> Response:
        return await written(request, "new")

    @router.post("/schedules/{schedule_id}/edit")
    async def written(request: Request, schedule_id: str) -> Response:
        visit = await site.visit(request)
        known, typed = await _known_of(visit, schedule_id), await read_form(request)
        draft = drafts.read_draft(typed)
        if typed.one("look"):
            return await _form(visit, draft, known, {}, look=True)
        return await saved(visit, draft, known)
