"""Cảnh báo: what administrators must know, and saying that one looks after it."""

from collections.abc import AsyncIterator, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from controller.errors import ConflictError
from controller.paging import MOST_ROWS, part_of
from controller.search import kept, words
from web.forms import read_form
from web.listing import Asked, Filter, Rows
from web.pages.frame import back
from web.pages.many import Live, Many, Table, add_many
from web.site import Site, Visit
from web.views.alarms import COLUMNS, HEADS, Line, filters, line

MOST = 500
"""The latest: looked through at once for a page; a table to take along has them all."""


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return filters(visit.areas, visit.text)


async def _of_latest(visit: Visit, wish: Asked, most: int) -> tuple[list[Line], bool]:
    """Give what the address asks for of the latest ``most``, and whether there are older ones.

    Those that wait come first, unless it says otherwise.
    """
    state, area_id = wish.having.get("state"), wish.having.get("area")
    waiting = {"waiting": True, "acknowledged": False}.get(state or "")
    found = await visit.services.alarms.list(visit.actor, waiting=waiting, limit=most + 1)
    names = {area.id: area.name for area in visit.areas}
    emergencies = await visit.services.emergencies.list(visit.actor, limit=most)
    gone = {f"emergencies/{each.id}" for each in emergencies if each.state == "cancelled"}
    those = [each for each in found[:most] if not area_id or each.area_id == area_id]
    if wish.sort == "need":
        those.sort(key=lambda each: each.acknowledged_at is not None)
    if wish.down is (wish.sort == "need"):  # they come newest first
        those.reverse()
    lines = [line(each, names, visit.form, cancelled=each.subject in gone) for each in those]
    looked_for = words(wish.q)
    shown = [each for each in lines if all(word in kept([each.mark.word, each.said]) for word in looked_for)]
    return shown, len(found) > most


async def _read(visit: Visit, wish: Asked) -> Rows[Line]:
    lines, is_cut = await _of_latest(visit, wish, MOST)
    part = part_of(lines, wish.wanted())
    return Rows(part.rows, part.total, MOST if is_cut else 0)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    lines, _ = await _of_latest(visit, wish, MOST_ROWS + 1)
    for each in lines:
        yield [each.mark.word, each.said]


MANY = Many(
    path="/alarms",
    title="menu.alarms",
    template="alarms.html",
    fragment="_alarms.html",
    live=Live("alarms", "alarm"),
    columns=COLUMNS,
    sort="need",
    filters=_filters,
    read=_read,
    table=Table("canh-bao", HEADS, _lines),
)


def add(router: APIRouter, site: Site) -> None:
    """Add the list, and its one act."""
    add_many(router, site, MANY)

    @router.post("/alarms/{alarm_id}/acknowledgement")
    async def acknowledge(request: Request, alarm_id: str) -> RedirectResponse:
        visit, typed = await site.visit(request), await read_form(request)
        listed = typed.one("next") if typed.one("next").partition("?")[0] == "/alarms" else "/alarms"
        try:
            await visit.services.alarms.acknowledge(visit.actor, alarm_id)
        except ConflictError:  # somebody did already: the page says who
            return back(listed)
        return back(listed, "acknowledged")
