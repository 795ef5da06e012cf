"""Lists in pages: which part is wanted, and what was found. Every ``find`` of a service takes one, gives the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

PAGE = 50
MOST_ROWS = 50_000
"""At once: what an export holds at most."""
FURTHEST = 2**31 - 1
"""Offset: more than any list has, and what every database takes."""

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Wanted:
    """Which rows are wanted. What is out of range is brought into it: an address may say anything."""

    q: str = ""
    """Words that all have to be found (``search``)."""
    sort: str = ""
    """A key of the list; one that it does not know is its own order."""
    down: bool = False
    offset: int = 0
    limit: int = PAGE
    having: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Filter → value, as the list names them."""

    def __post_init__(self) -> None:
        """Bring into range what is out of it."""
        object.__setattr__(self, "offset", min(max(self.offset, 0), FURTHEST))
        object.__setattr__(self, "limit", min(max(self.limit, 1), MOST_ROWS))


@dataclass(frozen=True)
class Found(Generic[_Row]):
    """One part of a list."""

    rows: tuple[_Row, ...]
    total: int
    """Of the whole list, with the same words and filters."""


Order = ColumnElement[Any] | InstrumentedAttribute[Any]


async def paged(
    session: AsyncSession,
    query: Select[*tuple[Any, ...]],
    wanted: Wanted,
    orders: Mapping[str, Order | tuple[Order, ...]],
    *,
    last: Order,
) -> tuple[Sequence[Row[*tuple[Any, ...]]], int]:
    """Read one part of a query and count the whole. ``last`` is unique: it orders what is equal otherwise.

    The first of ``orders`` is the list's own; several columns order what is equal in those before.
    """
    plain = query.order_by(None)
    total = await session.scalar(select(func.count()).select_from(plain.subquery()))
    order = orders.get(wanted.sort, next(iter(orders.values()), last))
    columns = order if isinstance(order, tuple) else (order,)
    ordered = plain.order_by(*(each.desc() if wanted.down else each.asc() for each in columns), last)
    rows = (await session.execute(ordered.offset(wanted.offset).limit(wanted.limit))).all()
    return rows, total or 0


def part_of(rows: Sequence[_Row], wanted: Wanted) -> Found[_Row]:
    """Cut the wanted part out of a list that had to be made whole, as one sorted by how nodes stand now."""
    return Found(tuple(rows[wanted.offset : wanted.offset + wanted.limit]), len(rows))
