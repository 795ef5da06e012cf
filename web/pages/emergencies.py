"""Khẩn cấp: what waits for a yes, and all that were; proposing one and what becomes of it stand beside."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller.emergencies.schemas import EmergencyOut
from controller.emergencies.states import UNDECIDED, EmergencyState
from controller.paging import MOST_ROWS
from controller.people.rights import Act
from web.listing import Asked, Column, Filter, Listing, Rows
from web.pages.emergency import add as add_emergency
from web.pages.emergency import node_count
from web.pages.many import Live, Many, Table, add_many
from web.pages.proposing import add as add_proposing
from web.site import Site, Visit
from web.views import emergencies as lines
from web.words import in_words, run_mark

COLUMNS = (
    Column("title", "emergency.column_title"),
    Column("proposed", "emergency.column_proposed"),
    Column("targets", "emergency.column_targets", sort=False),
    Column("by", "emergency.column_by", sort=False),
    Column("state", "emergency.column_state", sort=False),
)
NEWEST_DECIDED = 50
"""So many are looked through for those that were decided a moment ago."""
KEPT = timedelta(minutes=10)
"""So long before a page was opened something became of what it still tells."""


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    text = visit.text
    states = tuple((str(state), text(f"emergency_state.{state}")) for state in EmergencyState)
    kinds = (("real", text("emergency.real_ones")), ("drill", text("emergency.drills")))
    return (Filter("state", "emergency.column_state", states), Filter("drill", "emergency.column_kind", kinds))


async def _read(visit: Visit, wish: Asked) -> Rows[lines.Line]:
    found = await visit.services.emergencies.find(visit.actor, wish.wanted())
    return Rows(tuple(lines.line(each, visit.form) for each in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    rows = (await visit.services.emergencies.find(visit.actor, wish.wanted(MOST_ROWS))).rows
    runs = await visit.services.broadcasts.some(visit.actor, {row.broadcast_id for row in rows if row.broadcast_id})
    for row in rows:
        each = lines.line(row, visit.form)
        said = in_words(run_mark(runs[row.broadcast_id], visit.text), visit.text) if row.broadcast_id in runs else ""
        yield each.title, each.when, each.targets, each.by, in_words(each.mark, visit.text), said


async def _waiting(visit: Visit, since: int) -> dict[str, Any]:
    """Give what waits for a yes, and what just did, and to which of it this person may say it: real ones, then drills.

    Of each the oldest comes first. ``since``: when the page was opened, in seconds since 1970. Whoever opens it has on
    top what waits then. What is decided from there on keeps its place, and nothing leaves it: else another act would
    move up below a thumb.
    """
    newest = await visit.services.emergencies.list(visit.actor, limit=NEWEST_DECIDED)
    found = {each.id: each for each in [*newest, *await visit.services.emergencies.under_way(visit.actor)]}
    first = [each for each in found.values() if each.follows_id is None]
    ages = {each.id: since - _over_at(each, visit.form.now).timestamp() for each in first}
    shown = [each for each in first if each.state in UNDECIDED or ages[each.id] < KEPT.total_seconds()]
    shown.sort(key=lambda each: (each.state not in UNDECIDED and ages[each.id] > 0, *_turn(each, since)))
    waits = {each.id for each in shown if each.state in UNDECIDED and each.proposed_by.person_id != visit.person.id}
    yes = {each.id for each in shown if visit.may(Act.EMERGENCIES_CONFIRM, each.area_id)} & waits
    return {
        "waiting": [lines.waiting(each, node_count(visit, each), visit.person.id, visit.form) for each in shown],
        "may_confirm": yes,
        "since": since,
    }


def _turn(each: EmergencyOut, since: int) -> tuple[bool, bool, datetime]:
    """Put the real ones before drills, but nothing that came meanwhile above what a page shows that stands open."""
    is_new = each.proposed_at.timestamp() > since
    return is_new, each.drill is not None and not is_new, each.proposed_at


def _over_at(each: EmergencyOut, now: datetime) -> datetime:
    """Give when it was decided; now: it was not."""
    return (each.ended_at if each.state == EmergencyState.CANCELLED else each.sent_at) or now


def _opened(visit: Visit) -> int:
    """Read when the page was opened that looks again; what cannot be is now."""
    now, said = int(visit.form.now.timestamp()), visit.request.query_params.get("since", "")
    is_one = said.isascii() and said.isdigit() and len(said) <= len(str(now))
    return min(int(said), now) if is_one else now


async def _above(visit: Visit, _listing: Listing[lines.Line]) -> dict[str, Any]:
    return await _waiting(visit, int(visit.form.now.timestamp())) | {
        "may_propose": visit.may(Act.EMERGENCIES_PROPOSE),
        "may_drill": visit.may(Act.EMERGENCIES_DRILL),
    }


MANY = Many(
    path="/emergencies",
    title="menu.emergencies",
    template="emergencies.html",
    fragment="_emergencies.html",
    live=Live("emergencies", "emergency"),
    columns=COLUMNS,
    sort="proposed",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("khan-cap", (*(column.word for column in COLUMNS), "history.result"), _lines),
    around=_above,
)


def add(router: APIRouter, site: Site) -> None:
    """Add the pages."""
    add_many(router, site, MANY)
    _add_waiting(router, site)
    add_proposing(router, site)
    add_emergency(router, site)  # by its id, after what stands there by a name of its own


def _add_waiting(router: APIRouter, site: Site) -> None:
    @router.get("/emergencies/waiting")
    async def waiting_again(request: Request) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment("_emergencies_waiting.html", **await _waiting(visit, _opened(visit)))
