"""Text stays text (cases 28 and 29): whatever is written into any field, on every page, in both languages.

With all other tests each page is read by a parser; ``make hostile`` opens every page in Chromium, where every dialog,
every refusal of the content security policy, every request to elsewhere and every element of ours is told.
"""

import asyncio
import itertools
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import BrowserContext, Page

from controller.http.middleware import COOKIE
from controller.http_server import HttpServer
from tests.controller.two_communes import Kept, World, keep
from tests.hostile.places import paths_of, thing_of
from tests.hostile.planting import COMPUTED, KINDS, MARK, Planted, by_a_file, by_a_node, by_a_sign_in, by_people
from tests.web.browser import chromium, close
from tests.web.harness import pages
from web.i18n import LOCALES

MOST_OF_A_KIND = 3
"""Things of one noun whose pages are opened, of those that were made last, besides the one that was there."""
SEEN_AT_LEAST = 25
"""Fields that the pages show, of all that were taken: less would mean that pages show nothing."""
NOUNS = {
    "area_id": "areas",
    "broadcast_id": "broadcasts",
    "bulletin_id": "bulletins",
    "emergency_id": "emergencies",
    "message_id": "messages",
    "node_id": "nodes",
    "person_id": "people",
    "programme_id": "programmes",
    "recording_id": "recordings",
    "request_id": "approvals",
    "schedule_id": "schedules",
}

NO_THING = {"step": "places", "topic": "today", "zoom": "10", "column": "812", "row": "450"}
"""Parts of addresses that name no thing of anybody's."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return asyncio.run(keep(tmp_path_factory.mktemp("text")))


@dataclass
class Site:
    """The pages of a world full of hostile text."""

    world: World
    planted: Planted
    app: FastAPI
    token: str = ""
    url: str = ""

    def addresses(self, most: int = MOST_OF_A_KIND) -> list[str]:
        """Name every page and fragment, of what was there and of so many that were made."""
        return list(dict.fromkeys(each for path in paths_of(self.app) for each in self._filled(path, most)))

    def _filled(self, path: str, most: int) -> Iterator[str]:
        names = re.findall(r"{(\w+)}", path)
        choices = [self._things(path, name, most) for name in names]
        for things in itertools.islice(itertools.product(*choices), most + 1):
            done = path
            for name, thing in zip(names, things, strict=True):
                done = done.replace(f"{{{name}}}", thing)
            yield done

    def _things(self, path: str, name: str, most: int) -> list[str]:
        name = thing_of(path, name)
        there = self.world.east.get(name) or NO_THING.get(name, "0" * 32)
        return [there, *self.planted.made.get(NOUNS.get(name, ""), [])[-most:]]


@asynccontextmanager
async def site_of(kept: Kept, folder: Path, kind: str, every: int = 1) -> AsyncIterator[Site]:
    """Plant one kind of text, of people's fields in every how manieth or in none, and answer as the centre does."""
    async with kept.opened(folder) as world:
        world.tokens["everywhere"] = await world.centre.session_of(world.centre.person)
        planted = Planted(kind)
        app = pages(world.centre.services)
        if every:
            await by_people(world, planted, every)
        await by_a_node(world, planted)
        await by_a_sign_in(world, planted)
        yield Site(world, planted, app, await world.centre.session_of(world.centre.person))


class Reader(HTMLParser):
    """Reads a page as a browser does, and keeps what would run, what is ours, and what is shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.shown: set[int] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name: value or "" for name, value in attrs}
        if tag in {"x-x", "iframe", "style"} or "data-xss" in names or any(name.startswith("on") for name in names):
            self.wrong.append(self.get_starttag_text() or tag)
        if tag == "script" and not names.get("src", "").startswith("/static/"):
            self.wrong.append("a script of its own")
        for name, value in names.items():
            if name in {"href", "src", "action", "hx-get", "hx-post", "formaction"} and not re.match(r"[/?#]", value):
                self.wrong.append(f"{tag} {name}={value}")
            self._note(value)

    def handle_data(self, data: str) -> None:
        self._note(data)
        if COMPUTED in data:
            self.wrong.append(data)

    def _note(self, text: str) -> None:
        self.shown.update(int(number) for number in MARK.findall(text))


async def test_28_29_every_page_shows_whatever_a_node_or_a_stranger_wrote_as_text(kept: Kept, tmp_path: Path) -> None:
    """In all that nodes say and in sign-ins; what people write is tried by tests/web, and whole by ``make hostile``."""
    async with site_of(kept, tmp_path / "world", KINDS[0], every=0) as site:
        shown: set[int] = set()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(site.app),
            base_url="https://loa.test",
            headers={"Cookie": f"{COOKIE}={site.token}"},
        ) as client:
            for path in site.addresses(0):
                answer = await client.get(path)
                assert answer.status_code in {200, 204, 303, 404, 422}, (path, answer.status_code)
                if not answer.headers.get("content-type", "").startswith("text/html"):
                    assert answer.headers.get("x-content-type-options") == "nosniff", (
                        path
                    )  # a table or data: nothing runs
                    continue
                reader = Reader()
                reader.feed(answer.text)
                assert reader.wrong == [], path
                shown |= reader.shown
        seen = {site.planted.fields[number] for number in shown & site.planted.fields.keys()}
        assert "Online abilities.software" in seen, "what a node says is shown"


TRIPWIRE = """() => {
  window.tripped = [];
  for (const name of ["alert", "confirm", "prompt"]) window[name] = () => window.tripped.push(name);
  window.xss = () => window.tripped.push("ran");
  document.addEventListener("securitypolicyviolation", (event) =>
    window.tripped.push(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
}"""
LOOK = """async () => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  document.querySelectorAll("[data-live]").forEach((each) => each.dispatchEvent(new CustomEvent("loa:look")));
  const focused = "input:not([type=hidden]), textarea, select, summary, [tabindex]";
  document.querySelectorAll(focused).forEach((each) => each.focus());
  for (const each of document.querySelectorAll("a, td, th, li, b, span, button")) {
    each.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}));
  }
  await new Promise((done) => setTimeout(done, 50));
  const planted = "x-x, [data-xss], [onerror], [onload], [onfocus], img[src=x], svg[onload]";
  const ours = [...document.querySelectorAll(planted)];
  const away = [...document.querySelectorAll("[href], [src], [action]")].filter((each) =>
    /^javascript:/i.test(each.getAttribute("href") ?? each.getAttribute("src") ?? each.getAttribute("action")));
  const values = [...document.querySelectorAll("*")].flatMap((e) => [...e.attributes].map((a) => a.value));
  const forms = [...document.querySelectorAll("input, textarea")].map((each) => each.value);
  return {
    tripped: window.tripped,
    wrong: [...ours, ...away].map((each) => each.outerHTML.slice(0, 200)),
    text: [document.documentElement.textContent, ...values, ...forms].join("\\n"),
  };
}"""


@dataclass
class Watch:
    """What a browser did that it should not."""

    url: str
    wrong: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog {dialog.message}"))
        page.on("pageerror", lambda error: self.wrong.append(f"died: {error}"))
        page.on("request", lambda asked: None if self._ours(asked.url) else self.wrong.append(f"asked {asked.url}"))
        page.on("popup", lambda other: self.wrong.append(f"opened {other.url}"))
        page.on("console", lambda said: self.wrong.append(said.text) if "Content Security" in said.text else None)

    def _ours(self, url: str) -> bool:
        return url.startswith((self.url, "blob:", "data:,"))


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[None]:
    listening = socket.create_server(("127.0.0.1", 0))
    site.url = f"http://localhost:{listening.getsockname()[1]}"
    server = HttpServer("http", site.app, listening, before_stop=site.app.state.streams.close)
    running = asyncio.create_task(server.run())
    await server.ready.wait()
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def signed_in(context: BrowserContext, site: Site, locale: str) -> None:
    await context.set_extra_http_headers({"Cookie": f"{COOKIE}={site.token}; __Host-loa-locale={locale}"})
    services = site.world.centre.services
    await services.people.set_locale(site.world.centre.actor, locale)


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS, ids=["0", "1", "2"])
async def test_28_29_nothing_runs_on_any_page_in_chromium(
    kept: Kept, tmp_path: Path, kind: str, record_property: Callable[[str, object], None]
) -> None:
    async with site_of(kept, tmp_path / "world", kind) as site, served(site), chromium() as browser:
        await by_a_file(site.world, site.planted)
        shown: set[int] = set()
        opened = 0
        for locale in LOCALES:
            context = await browser.new_context(base_url=site.url)
            await context.add_init_script(f"({TRIPWIRE})()")
            await signed_in(context, site, locale)
            page, watch = await context.new_page(), Watch(site.url)
            watch.over(page)
            for path in site.addresses():
                answer = await page.goto(path, wait_until="load")
                assert answer is not None
                assert answer.status in {200, 404, 422}, (path, answer.status)
                found = await page.evaluate(LOOK)
                assert (found["tripped"], found["wrong"], watch.wrong) == ([], [], []), (locale, path)
                shown.update(int(number) for number in MARK.findall(found["text"]))
                opened += 1
            await _signs_in_as(page, site.planted)
            assert (await page.evaluate(LOOK))["tripped"] == watch.wrong == []
            await close(context)
        seen = {site.planted.fields[number] for number in shown & site.planted.fields.keys()}
        record_property("figure", f"{opened} pages, {len(site.planted.fields)} fields, {len(seen)} of them shown")
        assert len(seen) >= SEEN_AT_LEAST, seen


async def _signs_in_as(page: Page, planted: Planted) -> None:
    """Type a hostile name where one signs in: it comes back in the field."""
    await page.context.set_extra_http_headers({})
    text = planted.text(200)
    await page.goto("/sign-in")
    await page.fill("input[name=login]", text)
    await page.fill("input[name=password]", text)
    async with page.expect_navigation():
        await page.press("input[name=password]", "Enter")
    assert await page.input_value("input[name=login]") == text


@pytest.mark.browser
@pytest.mark.long
@pytest.mark.parametrize("planted", ["<script>xss()</script>", "<img src=x onerror=xss()>", "<b data-xss=1>"])
async def test_the_tripwire_trips(planted: str) -> None:
    """On a page that does put text into itself."""
    async with chromium() as browser:
        context = await browser.new_context()
        await context.add_init_script(f"({TRIPWIRE})()")
        page = await context.new_page()
        policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'self'\">"
        await page.route("**/*", lambda route: route.fulfill(content_type="text/html", body=policy + planted))
        await page.goto("http://localhost:9/")
        found = await page.evaluate(LOOK)
        assert found["tripped"] or found["wrong"]


def test_the_reader_reads() -> None:
    for planted in (*KINDS[:2], "<a href='javascript:xss()'>", "<script>xss()</script>", "<p onclick=x>"):
        reader = Reader()
        reader.feed(f"<p>{planted.format(n=1) if '{n}' in planted else planted}</p>")
        assert reader.wrong, planted
