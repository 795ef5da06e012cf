"""Words of the pages: one catalogue per language, the same keys in each. Keeps out markup: a text is text."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCALES = ("vi", "en")
"""Languages of the pages, first the default."""
OPEN = frozenset({"done", "undone", "wrong"})
"""Tables to which each file adds its own texts; any other stands in one file."""


@dataclass(frozen=True)
class Plural:
    """A text whose wording depends on ``count``."""

    one: str
    other: str


Text = str | Plural


@dataclass(frozen=True)
class Catalogue:
    """All texts of one language. Called with a key, it says the text."""

    locale: str
    texts: Mapping[str, Text]

    def __call__(self, key: str, **values: Any) -> str:
        """Say one text, filled in.

        Raises:
            KeyError: no such key, or a value that the text needs is missing.
        """
        text = self.texts[key]
        if isinstance(text, Plural):
            text = text.one if values["count"] == 1 else text.other
        return text.format_map(_without_stops(text, values))

    def word(self, group: str, code: str, **values: Any) -> str:
        """Say the text of a machine's code; a code that is newer than these pages is shown as it is."""
        key = f"{group}.{code}"
        return self(key, **values) if key in self.texts else self(f"{group}.other", code=code, **values)

    def has(self, key: str) -> bool:
        """Tell whether there is such a text."""
        return key in self.texts


def _without_stops(text: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the stop from whatever brings its own to where the text has one, as titles do."""
    twice = {
        name: value.rstrip(".")
        for name, value in values.items()
        if isinstance(value, str) and value.endswith(".") and f"{{{name}}}." in text
    }
    return {**values, **twice} if twice else values


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Text]]:
    for name, value in table.items():
        if isinstance(value, str):
            yield prefix + name, value
        elif value.keys() == {"one", "other"}:
            yield prefix + name, Plural(**value)
        else:
            yield from _flat(value, f"{prefix}{name}.")


def sources(locale: str) -> list[Path]:
    """Name the files of a language, one for each part of the pages."""
    return sorted((Path(__file__).parent / locale).glob("*.toml"))


def load(locale: str) -> Catalogue:
    """Read the catalogue of one of ``LOCALES``.

    Raises:
        ValueError: a text, or a table that is not ``OPEN``, stands in two files.
    """
    texts: dict[str, Text] = {}
    tables: set[str] = set()
    for path in sources(locale):
        found = tomllib.loads(path.read_text("utf-8"))
        new = dict(_flat(found))
        if twice := sorted((tables & found.keys()) - OPEN) or sorted(texts.keys() & new.keys()):
            raise ValueError(f"{path.name} of {locale} repeats {', '.join(twice)}")
        texts |= new
        tables |= found.keys()
    return Catalogue(locale, texts)
