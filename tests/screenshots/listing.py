"""Writes docs/screenshots/README.md: a row for each page and state, with what is taken of it and who looked at it when.

``python -m tests.screenshots.listing`` writes it without taking a picture. What was looked at stands in ``looked.toml``
beside it, written by hand by whoever looked.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tests.screenshots.table import LOCALES, SIZES, Shot, all_shots

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
LISTING, LOOKED = FOLDER / "README.md", FOLDER / "looked.toml"
ALL = "*"
FORM = ("normal", "loading", "error")
NEEDED: Mapping[str, tuple[str, ...]] = {
    "frame": ("error",),
    "people": FORM,
    "shell": ("normal", "error"),
    "setup": ("normal", "empty", "loading", "error"),
    "help_pages": ("normal",),
    "settings": (*FORM, "pending"),
    "today": ("normal", "empty", "error"),
    "say": (*FORM, "empty"),
    "recordings": ("long", "normal", "empty", "loading", "error"),
    "calendars": (*FORM, "empty", "pending"),
    "feed": (*FORM, "empty", "pending"),
    "schedules": (*FORM, "pending"),
    "importing": ("normal", "error", "pending"),
    "bulletins": (*FORM, "empty"),
    "versions": ("normal",),
    "programmes": (*FORM, "empty", "long"),
    "broadcasts": FORM,
    "history": ("normal", "empty", "error"),
    "activity": ("normal", "empty"),
    "approvals": (*FORM, "empty"),
    "holds": ("normal", "loading", "pending"),
    "emergencies": (*FORM, "empty", "pending"),
    "messages": (*FORM, "empty"),
    "alarms": ("normal", "empty"),
    "faults_list": ("normal", "empty", "loading"),
    "node_map": ("normal", "empty", "loading"),
    "node_health": ("normal", "empty"),
    "node_settings": ("normal", "pending", "loading", "error"),
    "day": ("normal",),
    "nodes": (*FORM, "empty"),
    "updates": ("normal", "empty", "error"),
    "rollouts": (*FORM, "empty", "pending"),
    "releases": FORM,
    "accounts": ("normal", "long", "loading", "error"),
    "places": (*FORM, "pending"),
    "removing": FORM,
    "policies": FORM,
}
"""The states that a page is taken in."""
ELSEWHERE: Mapping[str, str] = {
    "look": "chosen on the page of settings",
    "targets": "a step of *say*, *schedules* and *emergencies*",
    "faults": "a button of *faults_list* and *nodes*",
    "node_acts": "buttons of *nodes*",
    "renewals": "a notice of *nodes*",
    "existing": "a search unfolded on *say*, *bulletins* and *messages*",
}
"""Modules without a page of their own, and where their part is seen."""
HEAD = """# Pictures of the pages

`make screenshots` takes them all anew into `build/screenshots`, with a sheet for each part of the pages (`say.html`…),
and writes this page; those that the guide shows are kept here. It fails for a page or a state without a row. Whoever
looked at pictures writes that into `looked.toml`, with the width and the language, and nothing that was not seen.

*Who* is the role that the picture is taken as. *error* is a refused form or something that is wrong; *loading* an
answer that is held back until the picture is taken; *pending* something that was answered and is still to come.
390 px is taken in Vietnamese alone, for the guide.

"""


@dataclass(frozen=True)
class Look:
    """Somebody looked at pictures."""

    by: str
    day: str
    widths: Sequence[int]
    languages: Sequence[str]
    seen: str
    pictures: Sequence[str] = ()
    pages: Sequence[str] = ()
    """All pictures that these pages had then."""

    def said(self) -> str:
        """Name width, language and day."""
        return _said(self.widths, self.languages, self.day)


def _said(widths: Iterable[int], languages: Iterable[str], day: str) -> str:
    return f"{', '.join(map(str, widths))} px, {' and '.join(languages)}, {day}"


def last_looks(looked: Iterable[Look]) -> list[str]:
    """Say when each width was looked at last in each language; what is alike is said once."""
    last: dict[tuple[int, str], str] = {}
    for look in sorted(looked, key=lambda look: look.day):
        last |= dict.fromkeys(product(look.widths, look.languages), look.day)
    languages: dict[tuple[int, str], list[str]] = {}
    for (width, language), day in sorted(last.items(), key=lambda item: (item[0][0], LOCALES.index(item[0][1]))):
        languages.setdefault((width, day), []).append(language)
    widths: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for (width, day), those in languages.items():
        widths.setdefault((day, tuple(those)), []).append(width)
    return [_said(those, found, day) for (day, found), those in widths.items()]


def looks(path: Path = LOOKED) -> list[Look]:
    """Read what was looked at."""
    found = tomllib.loads(path.read_text("utf-8")).get("look", [])
    return [Look(**each | {"day": str(each["day"])}) for each in found]


def lacking(pages: Iterable[str], shots: Iterable[Shot]) -> list[str]:
    """Name the pages and the states that no picture is taken of."""
    there = {(shot.page, shot.state) for shot in shots}
    unknown = [page for page in pages if page not in NEEDED and page not in ELSEWHERE]
    wanted = [(page, state) for page, states in NEEDED.items() for state in states]
    return [*unknown, *(f"{page}, {state}" for page, state in wanted if (page, state) not in there)]


def listing(shots: Iterable[Shot], looked: Sequence[Look]) -> str:
    """Write the page."""
    rows = ["| page | picture | state | who | widths | languages | looked at |", "|---|---|---|---|---|---|---|"]
    rows += [_row(shot, looked) for shot in sorted(shots, key=lambda shot: (shot.page, shot.name))]
    parts = [f"- {page}: {where}" for page, where in sorted(ELSEWHERE.items())]
    said = [f"- {', '.join(_of(look))} ({look.said()}, by {look.by}): {look.seen}" for look in looked]
    ends = ["", "## Without a page of their own", "", *parts, "", "## What was seen", "", *said, ""]
    return HEAD + "\n".join(rows + ends)


def _of(look: Look) -> list[str]:
    names = [*look.pages, *look.pictures]
    return ["all" if name == ALL else name for name in names]


def _row(shot: Shot, looked: Sequence[Look]) -> str:
    taken = [size for size in SIZES if any(size == each for each, _ in shot.each())]
    widths = " ".join(str(SIZES[size]["width"]) for size in taken)
    who = "administrator" if shot.login == "lan" else shot.login
    at = last_looks(look for look in looked if shot.name in look.pictures or ALL in look.pictures)
    cells = [shot.page, shot.name, shot.state, who, widths, " ".join(shot.locales), "; ".join(at) or "not yet"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    LISTING.write_text(listing([shot for room in all_shots().values() for shot in room], looks()), "utf-8")
