"""What pictures there are: a line for each page and state. The rooms fill it, a file for each part of the pages."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from playwright.async_api import Page, ViewportSize

from tests.screenshots import rooms
from tests.web.browser import PC, PHONE, SMALL
from tests.web.harness import Commune

SIZES: Mapping[str, ViewportSize] = {"pc": PC, "phone": PHONE, "small": SMALL}
LOCALES = ("vi", "en")
SHOWN = ("phone", "vi")
"""How the guide shows a page."""
State = Literal["normal", "empty", "loading", "pending", "error", "long"]
"""``loading``: an answer is held back; ``pending``: it is there, and something is still to come; ``error``: refused, or
something is wrong; ``long``: with the longest names that people use."""
ROLES = {"operator": "Trần Thị Hoa", "approver": "Lê Văn Nam", "technician": "Đỗ Văn Bảy", "helper": "Vũ Thị Tư"}
"""Whose pages are taken besides the administrator's, and their names: the login of each is the name of its role."""
Scene = Literal["bare", "empty", "day", "calm", "week", "sent", "province", "answers"]
"""A centre on its first day; a commune in which nothing has happened yet; one in the evening of a busy day; the same
with a planned week; the same with an emergency and a drill; the busy day with emergencies that were sent, and did not
sound everywhere; one in a province that offers bulletins; one in which requests were returned, or taken back."""


@dataclass(frozen=True)
class Stage:
    """What the pictures of one scene are taken of."""

    site: Commune
    paths: Mapping[str, str]
    """Addresses by name, as the scene gives them."""
    sessions: Mapping[str, str]
    """Of somebody in each role."""
    sound: Path
    """A recording with the ups and downs of a voice, to be uploaded."""


Steps = Callable[[Page, Stage], Awaitable[None]]


@dataclass(frozen=True)
class Shot:
    """One picture, in each size and language."""

    page: str
    """Name of the module under ``web.pages``."""
    name: str
    """Of the file."""
    path: str
    """An address, or the name by which its scene gives one."""
    scene: Scene = "day"
    state: State = "normal"
    steps: Steps | None = None
    """What is done before the picture is taken."""
    login: str = "lan"
    """Who looks: the administrator, or one of ``ROLES``."""
    whole: bool = True
    """The whole page, and not the window alone."""
    sizes: tuple[str, ...] = ("pc", "small")
    locales: tuple[str, ...] = LOCALES
    guide: bool = False
    """Kept in docs/screenshots: the guide shows it."""

    def each(self) -> Iterator[tuple[str, str]]:
        """Give each size with each language."""
        return product(self.sizes, self.locales)

    def file(self, size: str, locale: str) -> str:
        """Name the file of one picture."""
        return f"{self.name}-{size}-{locale}.png"


def all_shots(wanted: Iterable[str] = ()) -> dict[str, tuple[Shot, ...]]:
    """Give the lines of each room; ``wanted``: of these rooms alone."""
    names = sorted(each.name for each in pkgutil.iter_modules(rooms.__path__))
    chosen = [name for name in names if name in set(wanted)] if wanted else names
    return {name: importlib.import_module(f"{rooms.__name__}.{name}").SHOTS for name in chosen}
