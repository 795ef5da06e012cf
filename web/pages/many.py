"""Many things of a kind: their list, the part of it that is kept up to date, and the table of it to take along.

A new list says what is its own (``Many``), and writes the cells of a row in a template that extends ``_list.html``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from web.listing import Asked, Column, Filter, Listing, Rows, asked, begun, csv_answer
from web.pages.frame import whole_page
from web.site import Site, Visit

Row = TypeVar("Row")
Context = dict[str, Any]


class Live(NamedTuple):
    """What brings the list of an open page up to date: see ``parts.live``."""

    part: str
    """Its id on the page."""
    topics: str
    """Those that concern it; where the address names an id, only events of that one, but of a topic with *."""
    tick: int = 60
    pace: int = 2


@dataclass(frozen=True)
class Table:
    """The list as a table."""

    file: str
    heads: tuple[str, ...]
    """Keys of the catalogue."""
    lines: Callable[[Visit, Asked], AsyncIterator[Sequence[str]]]
    """Reads all of it, a part at a time."""
    taken: str = ""
    """What it tells of, among our resources, where taking it along is written down."""


async def _nothing(_visit: Visit, _listing: Listing[Any]) -> Context:
    return {}


@dataclass(frozen=True, kw_only=True)
class Many(Generic[Row]):
    """How the list of a kind of things is read and shown."""

    path: str
    """Address; may name an id, as ``/nodes/{node_id}/plays``."""
    title: str
    """Key of the catalogue: what they are."""
    template: str
    """The page: extends ``list.html``."""
    fragment: str
    """The part that is kept up to date: extends ``_list.html``."""
    live: Live
    columns: tuple[Column, ...]
    sort: str
    """Column; what no column is called is the list's own order."""
    down: bool = False
    filters: Callable[[Visit], Awaitable[tuple[Filter, ...]]]
    read: Callable[[Visit, Asked], Awaitable[Rows[Row]]]
    """Reads the rows of one page."""
    table: Table
    within: Callable[[Visit, Listing[Row]], Awaitable[Context]] = _nothing
    """What the live part shows besides."""
    around: Callable[[Visit, Listing[Row]], Awaitable[Context]] = _nothing
    """What the page shows around it."""
    visit: Callable[[Site, Request], Awaitable[Visit]] = Site.visit
    """Says who asks, or refuses."""

    async def page(self, visit: Visit, **typed: Any) -> HTMLResponse:
        """Show the page; ``typed``: what a form of it holds after a refusal, and what was wrong with that."""
        shown = await self.shown(visit)
        context = shown | await self.around(visit, shown["listing"]) | typed
        return await whole_page(visit, self.template, status=422 if typed else 200, **context)

    async def shown(self, visit: Visit) -> Context:
        """Give what the live part shows."""
        narrow, keys = await self.filters(visit), visit.request.path_params
        wish = asked(visit.request, self.columns, narrow, sort=self.sort, down=self.down)
        found = await self.read(visit, wish)
        listing = Listing(
            self.path.format(**keys),
            self.columns,
            narrow,
            wish,
            found.rows,
            found.total,
            default=(self.sort, self.down),
            newest=found.newest,
        )
        named = {"many": self, "listing": listing, "key": next(iter(keys.values()), "")}
        return named | await self.within(visit, listing)

    async def taken_along(self, visit: Visit) -> Response:
        """Answer with the table."""
        wish = asked(visit.request, self.columns, await self.filters(visit), sort=self.sort, down=self.down)
        if self.table.taken:
            total = (await self.read(visit, wish)).total
            await visit.services.audit.taken(visit.actor, self.table.taken, total)
        heads = [visit.text(head) for head in self.table.heads]
        return csv_answer(self.table.file, heads, await begun(self.table.lines(visit, wish)), visit.text)


def add_many(router: APIRouter, site: Site, many: Many[Any]) -> None:
    """Add the three addresses of a list. What stands beside it by an id of its own comes after."""

    @router.get(many.path)
    async def page(request: Request) -> HTMLResponse:
        return await many.page(await many.visit(site, request))

    @router.get(f"{many.path}/live")
    async def live(request: Request) -> HTMLResponse:
        visit = await many.visit(site, request)
        return visit.fragment(many.fragment, **await many.shown(visit))

    @router.get(f"{many.path}.csv")
    async def table(request: Request) -> Response:
        return await many.taken_along(await many.visit(site, request))
