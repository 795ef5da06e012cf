"""Lists that page, sort, filter and are taken along: what an address asks for, and the address of what else to ask."""

import csv
import io
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import StreamingResponse

from controller.paging import MOST_ROWS, PAGE, Found, Wanted
from controller.search import kept, words
from web.i18n import Catalogue

MOST_LETTERS = 200
PART = 500
"""Rows read at once for a table to take along."""
MOST_PAGES = 10**6
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for a formula at the beginning of a cell; the last four are the first in full width."""

Row = TypeVar("Row")


class Column(NamedTuple):
    """A column of a list."""

    key: str
    word: str
    """Key of the catalogue."""
    sort: bool = True


class Filter(NamedTuple):
    """What a list can be narrowed by."""

    key: str
    word: str
    """Key of the catalogue."""
    options: tuple[tuple[str, str], ...]
    """Value and text of each."""
    otherwise: str = "table.any"
    """Key of the catalogue: what is listed where none is chosen."""


class Chosen(NamedTuple):
    """Something that a list is narrowed by, and the address without it."""

    word: str
    href: str


@dataclass(frozen=True)
class Asked:
    """What an address asks of a list."""

    q: str = ""
    sort: str = ""
    down: bool = False
    page: int = 1
    having: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, size: int = PAGE) -> Wanted:
        """Say it to a service."""
        return Wanted(self.q, self.sort, self.down, (self.page - 1) * size, size, self.having)


def asked(
    request: Request, columns: Sequence[Column], filters: Sequence[Filter], *, sort: str, down: bool = False
) -> Asked:
    """Read an address; what it should not hold counts as not there."""
    query = request.query_params
    wanted = query.get("sort", "")
    if wanted.removeprefix("-") in {column.key for column in columns if column.sort}:
        sort, down = wanted.removeprefix("-"), wanted.startswith("-")
    page = query.get("p", "")
    is_number = page.isascii() and page.isdecimal() and len(page) < 9
    having = {each.key: query.get(each.key, "") for each in filters}
    known = {each.key: {value for value, _ in each.options} for each in filters}
    return Asked(
        q=" ".join(query.get("q", "")[:MOST_LETTERS].split()),
        sort=sort,
        down=down,
        page=min(max(1, int(page)), MOST_PAGES) if is_number else 1,
        having={key: value for key, value in having.items() if value in known[key]},
    )


class Rows(NamedTuple, Generic[Row]):
    """The rows of one page of a list."""

    rows: tuple[Row, ...]
    total: int
    newest: int = 0
    """Of so many of the latest only, as there are older ones; 0: of all."""


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """A page of a list, and the ways to its others."""

    path: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...]
    asked: Asked
    rows: tuple[Row, ...]
    total: int
    default: tuple[str, bool] = ("", False)
    """What it is sorted by unless asked, and whether downwards: the address then says nothing of it."""
    size: int = PAGE
    newest: int = 0
    """Only so many of the latest were looked through; 0: all."""

    @property
    def pages(self) -> int:
        """Count the pages, at least one."""
        return max(1, math.ceil(self.total / self.size))

    def link(self, **changed: object) -> str:
        """Give the address of the same list, otherwise asked: ``q``, ``sort``, ``down``, ``page`` or a filter."""
        return self._address(self.path, **changed)

    @property
    def live_link(self) -> str:
        """Give the address of the part of its page that is kept up to date."""
        return self._address(f"{self.path}/live")

    @property
    def export_link(self) -> str:
        """Give the address of the list as a table to take along."""
        return self._address(f"{self.path}.csv", page=1)

    @cached_property
    def chosen(self) -> tuple[Chosen, ...]:
        """Say what the list is narrowed by."""
        texts = {each.key: dict(each.options) for each in self.filters}
        found = [Chosen(self.asked.q, self.link(q="", page=1))] if self.asked.q else []
        having = self.asked.having.items()
        return (*found, *(Chosen(texts[key][value], self.link(page=1, **{key: ""})) for key, value in having))

    def _address(self, path: str, **changed: object) -> str:
        new = {"q": self.asked.q, "sort": self.asked.sort, "down": self.asked.down, "page": self.asked.page}
        new |= dict(self.asked.having) | changed
        is_default = (new["sort"], bool(new["down"])) == self.default
        said = {
            "q": new["q"],
            "sort": "" if is_default or not new["sort"] else f"{'-' if new['down'] else ''}{new['sort']}",
            "p": "" if new["page"] == 1 else new["page"],
            **{each.key: new.get(each.key, "") for each in self.filters},
        }
        kept = {key: value for key, value in said.items() if value}
        return f"{path}?{urlencode(kept)}" if kept else path


def cell(text: str) -> str:
    """Write a cell so that no spreadsheet runs it."""
    return f"'{text}" if text.startswith(_RUNS) else text


def chosen(
    rows: Iterable[Row],
    wish: Asked,
    said: Callable[[Row], Iterable[str | None]],
    sorts: Mapping[str, Callable[[Row], Any]],
    values: Mapping[str, Callable[[Row], str]],
) -> list[Row]:
    """Pick and order rows of a list that is short enough to be read whole.

    ``said``: what words are looked for in; ``sorts`` by column, ``values`` by filter.
    """
    wanted = words(wish.q)
    found = [
        row
        for row in rows
        if all(values[key](row) == value for key, value in wish.having.items())
        and all(word in kept(said(row)) for word in wanted)
    ]
    return sorted(found, key=sorts[wish.sort], reverse=wish.down)


async def in_parts(find: Callable[[Wanted], Awaitable[Found[Row]]], wanted: Wanted) -> AsyncIterator[Row]:
    """Read all of a list for a table to take along, a part at a time; no more than a table has room for, and one."""
    for offset in range(0, MOST_ROWS + 1, PART):
        part = await find(replace(wanted, offset=offset, limit=PART))
        for row in part.rows:
            yield row
        if offset + PART >= part.total:
            return


async def piece_by_piece(
    ids: Sequence[str], some: Callable[[Sequence[str]], Awaitable[Iterable[Row]]]
) -> AsyncIterator[Row]:
    """Read what has these ids, a part at a time: for a list that is sorted as a whole, once."""
    for start in range(0, min(len(ids), MOST_ROWS + 1), PART):
        for row in await some(ids[start : start + PART]):
            yield row


async def begun(lines: AsyncIterator[Row]) -> AsyncIterator[Row]:
    """Read the first line before anything is answered: what may not be read is refused, and is no table cut off."""
    first = await anext(lines, None)

    async def every() -> AsyncIterator[Row]:
        if first is not None:
            yield first
        async for line in lines:
            yield line

    return every()


def csv_answer(
    name: str,
    heads: Sequence[str],
    rows: AsyncIterator[Sequence[str]] | Iterable[Sequence[str]],
    text: Catalogue,
    most: int = MOST_ROWS,
) -> StreamingResponse:
    """Answer with a table that a spreadsheet opens as it is. When there are more rows its last line says so."""

    async def lines() -> AsyncIterator[str]:
        yield "\ufeff" + _line(heads)
        count = 0
        async for row in rows if isinstance(rows, AsyncIterator) else _each(rows):
            if count == most:
                yield _line([text("export.cut", most=most)])
                return
            count += 1
            yield _line(row)

    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


async def _each(rows: Iterable[Sequence[str]]) -> AsyncIterator[Sequence[str]]:
    for row in rows:
        yield row


def _line(row: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=";", lineterminator="\r\n").writerow([cell(each) for each in row])
    return written.getvalue()
