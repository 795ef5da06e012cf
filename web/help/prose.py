"""The little markup that helping texts are written in, to HTML. Every text is escaped; there are no links. Pure.

`# title`, `## heading`, paragraphs, `- ` lists, `1. ` lists, **bold**, `![what it shows](name of a picture)`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup, escape

_TITLE = re.compile(r"# (.+)\n")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([a-z0-9-]+)\)\s*\Z")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_NUMBER = re.compile(r"\d+\. +")


@dataclass(frozen=True)
class Prose:
    """A text, with its title taken apart."""

    title: str
    source: str
    """What stands below the title."""

    def html(self) -> Markup:
        """Write it as the body of a page; its pictures are left to the guide: the page itself is a tap away."""
        return Markup("\n").join(_html(kind, lines) for kind, lines in self.parts() if kind != "picture")

    def pictures(self) -> list[str]:
        """Name the pictures in it."""
        return [
            line.rpartition("(")[2].rstrip(") ") for kind, lines in self.parts() if kind == "picture" for line in lines
        ]

    def parts(self) -> Iterator[tuple[str, list[str]]]:
        """Give its parts in order: what each is, and its lines."""
        for kind, lines in groupby(_joined(self.source.splitlines()), key=_kind):
            if kind != "nothing":
                yield kind, list(lines)


def read(source: str) -> Prose:
    """Read a text.

    Raises:
        ValueError: it does not begin with its title.
    """
    found = _TITLE.match(source)
    if found is None:
        raise ValueError(f"a text begins with '# ' and its title, not with {source[:40]!r}")
    return Prose(found[1].strip(), source[found.end() :].strip())


def _joined(lines: list[str]) -> Iterator[str]:
    """Put a line that goes on in the next one together."""
    whole = ""
    for line in lines:
        goes_on = whole and line.strip() and _kind(line) == "text" and _kind(whole) in {"text", "list", "numbers"}
        if goes_on:
            whole += " " + line.strip()
            continue
        if whole:
            yield whole
        whole = line.strip()
        if not whole:
            yield ""
    if whole:
        yield whole


def _kind(line: str) -> str:
    if not line.strip():
        return "nothing"
    if line.startswith("## "):
        return "heading"
    if line.startswith("- "):
        return "list"
    if _NUMBER.match(line):
        return "numbers"
    return "picture" if _PICTURE.match(line) else "text"


def _html(kind: str, lines: list[str]) -> Markup:
    if kind == "heading":
        return Markup("\n").join(Markup("<h2>{}</h2>").format(_bold(line[3:])) for line in lines)
    if kind == "list":
        return _items("ul", (line[2:] for line in lines))
    if kind == "numbers":
        return _items("ol", (_NUMBER.sub("", line, count=1) for line in lines))
    return Markup("\n").join(Markup("<p>{}</p>").format(_bold(line)) for line in lines)


def _items(tag: str, lines: Iterator[str]) -> Markup:
    inside = Markup("").join(Markup("<li>{}</li>").format(_bold(line)) for line in lines)
    return Markup("<{0}>{1}</{0}>").format(Markup(tag), inside)  # noqa: S704 - one of two words of this file


def _bold(text: str) -> Markup:
    return Markup(_BOLD.sub(r"<b>\1</b>", str(escape(text))))  # noqa: S704 - escaped before
