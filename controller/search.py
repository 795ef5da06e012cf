"""How things are found by their words: "ban tin chieu" finds "Bản tin chiều". Rows keep beside them what it takes."""

import unicodedata
from collections.abc import Iterable
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Text, and_, true
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column, validates

MOST_WORDS = 8
"""Of a query; the others are passed over."""


def folded(text: str) -> str:
    """Give lower-case words without accents, one space between them: ``Lũ lụt ở Đà Bắc`` → ``lu lut o da bac``."""
    bare = unicodedata.normalize("NFD", text.casefold())
    letters = "".join(letter for letter in bare if not unicodedata.combining(letter)).replace("đ", "d")
    return " ".join(letters.split())


def kept(parts: Iterable[str | None]) -> str:
    """Give the words as they are written and without accents, for ``words`` to be found in.

    A word typed with accents is found only where it stands with the same ones; one without, everywhere.
    """
    plain = unicodedata.normalize("NFC", " ".join(each for each in parts if each)).casefold()
    return f"{plain}\n{folded(plain)}"


def words(query: str, most: int = MOST_WORDS) -> tuple[str, ...]:
    """Give the words that all have to be found."""
    return tuple(unicodedata.normalize("NFC", query).casefold().split())[:most]


def matches(column: ColumnElement[str] | InstrumentedAttribute[str], query: str) -> ColumnElement[bool]:
    """Give the condition that all words of a query stand in a column of ``kept`` text; an empty query finds all."""
    # A NUL ends a text for SQLite and is refused by PostgreSQL: no name holds one.
    found = [column.contains(word, autoescape=True) for word in words(query.replace("\0", " "))]
    return and_(true(), *found)


class Searchable:
    """A row that is found by its words. Whoever writes these writes ``search`` with them; a bulk UPDATE does not."""

    searched: ClassVar[tuple[str, ...]]
    """The columns whose words count, among those that ``_keeps`` hears of."""

    search: Mapped[str] = mapped_column(Text, default="", server_default="")
    """``kept`` of them."""

    @validates("name", "title", "login", "file_name")
    def _keeps(self, column: str, value: Any) -> Any:
        if column in self.searched:
            self.search = kept(value if each == column else getattr(self, each, None) for each in self.searched)
        return value
