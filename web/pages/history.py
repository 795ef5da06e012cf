"""Nhật ký phát thanh: what was aired, to whom, and what became of it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

from fastapi import APIRouter

from controller.paging import Wanted
from web.listing import Asked, Filter, Rows, in_parts
from web.pages.many import Live, Many, Table, add_many
from web.site import Site, Visit
from web.views.history import COLUMNS, HEADS, RunRow, exported, filters, row
from web.views.spans import span_having


async def _filters(visit: Visit) -> tuple[Filter, ...]:
    return filters(visit.areas, visit.form)


def _wanted(visit: Visit, wish: Asked) -> Wanted:
    return replace(wish.wanted(), having=span_having(wish, visit.form))


async def _read(visit: Visit, wish: Asked) -> Rows[RunRow]:
    found = await visit.services.history.find(visit.actor, _wanted(visit, wish))
    return Rows(tuple(row(each, visit.form) for each in found.rows), found.total)


async def _lines(visit: Visit, wish: Asked) -> AsyncIterator[Sequence[str]]:
    await visit.read_kinds()
    async for each in in_parts(partial(visit.services.history.find, visit.actor), _wanted(visit, wish)):
        yield exported(each, visit.form)


MANY = Many(
    path="/history",
    title="menu.history",
    template="history.html",
    fragment="_history.html",
    live=Live("history", "broadcast play schedule approval", pace=5),
    columns=COLUMNS,
    sort="start",
    down=True,
    filters=_filters,
    read=_read,
    table=Table("nhat-ky-phat-thanh", tuple(f"history.{head}" for head in HEADS), _lines, taken="broadcasts"),
)


def add(router: APIRouter, site: Site) -> None:
    """Add the list."""
    add_many(router, site, MANY)
