"""Journeys while the centre dies and comes back, and on a slow link: nothing lost or doubled."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import CDPSession, Page, expect

from tests.e2e.journeys.conftest import Note
from tests.e2e.journeys.stage import LOOKS, PATIENT_MS, Stage
from tests.e2e.journeys.steps import (
    approve,
    confirm,
    id_in,
    propose,
    ready_message,
    release,
    say_now,
    send,
    stop,
)
from tests.web.browser import slow_down

pytestmark = [
    pytest.mark.browser,
    pytest.mark.broker,
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
LOST = ("ERR_", "Failed to load resource", "Failed to fetch", "htmx", "EventSource", "NetworkError")
"""What a browser says while nobody answers."""
FIRST_PAGE_BYTES = 200_000
"""Compressed, all that a browser without a cache fetches: the issue's bound."""
USABLE = "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
"""Milliseconds after which the page stands and its scripts have run."""
WHOLE = "() => loa.later().then(() => performance.getEntriesByName('loa:whole')[0].startTime)"
"""Milliseconds after which those have run, too, that come later: what keeps, sends and hears of news."""


@asynccontextmanager
async def away(stage: Stage, page: Page) -> AsyncIterator[None]:
    """Kill the centre and its broker for this block, as the page sees; then wait until the page has healed."""
    centre = stage.commune.centre
    assert centre is not None
    await centre.stop(signal.SIGKILL)
    yield
    await expect(page.locator("#link-lost")).to_be_visible(timeout=PATIENT_MS)
    await stage.commune.start_centre()
    await expect(page.locator("#link-lost")).to_be_hidden(timeout=PATIENT_MS)
    await stage.commune.until_online(90)


async def test_a_recording_goes_on_while_the_centre_restarts_and_is_sent_once(stage: Stage) -> None:
    before = len(await stage.broadcasts())
    async with stage.way("operator", expected=LOST) as way:
        page = way.page
        await page.locator(".doings a[href='/say']").tap()
        await page.locator("#record .start").tap()
        await expect(page.locator("#record .length")).to_have_text("0:02", timeout=PATIENT_MS)
        async with away(stage, page):
            await expect(page.locator("#record .length")).not_to_have_text("0:02", timeout=PATIENT_MS)
        said = await page.locator("#record .length").inner_text()
        await page.locator("#record .done").tap()
        await send(way)
        broadcast_id = id_in(page)
    assert len(await stage.broadcasts()) == before + 1
    run = await stage.commune.call("GET", f"/broadcasts/{broadcast_id}")
    minutes, seconds = map(int, said.split(":"))
    assert run["length_ms"] >= (60 * minutes + seconds - 1) * 1000, "nothing of it is lost"
    assert [play["outcome"] for play in await stage.over(broadcast_id)] == ["played"] * 3


async def test_a_form_that_was_half_filled_is_kept_over_a_restart_and_sends_once(stage: Stage) -> None:
    before = len(await stage.broadcasts())
    await stage.sound("Họp thôn")
    async with stage.way("operator", expected=LOST) as way:
        page = way.page
        await page.goto("/say")
        await page.locator("#recent summary").tap()
        await page.locator("#recent button").first.tap()
        await expect(page.locator("#recording [data-title]")).to_be_visible()
        await page.locator("#named summary").tap()
        await page.locator("#title").fill("Họp thôn tối nay")
        async with away(stage, page):
            await page.locator("#title").fill("Họp thôn tối nay, nhà văn hóa")
        await expect(page.locator("#title")).to_have_value("Họp thôn tối nay, nhà văn hóa")
        await expect(page.locator("#recording [data-title]")).to_be_visible()
        await send(way)
        await expect(page.locator("h1")).to_contain_text("Họp thôn tối nay, nhà văn hóa")
        broadcast_id = id_in(page)
    assert len(await stage.broadcasts()) == before + 1
    assert [play["outcome"] for play in await stage.over(broadcast_id)] == ["played"] * 3


async def test_an_emergency_under_way_is_still_there_after_a_restart_and_sounds_once(stage: Stage) -> None:
    flood = await ready_message(stage, "Vỡ đê")
    async with stage.way("operator", expected=LOST) as first:
        emergency_id = await propose(first, flood)
        async with stage.way("leader", expected=LOST) as second:
            await confirm(second)
        emergency = await stage.commune.call("GET", f"/emergencies/{emergency_id}")
        await stage.sounded(emergency["broadcast_id"])
        async with away(stage, first.page):
            await expect(first.page.locator("#emergency")).to_be_visible()  # what was known stays
        plays = await stage.over(emergency["broadcast_id"], 120)
        await expect(first.page.locator("#emergency .count")).to_contain_text("3", timeout=PATIENT_MS)
    assert [play["outcome"] for play in plays] == ["played"] * 3
    found = await stage.commune.call("GET", "/emergencies")
    assert [each["id"] for each in found] == [emergency_id]


async def fetched(session: CDPSession, sizes: dict[str, float]) -> None:
    """Count what a page fetches, as it came over the wire."""
    urls: dict[str, str] = {}

    def answered(told: dict[str, Any]) -> None:
        urls[told["requestId"]] = told["response"]["url"]

    def ended(told: dict[str, Any]) -> None:
        sizes[urls.get(told["requestId"], told["requestId"])] = told["encodedDataLength"]

    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", ended)
    await session.send("Network.enable")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", ["/today", "/say", "/approvals"])
async def test_a_first_page_is_light_and_stands_on_a_slow_link(stage: Stage, note: Note, look: str, path: str) -> None:
    """400 kbit/s and 400 ms, nothing in the cache. Its bytes are asserted, its time as the journeys' are."""
    async with stage.seat("leader", look) as (page, _):
        await page.goto("about:blank")
        sizes: dict[str, float] = {}
        await fetched(await page.context.new_cdp_session(page), sizes)
        await slow_down(page)
        await page.goto(path, wait_until="load", timeout=PATIENT_MS)
        usable_ms, whole_ms = await page.evaluate(USABLE), await page.evaluate(WHOLE)
        await expect(page.locator(".stopbar button.stop")).to_be_enabled()
        figures = {"bytes": round(sum(sizes.values())), "requests": len(sizes), "usable_s": round(usable_ms / 1000, 2)}
        figures["whole_s"] = round(whole_ms / 1000, 2)
        note(f"slow link {path}", look, {**figures, "issue": "200 KB, 2 s"})
    assert len(sizes) > 1, "a page and its parts were counted"
    assert sum(sizes.values()) <= FIRST_PAGE_BYTES, sizes


async def test_it_is_said_approved_and_silenced_on_a_slow_link_in_as_many_taps(stage: Stage, note: Note) -> None:
    """What a page fetched is in the cache from then on. How long it takes is told, not asserted."""
    await stage.ask_second_person({})
    try:
        async with stage.way("operator") as way:
            await slow_down(way.page, caching=True)
            await say_now(way, 4)  # a sound that nobody heard yet
            broadcast_id, title = id_in(way.page), await way.page.locator("h1").inner_text()
            note("say now, slow link", "phone-vi", await way.done(4))
        assert [play["started_at"] for play in await stage.plays(broadcast_id)] == [None] * 3
        async with stage.way("leader") as way:
            await slow_down(way.page, caching=True)
            await approve(way, title)
            note("leader approves, slow link", "phone-vi", await way.done(3))
        assert [play["outcome"] for play in await stage.over(broadcast_id)] == ["played"] * 3
    finally:
        await stage.ask_second_person()
    async with stage.way("operator") as way:
        await slow_down(way.page, caching=True)
        await stop(way)
        note("STOP, slow link", "phone-vi", await way.done(1))
    async with stage.way("operator") as way:
        await slow_down(way.page, caching=True)
        await release(way)
        note("release, slow link", "phone-vi", await way.done(2))
    assert await stage.commune.call("GET", "/holds") == []
