"""Sự cố: open faults, what asks for a hand first, with whom to call."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

from fastapi import APIRouter

from controller.faults.schemas import FaultEntryOut
from controller.people.rights import Act
from web.listing import Asked, Filter, Rows, in_parts
from web.pages.many import Live, Many, Table, add_many
from web.site import Site, Visit
from web.views.node_lists import FAULT_COLUMNS, FaultRow, fault_filters, fault_row

HEADS = ("what", "node", "place", "since_head", "said")


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return fault_filters(visit.areas, visit.text)


async def _read(visit: Visit, wish: Asked) -> Rows[FaultRow]:
    found = await visit.services.faults.find(visit.actor, wish.wanted())
    return Rows(await _rows(visit, found.rows), found.total)


async def _rows(visit: Visit, faults: Sequence[FaultEntryOut]) -> tuple[FaultRow, ...]:
    areas = {each.area_id for each in faults}
    contacts = await visit.services.contacts.of_areas(visit.actor, areas)
    may_in = {area.id for area in visit.places(Act.FAULTS_ACKNOWLEDGE)}
    names = {area.id: area.name for area in visit.areas}
    rows = []
    for each in faults:
        call = next((one for one in contacts.get(each.area_id, ()) if one.phone), None)
        may = each.area_id in may_in
        rows.append(fault_row(each, names.get(each.area_id, ""), call, visit.form, may_acknowledge=may))
    return tuple(rows)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    names = {area.id: area.name for area in visit.areas}
    async for each in in_parts(partial(visit.services.faults.find, visit.actor), wish.wanted()):
        row = fault_row(each, names.get(each.area_id, ""), None, visit.form, may_acknowledge=False)
        yield [row.entry.mark.word, row.node_name, row.place, row.since, row.entry.said]


MANY = Many(
    path="/faults",
    title="faults.list",
    template="faults.html",
    fragment="_faults.html",
    live=Live("faults", "fault node", tick=15),
    columns=FAULT_COLUMNS,
    sort="need",
    filters=_filters,
    read=_read,
    table=Table("su-co", tuple(f"faults.{head}" for head in HEADS), _lines),
)


def add(router: APIRouter, site: Site) -> None:
    """Add the list."""
    add_many(router, site, MANY)
