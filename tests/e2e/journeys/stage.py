"""What the journeys are made on: a real centre, its broker and three real agents, and Chromium in many hands.

Taps are what is asserted. Seconds are measured beside them and kept (``figures``): they are this machine's, and only
what is far beyond the issue fails.
"""

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Page
from playwright.async_api import Error as PlaywrightError

from controller.demo.commune import THREE_HAMLETS, Commune, NodeSpec
from tests import sounds
from tests.e2e.people import Person, leader, somebody
from tests.e2e.waiting import until
from tests.web.browser import PC, SMALL, Taps, chromium, hearing, page_of, speak, taps
from web.i18n import Catalogue, load

VOICE_S = 5
"""What the microphone hears, over and over."""
PATIENT_MS = 30_000
"""On a machine that does much else, everything takes its time."""
Who = Literal["operator", "leader", "second", "technician", "helper"]
PEOPLE: Mapping[Who, tuple[str, str, str]] = {
    "operator": ("hoa", "Trần Thị Hoa", "operator"),
    "leader": ("nam", "Lê Văn Nam", "approver"),
    "second": ("thu", "Phạm Thị Thu", "approver"),
    "technician": ("bay", "Đỗ Văn Bảy", "technician"),
    "helper": ("vutu", "Vũ Thị Tư", "helper"),
}
"""Login, name and role of each."""
HELPER_PHONE = "0912 345 678"
LOOKS: Mapping[str, dict[str, Any]] = {
    "phone-vi": {"viewport": SMALL, "has_touch": True, "locale": "vi"},
    "phone-en": {"viewport": SMALL, "has_touch": True, "locale": "en"},
    "pc-vi": {"viewport": PC, "has_touch": True, "locale": "vi"},
    "pc-en": {"viewport": PC, "has_touch": True, "locale": "en"},
}
"""Devices and languages, by the names of the tests' parameters. All of them can be touched: taps are counted alike."""
Row = dict[str, Any]


@dataclass
class Way:
    """A journey that somebody is on."""

    page: Page
    words: Catalogue
    counted: Taps
    begun_s: float = field(default_factory=time.monotonic)
    spoken_s: float = 0
    """Spent speaking or listening: does not count."""
    besides: int = 0
    """Taps that the hour or the deployment asks for by design, and that are told apart: a yes to speaking at night."""

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Leave the time of this block out."""
        begun_s = time.monotonic()
        yield
        self.spoken_s += time.monotonic() - begun_s

    async def done(self, taps: int, **figures: Any) -> Row:
        """End the journey: nothing was typed, and it took this many taps and no more."""
        took_s = time.monotonic() - self.begun_s - self.spoken_s
        counted = await self.counted.read()
        assert (counted.taps - self.besides, counted.keys) == (taps, 0)
        return {"taps": taps, "besides": self.besides, "seconds": round(took_s, 1), **figures}


@dataclass
class Stage:
    """The commune, and who works in it."""

    commune: Commune
    browser: Browser
    called: str = ""
    """What stands in everybody's name."""
    _people: dict[str, Person] = field(default_factory=dict)

    async def person(self, who: Who) -> Person:
        """Give somebody who works here; the helper is of the first hamlet, everybody else of the commune."""
        if who not in self._people:
            login, name, role = PEOPLE[who]
            name += self.called
            if role == "approver":
                self._people[who] = await leader(self.commune, login, name)
            else:
                hamlet = self.commune.areas[self.commune.nodes[0].spec.hamlet] if role == "helper" else None
                self._people[who] = await somebody(self.commune, login, role, name=name, area_id=hamlet)
        return self._people[who]

    @property
    def scope(self) -> str:
        """The whole commune as a target."""
        return f"areas/{self.commune.areas['commune']}"

    @asynccontextmanager
    async def seat(
        self, who: Who, look: str = "phone-vi", *, expected: Sequence[str] = ()
    ) -> AsyncIterator[tuple[Page, Catalogue]]:
        """Sit somebody down before Hôm nay, in a browser of their own and in their language."""
        device = dict(LOOKS[look])
        locale = str(device.pop("locale"))
        url, session = self.commune.url, (await self.person(who)).token
        async with page_of(self.browser, url, session=session, expected=tuple(expected), **device) as page:
            page.set_default_timeout(PATIENT_MS)
            await speak(page, locale)
            try:
                yield page, load(locale)
            except (AssertionError, PlaywrightError) as error:
                text = await page.locator("body").inner_text()
                log = (self.commune.folder / "centre.log").read_text("utf-8", "replace")
                error.add_note(f"{page.url} showed:\n{text[:2000]}\nThe centre said last:\n{log[-2000:]}")
                raise

    @asynccontextmanager
    async def way(self, who: Who, look: str = "phone-vi", *, expected: Sequence[str] = ()) -> AsyncIterator[Way]:
        """Let somebody go a journey from Hôm nay; taps, keys and time are counted from there."""
        async with self.seat(who, look, expected=expected) as (page, words), taps(page) as counted:
            yield Way(page, words, counted)

    async def ask_second_person(self, *rules: Row) -> None:
        """Rule for what the commune wants a second person's yes; without rules: for nothing routine."""
        path = f"/areas/{self.commune.areas['commune']}/policy"
        version = (await self.commune.call("GET", path))["version"]
        await self.commune.call("PUT", path, json={"version": version, "rules": {"second_person": rules}})

    async def plays(self, broadcast_id: str) -> list[Row]:
        """Give what is known of a broadcast, node by node."""
        found: list[Row] = await self.commune.call("GET", f"/broadcasts/{broadcast_id}/plays")
        return found

    async def sounded(self, broadcast_id: str, within_s: float = 60) -> list[Row]:
        """Wait until every node of a broadcast says that it sounds, or did."""

        async def begun() -> list[Row]:
            plays = await self.plays(broadcast_id)
            return plays if plays and all(play["started_at"] for play in plays) else []

        return await until(begun, within_s, "every node sounds")

    async def over(self, broadcast_id: str, within_s: float = 60) -> list[Row]:
        """Wait until every node has said how its part ended."""

        async def ended() -> list[Row]:
            plays = await self.plays(broadcast_id)
            return plays if plays and all(play["outcome"] not in {None, "unknown"} for play in plays) else []

        return await until(ended, within_s, "every node has reported")

    async def sound(self, title: str, seconds: float = 3) -> Row:
        """Bring a recording."""
        path = self.commune.folder / f"brought-{seconds}.mp3"
        path.write_bytes(sounds.encoded(sounds.speech(seconds), "mp3"))
        return await self.commune.upload(path, title)

    async def broadcasts(self) -> list[Row]:
        """Give all broadcasts of today."""
        found: list[Row] = await self.commune.call("GET", "/broadcasts")
        return found


def last_start(plays: Sequence[Row]) -> float:
    """Give when the last of these nodes began to sound, by its own clock (here everybody's), in seconds since 1970."""
    return max(datetime.fromisoformat(play["started_at"]).timestamp() for play in plays)


@asynccontextmanager
async def running_stage(
    folder: Path, specs: Sequence[NodeSpec] = THREE_HAMLETS, *, called: str = "", **given: Any
) -> AsyncIterator[Stage]:
    """Run a commune with its people; leaving it ends every process."""
    voice = folder / "voice.wav"
    voice.write_bytes(sounds.encoded(sounds.speech(VOICE_S), "wav"))
    async with Commune(folder, specs, **given) as commune, chromium(*hearing(voice)) as browser:
        stage = Stage(commune, browser, called)
        await stage.ask_second_person()
        yield stage
