"""One broadcast, node by node, live; why a node sounds or does not; making up for it; taking it back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from controller.broadcasts.schemas import BroadcastOut, ReplayIn
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.paging import part_of
from controller.people.rights import Act
from web.forms import read_form
from web.listing import Asked, Column, Filter, Listing, Rows, piece_by_piece
from web.pages import changing, say
from web.pages.frame import back, whole_page
from web.pages.many import Live, Many, Table, add_many
from web.pages.targets import own_place
from web.problems import problem_text
from web.site import Site, Visit
from web.views import changing as changes
from web.views.contents import parts
from web.views.runs import (
    GROUPS,
    MOST_SHOWN,
    PlayLine,
    awaits_yes,
    groups,
    may_be_made_up,
    one_run,
    play_line,
    title_of,
)
from web.views.say import Draft, read_draft, replay
from web.views.why import why
from web.words import in_words


async def _context(visit: Visit, broadcast_id: str) -> dict[str, Any]:
    services, actor = visit.services, visit.actor
    async with services.together():
        silent = await changing.out_of_reach(visit)  # first: what it was told of is in this snapshot
        run = await services.broadcasts.get(actor, broadcast_id)
        waits = silent if run.phase not in _OVER and not awaits_yes(run) else []
        found = await services.broadcasts.play_groups(actor, broadcast_id, most=MOST_SHOWN, silent=waits)
        shown = await services.nodes.some(actor, [play.node_id for play in found.first])
        may_cancel = run.phase not in _OVER and await services.broadcasts.may_cancel(actor, broadcast_id)
        change = "" if run.phase in _OVER else await _change(visit, run)
        holds = await services.holds.active(actor)
    return {
        "known": run,
        "place": _place(run),
        "may_replay": may_be_made_up(run) and visit.may(Act.BROADCASTS_CREATE),
        "may_cancel": may_cancel,
        "change": change,
        "run": one_run(run, visit.form, found.waiting),
        "groups": groups(
            found, run.level, {node.id: node for node in shown}, visit.form, holds, awaits=awaits_yes(run)
        ),
    }


async def _change(visit: Visit, run: BroadcastOut) -> str:
    """Say how a change stands, to who may make one: ``open``, ``begun``; empty: nothing is said of it."""
    try:
        await visit.services.broadcasts.check_change(visit.actor, run.id)
    except ForbiddenError:
        return ""
    except ConflictError as error:
        return "begun" if error.fields.get("problem") == "begun" and run.phase == "on_air" else ""
    return "open"


async def _why(visit: Visit, node_id: str, broadcast_id: str) -> dict[str, Any]:
    found = await visit.services.whys.of(visit.actor, node_id, broadcast_id)
    node = await visit.services.nodes.get(visit.actor, node_id)
    return {
        "place": visit.name_of(node.area_id),
        "why": why(found, node.name, visit.form),
        "node_name": node.name,
        "node_id": node_id,
        "broadcast_id": broadcast_id,
    }


async def _origins(visit: Visit, run: BroadcastOut) -> list[tuple[str, str, str]]:
    """Say where it comes from, each with its page: its schedule, its programme as it is now, what it makes up for."""
    services, actor, text, found = visit.services, visit.actor, visit.text, []
    with suppress(NotFoundError):  # of a place that was moved away since
        if run.schedule_id:
            schedule = await services.schedules.get(actor, run.schedule_id)
            found.append((text("broadcast.of_schedule"), f"/schedules/{schedule.id}", schedule.title))
            programme = await services.programmes.get(actor, schedule.programme_id)
            found.append((text("broadcast.of_programme"), f"/programmes/{programme.id}", programme.title))
    with suppress(NotFoundError):
        if run.replays_id:
            missed = await services.broadcasts.get(actor, run.replays_id)
            found.append((text("broadcast.makes_up"), f"/broadcasts/{missed.id}", title_of(missed, visit.form)))
    return found


def _place(run: BroadcastOut) -> str:
    """Name where it is heard, if that is one place; else empty."""
    return run.targets[0].name if len(run.targets) == 1 else ""


_OVER = frozenset({"over", "cancelled", "replaced", "taken_out", "not_approved"})
_COLUMNS = (
    Column("state", "run_plays.state"),
    Column("name", "run_plays.name"),
    Column("place", "run_plays.place"),
    Column("why", "run_plays.why", sort=False),
)


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    states = tuple((key, visit.text(f"broadcast.group_{key}")) for key in GROUPS)
    return (Filter("state", "run_plays.state", states),)


async def _of_list(visit: Visit) -> BroadcastOut:
    """Read the broadcast whose plays are listed, once a visit."""
    if "run" not in visit.extra:
        visit.extra["run"] = await visit.services.broadcasts.get(visit.actor, visit.request.path_params["broadcast_id"])
    run: BroadcastOut = visit.extra["run"]
    return run


async def _read(visit: Visit, wish: Asked) -> Rows[PlayLine]:
    run, plays, wanted = await _of_list(visit), visit.services.broadcast_plays, wish.wanted()
    part = part_of(await plays.find(visit.actor, run.id, wanted, GROUPS), wanted)
    rows = await plays.some(visit.actor, run.id, part.rows)
    return Rows(tuple(play_line(play, run, visit.form) for play in rows), part.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    run, plays = await _of_list(visit), visit.services.broadcast_plays
    nodes = await plays.find(visit.actor, run.id, wish.wanted(), GROUPS)
    async for play in piece_by_piece(nodes, partial(plays.some, visit.actor, run.id)):
        line = play_line(play, run, visit.form)
        yield [in_words(line.mark, visit.text), line.name, line.place, line.why]


async def _whose(visit: Visit, _listing: Listing[PlayLine]) -> dict[str, Any]:
    run = await _of_list(visit)
    return {"place": _place(run), "heading": title_of(run, visit.form)}


PLAYS = Many(
    path="/broadcasts/{broadcast_id}/plays",
    title="run_plays.title",
    template="plays.html",
    fragment="_plays.html",
    live=Live("plays", "play broadcast hold* node* approval*", pace=5),
    columns=_COLUMNS,
    sort="state",
    filters=_filters,
    read=_read,
    table=Table("phan-cua-tung-cum", tuple(column.word for column in _COLUMNS), _lines),
    around=_whose,
)


async def _replay_page(visit: Visit, broadcast_id: str, problem: str = "") -> HTMLResponse:
    run = await visit.services.broadcasts.get(visit.actor, broadcast_id)
    try:
        found = await visit.services.replays.preview(visit.actor, broadcast_id, ReplayIn())
    except (ConflictError, InvalidError) as error:
        found, problem = None, problem or problem_text(error, visit.form)
    shown = replay(found, visit.form) if found else None
    return await whole_page(
        visit,
        "replay.html",
        place=_place(run),
        status=422 if problem else 200,
        run=run,
        replay=shown,
        problem=problem,
    )


def _add_why(router: APIRouter, site: Site) -> None:
    """Add why a node sounds or does not, as a page and where it was asked."""

    @router.get("/nodes/{node_id}/broadcasts/{broadcast_id}/why")
    async def ask_why(request: Request, node_id: str, broadcast_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return await whole_page(visit, "why.html", **await _why(visit, node_id, broadcast_id))

    @router.get("/nodes/{node_id}/broadcasts/{broadcast_id}/why/here")
    async def answer_here(request: Request, node_id: str, broadcast_id: str) -> HTMLResponse:
        """Answer where it was asked, without leaving the page."""
        visit = await site.visit(request)
        return visit.fragment("_why.html", **await _why(visit, node_id, broadcast_id))


def _add_changing(router: APIRouter, site: Site) -> None:
    """Add the form that changes one which has not begun."""

    async def typed_for(visit: Visit, broadcast_id: str) -> tuple[Draft, BroadcastOut]:
        known = await visit.services.broadcasts.get(visit.actor, broadcast_id)
        typed = await read_form(visit.request)
        visit.prove(typed)
        return changes.as_typed(read_draft(typed), known), known

    @router.get("/broadcasts/{broadcast_id}/edit")
    async def edit(request: Request, broadcast_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        await visit.services.broadcasts.check_change(visit.actor, broadcast_id)
        known, own = await visit.services.broadcasts.get(visit.actor, broadcast_id), own_place(visit)
        return await say.page(visit, changes.begun(known, own.scope if own else "", visit.form), {}, known)

    @router.get("/broadcasts/{broadcast_id}/edit/kept")
    async def kept(request: Request, broadcast_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        known = await visit.services.broadcasts.get(visit.actor, broadcast_id)
        return visit.fragment("_kept.html", kept=await changing.kept(visit, known))

    @router.post("/broadcasts/{broadcast_id}/edit/preview")
    async def preview(request: Request, broadcast_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_preview.html", preview=await say.foreseen(visit, *await typed_for(visit, broadcast_id)))

    @router.post("/broadcasts/{broadcast_id}/edit")
    async def change(request: Request, broadcast_id: str) -> Response:
        visit = await site.visit(request)
        return await say.sent(visit, *await typed_for(visit, broadcast_id))


def add(router: APIRouter, site: Site) -> None:
    """Add the page, its live part and what can be done with it."""
    add_many(router, site, PLAYS)
    _add_changing(router, site)

    @router.get("/broadcasts/{broadcast_id}")
    async def broadcast(request: Request, broadcast_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        context = await _context(visit, broadcast_id)
        content = parts(await visit.services.broadcast_sounds.of(visit.actor, broadcast_id), visit.form)
        origins = await _origins(visit, context["known"])
        return await whole_page(visit, "broadcast.html", content=content, origins=origins, **context)

    @router.get("/broadcasts/{broadcast_id}/live")
    async def live(request: Request, broadcast_id: str) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_broadcast.html", **await _context(visit, broadcast_id))

    _add_why(router, site)

    @router.get("/broadcasts/{broadcast_id}/replay")
    async def look_at_replay(request: Request, broadcast_id: str) -> HTMLResponse:
        return await _replay_page(await site.visit(request), broadcast_id)

    @router.post("/broadcasts/{broadcast_id}/replay")
    async def replay_it(request: Request, broadcast_id: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        visit.prove(typed)
        wanted = ReplayIn(
            confirm_unusual=typed.one("confirm_unusual") == "yes",
            confirm_conflicts=typed.one("confirm_conflicts") == "yes",
        )
        try:
            made = await visit.services.replays.create(visit.actor, broadcast_id, wanted)
        except (ConflictError, InvalidError) as error:
            return await _replay_page(visit, broadcast_id, problem_text(error, visit.form))
        return RedirectResponse(f"/broadcasts/{made.id}", 303)

    @router.post("/broadcasts/{broadcast_id}/cancel")
    async def cancel(request: Request, broadcast_id: str) -> RedirectResponse:
        visit = await site.visit(request)
        await read_form(request)
        try:
            await visit.services.broadcasts.cancel(visit.actor, broadcast_id)
        except ConflictError as error:  # cancelled or over in the meantime: the page says which
            if error.fields.get("problem") == "replaced":
                return back(f"/broadcasts/{broadcast_id}", "replaced")
        return RedirectResponse(f"/broadcasts/{broadcast_id}", 303)
