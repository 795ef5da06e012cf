"""The first day, in a browser: from a centre in which nothing is to the first words at a node, counted.

What there is at the start: a centre whose first administrator was made at its machine, and a node on the table that
shows its code. A microphone hears a file.
"""

import re
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Request, expect

from audio import correlate
from controller.demo.check import MAX_HZ, MIN_CORRELATION, VirtualRecording
from controller.demo.commune import LOGIN, Commune, DemoNode, NodeSpec
from controller.demo.processes import Program, script
from tests import sounds
from tests.e2e.journeys.conftest import Note
from tests.e2e.journeys.stage import PATIENT_MS, VOICE_S, last_start
from tests.e2e.journeys.steps import id_in
from tests.e2e.waiting import until
from tests.web.browser import SMALL, Taps, chromium, hearing, page_of, taps

pytestmark = [
    pytest.mark.browser,
    pytest.mark.broker,
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
NODE = NodeSpec("", "Nhà văn hóa thôn Đồng")
CODE = re.compile(r"\b[2-9A-Z]{4}-[2-9A-Z]{4}\b")
STEPS, FIELDS = 4, 5
"""Forms sent, signing in counted, and fields that have to be filled in by hand; besides, a sentence is recorded."""
MOST_SOUND_S = 10
"""That it sounds at all after Send, on a machine that does much else."""
REQUIRED = """(form) => [...document.querySelector(form).elements]
  .filter((each) => (each.required || each.ariaRequired === "true") && !each.value && each.checkVisibility())
  .map((each) => each.name)"""


class FirstDay(Commune):
    """A centre in which nobody has done anything, and the agent of one node."""

    async def enrol(self) -> Program:
        """Let a node ask to be taken in; it shows its code until somebody types that."""
        folder = self.folder / "node"
        folder.mkdir()
        argv = [script("loa-agent"), "enroll", "--state", str(folder), "--server", self.media_url]
        argv += ["--ca-sha256", self.ca_sha256()]
        return await Program.start("loa-agent enroll", argv, env=self.env, log=folder / "enroll.log")

    async def begin(self) -> DemoNode:
        """Start the node that was taken in; gives it once the centre sees it online."""
        [found] = await self.call("GET", "/nodes")
        node = DemoNode(NODE, found["id"], found["area_id"], self.folder / "node")
        self.nodes = [node]
        await self.start_node(node)
        await self.until_online()
        return node

    async def know_no_quiet_hours(self) -> None:
        """Let the hour at which this runs decide nothing."""
        for area in await self.call("GET", "/areas"):
            await self.call("PATCH", f"/areas/{area['id']}", json={"quiet_hours": []})


@pytest_asyncio.fixture(loop_scope="module")
async def empty(tmp_path: Path) -> AsyncIterator[FirstDay]:
    centre = FirstDay(tmp_path, ())
    async with aclosing(centre.api):
        try:
            await centre.start_centre(first=True)
            yield centre
        finally:
            await centre.stop()


async def fill_in(page: Page, form: str, **typed: str) -> int:
    """Type what a form asks for, and nothing else, and send it by its button; gives how many fields that took."""
    needed = await page.evaluate(REQUIRED, form)
    assert sorted(needed) == sorted(typed)
    for name, value in typed.items():
        await page.locator(f"{form} [name={name}]").tap()
        await page.keyboard.type(value)
    await page.locator(f"{form} button.main").tap()
    return len(needed)


async def say_first_words(page: Page) -> tuple[float, int]:
    """Record a sentence from the link of the last step and send it; gives when, and the taps for the hour."""
    besides = 0
    await page.locator("a.main[href='/say']").tap()
    await page.locator("#record .start").tap()
    await expect(page.locator("#record .length")).to_have_text("0:02", timeout=PATIENT_MS)
    await page.locator("#record .done").tap()
    await expect(page.locator("#send")).to_contain_text("toàn Xã Nga My · 1 cụm", timeout=PATIENT_MS)
    assert await page.evaluate(REQUIRED, "#say") == []
    if await page.locator("[name=confirm_unusual]").count():  # by the real clock it may be night
        await page.locator("[name=confirm_unusual]").tap()
        besides = 1
    sent_at = time.time()
    await page.locator("#send").tap()
    await page.wait_for_url("**/broadcasts/*")
    return sent_at, besides


def sent_forms(page: Page) -> list[str]:
    """Give the addresses of the forms that this page sends from now on."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.is_navigation_request() and not request.redirected_from:
            sent.append(request.url.rpartition("/")[2])

    page.on("request", note)
    return sent


async def set_up(page: Page, empty: FirstDay, counted: Taps) -> tuple[int, DemoNode]:
    """Go the steps until a node is online; gives the fields they took, and the node."""
    await page.goto("/")
    fields = await fill_in(page, "form[action='/sign-in']", login=LOGIN, password=empty.password)
    await page.wait_for_url("**/setup")
    fields += await fill_in(page, "form[action='/setup/places']", name="Xã Nga My")
    await page.wait_for_url("**/setup?done=setup_places")
    await empty.know_no_quiet_hours()
    program = await empty.enrol()
    try:
        shown = await until(lambda: CODE.search(program.log.read_text(errors="replace")), 30, "a code on the node")
        assert shown
        fields += await fill_in(page, "form[action='/setup/node']", code=shown[0], name=NODE.name)
        await page.wait_for_url("**/setup?done=node")
        assert await program.process.wait() == 0, program.last_words()
    finally:
        await program.stop()
    await counted.read()
    return fields, await empty.begin()


async def test_from_an_empty_centre_to_the_first_words_that_sound(empty: FirstDay, note: Note, tmp_path: Path) -> None:
    voice = tmp_path / "voice.wav"
    voice.write_bytes(sounds.encoded(sounds.speech(VOICE_S), "wav"))
    given: dict[str, Any] = {"viewport": SMALL, "has_touch": True, "session": "nobody"}
    async with chromium(*hearing(voice)) as browser, page_of(browser, empty.url, **given) as page:
        page.set_default_timeout(PATIENT_MS)
        await page.context.clear_cookies()
        sent = sent_forms(page)
        async with taps(page) as counted:
            begun_s = time.monotonic()
            fields, node = await set_up(page, empty, counted)
            sent_at, besides = await say_first_words(page)
            took_s = time.monotonic() - begun_s
        assert sent == ["sign-in", "places", "node", "say"]
        assert (len(sent), fields) == (STEPS, FIELDS)
        broadcast_id = id_in(page)

        async def sounded() -> list[dict[str, Any]]:
            plays: list[dict[str, Any]] = await empty.call("GET", f"/broadcasts/{broadcast_id}/plays")
            return plays if plays and all(play["started_at"] for play in plays) else []

        sound_s = last_start(await until(sounded, 60, "the node sounds")) - sent_at
        assert sound_s <= MOST_SOUND_S
        await expect(page.locator("#broadcast .mark").first).to_contain_text(
            "Thiết bị đã phát: 1/1 cụm", timeout=PATIENT_MS
        )
        await page.goto("/setup")
        await expect(page.locator("main")).to_contain_text("Đã xong. Trung tâm phát được rồi.")
    [play] = await empty.until_over(broadcast_id, timeout_s=60)
    assert play["outcome"] == "played"
    run = await empty.call("GET", f"/broadcasts/{broadcast_id}")
    recording = await empty.call("GET", f"/recordings/{run['items'][0]['recording_id']}")
    assert recording["origin"] == "recorded"
    reference = await correlate.load(node.folder / "media" / f"{recording['sha256']}.opus")
    found = correlate.compare(reference, VirtualRecording(node.folder).samples, max_hz=MAX_HZ)
    assert [match.correlation >= MIN_CORRELATION for match in found.matches] == [True]
    row = {
        "taps": counted.taps - besides,
        "besides": besides,
        "seconds": round(took_s, 1),
        "sound_s": round(sound_s, 2),
    }
    told = f"counted: {len(sent)} steps, {fields} required fields, one recording"
    note("first start, from an empty centre", "phone-vi", row | {"issue": told})
