"""Nhật ký hoạt động: who did what, when."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

from fastapi import APIRouter

from controller.paging import Wanted
from controller.people.rights import Act
from web.listing import Asked, Filter, Rows, in_parts
from web.pages.many import Live, Many, Table, add_many
from web.site import Site, Visit
from web.views.activity import COLUMNS, HEADS, Deed, deed, exported, filters
from web.views.places import scope_names
from web.views.spans import span_having


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return filters(await visit.services.audit.people(visit.actor), visit.form)


def _wanted(visit: Visit, wish: Asked) -> Wanted:
    return replace(wish.wanted(), having=span_having(wish, visit.form))


async def _read(visit: Visit, wish: Asked) -> Rows[Deed]:
    found = await visit.services.audit.find(visit.actor, _wanted(visit, wish))
    places, people = scope_names(visit.areas, []), visit.may(Act.PEOPLE_CHANGE)
    return Rows(tuple(deed(each, places, visit.form, people=people) for each in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    places = scope_names(visit.areas, [])
    async for each in in_parts(partial(visit.services.audit.find, visit.actor), _wanted(visit, wish)):
        yield exported(each, places, visit.form)


MANY = Many(
    path="/activity",
    title="menu.activity",
    template="activity.html",
    fragment="_activity.html",
    live=Live("activity", "audit", pace=5),
    columns=COLUMNS,
    sort="at",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("nhat-ky-hoat-dong", tuple(f"activity.{head}" for head in HEADS), _lines, taken="audit"),
)


def add(router: APIRouter, site: Site) -> None:
    """Add the list."""
    add_many(router, site, MANY)
