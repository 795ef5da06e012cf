"""What was pressed: sent once and shown as sent through any look of a live part, offered again, told when it failed."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import pytest
from playwright.async_api import Browser, ElementHandle, Page, Route, expect

from controller.people.rights import Role
from tests.web.browser import SMALL, page_of
from tests.web.harness import Commune, visitor
from tests.web.manners.sweeping import NO_SOUND, OPEN_ALL
from tests.web.pages import module_site
from tests.web.scenes import busy_day, planned_week
from tests.web.test_emergency_pages import message, propose, typed

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
BAD = (*NO_SOUND, "ERR_", "Failed to load resource", "htmx", "status of")
UNANSWERED = "Chưa có trả lời từ trung tâm"
HANG = """(taken) => {
  window.sent = 0;
  const { setTimeout } = window;
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) window.sent += 1;
    if (taken) event.preventDefault();
  });
  window.setTimeout = (act, ms, ...more) => (ms === 20000 ? ((window.atLast = act), 0) : setTimeout(act, ms, ...more));
}"""
"""Counts what is sent, and with ``taken`` lets none of it out; ``atLast()`` is the end of patience."""
LOOK = """(button) => new Promise((done) => {
  const part = button.closest("[data-live]");
  part.addEventListener("htmx:finally:request", () => done(), { once: true });
  part.dispatchEvent(new CustomEvent("loa:look"));
  setTimeout(done, 400); // held back: nothing was asked for
})"""
LOOKED = LOOK.replace("  setTimeout(done, 400); // held back: nothing was asked for\n", "")
"""A look that is answered, however long it takes."""
STATE = """(button) => [button.form.dataset.sent ?? "", button.getAttribute("aria-disabled") ?? "",
  button.querySelector("[data-word]").textContent, window.sent]"""
BUTTONS = """[...document.querySelectorAll("[data-live] button")].filter((each) =>
  each.type === "submit" && !each.disabled && each.form?.hasAttribute("data-once"))"""
"""What sends from a part of the page that keeps itself up to date."""
PRESS = "(button) => button.click()"


async def twice(button: ElementHandle) -> list[object]:
    """Press it, let its part look at the centre, press it again; gives what it says then and how often it was sent."""
    await button.evaluate(PRESS)
    await button.evaluate(LOOK)
    await button.evaluate(PRESS)
    found: list[object] = await button.evaluate(STATE)
    return found


PRESSED = f"""async (yes, cancel) => {{
  const look = {LOOK}, looked = {LOOKED}, state = {STATE}, told = [], acts = [];
  const at = (each) => document.querySelector(each);
  const tell = (each) => told.push([...state(at(each)), document.querySelectorAll("[data-note]").length]);
  const go = async (each) => {{
    const left = new Promise((done) => navigation.addEventListener("navigate", done, {{ once: true }}));
    at(each).click();
    await left;
    await look(at(each));
    at(each).click();
    tell(each);
  }};
  navigation.addEventListener("navigate", ({{ formData }}) => acts.push([formData?.get("act"), formData?.get("once")]));
  await go(yes);
  atLast();
  tell(yes);
  await look(at(yes));
  await go(yes); // its own second navigation takes the place of the first
  await go(cancel);
  tell(yes);
  const now = performance.now();
  performance.now = () => now + 4000; // when no second tap comes any more
  at("#emergency h1").textContent = "?";
  await looked(at(cancel));
  tell(cancel);
  told.push(at("#emergency h1").textContent);
  atLast();
  tell(cancel);
  console.log("told", JSON.stringify([told, acts]));
}}"""
"""All by the page's own scripts: while a page is on its way to another one, nobody else reaches into it."""


async def test_what_was_pressed_stays_pressed_while_the_page_looks_and_is_sent_once(
    site: Commune, browser: Browser
) -> None:
    """The second person's yes, and no answer: after a while it may be sent again, and that is said.

    What is pressed meanwhile is not given up with what it takes the place of, and what is around it goes on.
    """
    nam = await site.centre.somebody("nam", Role.APPROVER, site.root)
    session = await site.centre.session_of(nam)
    async with visitor(site) as first:
        path = await propose(first, typed(site, await message(site)))
    yes, cancel = "main form[data-once] button.main", "main form[data-once]:has([value=cancel]) button"
    taken: list[str] = []

    async def never(route: Route) -> None:
        taken.append(route.request.post_data or "")

    async with page_of(browser, site.url, viewport=SMALL, session=session, expected=BAD) as page:
        await page.goto(path)
        words = [await page.locator(each).inner_text() for each in (yes, cancel)]
        await page.evaluate(HANG, False)
        await page.route(f"**{path}", never)
        async with page.expect_console_message(lambda said: said.text.startswith("told")) as told:
            await page.evaluate(f"void ({PRESSED})({json.dumps(yes)}, {json.dumps(cancel)})")
        found, sent = json.loads((await told.value).text.removeprefix("told "))
    hangs = ["yes", "true", "Đang gửi…"]
    assert found == [
        [*hangs, 1, 0],
        ["", "", words[0], 1, 1],
        [*hangs, 2, 0],
        [*hangs, 3, 0],
        ["", "", words[0], 3, 0],
        [*hangs, 3, 0],
        "Lũ quét",
        ["", "", words[1], 3, 1],
    ]
    (first_act, key), (again, same_key), (last_act, other_key) = sent
    assert [first_act, again, last_act] == ["confirm", "confirm", "cancel"]
    assert key == same_key != other_key
    out = [parse_qs(each) for each in taken]  # one whose place is taken at once may not leave the browser at all
    assert [each for each in out if [each["act"][0], each["once"][0]] not in sent] == []
    assert out[-1]["act"] == ["cancel"]


STOPPED = """async () => {
  const button = document.querySelector(".stopbar button.stop"), told = [];
  const noted = () => document.querySelector("#main + [data-note]")?.textContent ?? "";
  const tell = () => told.push([button.textContent.trim(), noted(), window.sent]);
  const once = (name, act) => new Promise((done) => {
    navigation.addEventListener(name, () => setTimeout(done), { once: true });
    act();
  });
  for (const n of [1, 2]) await once("navigate", () => button.click());
  tell();
  atLast();
  tell();
  await once("navigate", () => button.click());
  tell();
  await once("navigateerror", () => window.stop());
  tell();
  console.log("told", JSON.stringify(told));
}"""


async def test_what_may_not_be_pressed_yet_does_not_light_up_under_the_hand(site: Commune, browser: Browser) -> None:
    colour = "(button) => getComputedStyle(button).backgroundColor"
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        # A copy: what may be sent goes by the preview, whose look may come at any moment.
        await page.evaluate("document.body.append(document.getElementById('send').cloneNode(true))")
        button = page.locator("body > #send")
        seen = {}
        for state in ("disabled", "aria-disabled"):
            await button.evaluate("(each, state) => each.setAttribute(state, 'true')", state)
            await page.mouse.move(0, 0)
            before = await button.evaluate(colour)
            await button.hover(force=True)
            seen[state] = (before, await button.evaluate(colour))
            await button.evaluate("(each, state) => each.removeAttribute(state)", state)
    assert [len(set(each)) for each in seen.values()] == [1, 1], seen


async def test_a_stop_without_an_answer_is_not_left_to_be_believed(site: Commune, browser: Browser) -> None:
    """Every press goes out. After a while, or when it was given up, the page says that nothing may have stopped."""

    async def never(route: Route) -> None:
        """Give no answer."""

    async with page_of(browser, site.url, viewport=SMALL, expected=BAD) as page:
        bar, note = page.locator(".stopbar"), page.locator("#main + [data-note]")
        word = (await bar.get_by_role("button").inner_text()).strip()
        await page.evaluate(HANG, False)
        await page.route("**/holds", never)
        async with page.expect_console_message(lambda said: said.text.startswith("told")) as told:
            await page.evaluate(f"void ({STOPPED})()")
        found = json.loads((await told.value).text.removeprefix("told "))
        doubt = found[1][1]
        assert "hãy coi như loa CHƯA dừng. Bấm lại" in doubt
        hangs = "Đang gửi lệnh dừng…"
        assert found == [[hangs, "", 2], [word, doubt, 2], [hangs, "", 3], [word, doubt, 3]]
        await expect(note).to_have_attribute("role", "alert")
        await expect(note).to_be_in_viewport(ratio=1)
        above, below = await note.bounding_box(), await bar.bounding_box()
        assert above is not None
        assert below is not None
        assert above["y"] + above["height"] <= below["y"]


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_on_every_live_part_two_presses_and_a_look_between_them_send_once(
    site: Commune, browser: Browser
) -> None:
    day, planned = await busy_day(site), await planned_week(site)
    await site.centre.services.holds.order(site.centre.actor, [site.hamlets["Thôn Trại"].scope])
    paths = ["/today", "/stop", "/alarms", "/faults", "/approvals", "/emergencies", *day.addresses(), *planned.values()]
    parts: set[str] = set()
    async with page_of(browser, site.url, viewport=SMALL, expected=BAD) as page:
        for path in dict.fromkeys(paths):
            await page.goto(path)
            await page.evaluate(OPEN_ALL)
            await page.evaluate(HANG, True)
            for n in range(await page.evaluate(f"{BUTTONS}.length")):
                parts.add(await pressed(page, n, path))
    assert parts >= {"strip", "holds", "alarms", "faults", "decision", "emergency", "broadcast"}, parts


async def pressed(page: Page, n: int, path: str) -> str:
    """Press the n-th button twice; gives the part of the page that it stands in."""
    button = (await page.evaluate_handle(f"{BUTTONS}[{n}]")).as_element()
    assert button, path
    part: str = await button.evaluate(
        "(each) => { window.sent = 0; each.form.noValidate = true; return each.closest('[data-live]').id; }"
    )
    sent, dead, word, posts = await twice(button)
    where = f"{path}, {part}: {word}"
    assert (sent, dead, posts) == ("yes", "true", 1), where
    assert str(word).startswith("Đang"), where
    await page.evaluate("atLast()")
    await expect(page.locator("[data-note]").first).to_contain_text(UNANSWERED)
    return part


async def test_what_a_page_asked_for_and_did_not_get_is_said_beside_what_was_pressed(
    site: Commune, browser: Browser
) -> None:
    """A machine's voice: a lost link, a centre in trouble, one that says why; while it works it says that too."""

    async def says_why(route: Route) -> None:
        await route.fulfill(status=409, body="<p data-said>Trung tâm đang bận.</p>", content_type="text/html")

    answers: list[tuple[Callable[[Route], Awaitable[None]], str]] = [
        (lambda route: route.abort(), "trung tâm chưa trả lời"),
        (lambda route: route.fulfill(status=503, body="x"), "trung tâm đang có lỗi"),
        (says_why, "Trung tâm đang bận."),
    ]
    async with page_of(browser, site.url, viewport=SMALL, expected=BAD) as page:
        await page.goto("/say")
        await page.evaluate(OPEN_ALL)
        speak, note = page.locator("#speak"), page.locator("#typed [data-note]")
        word = await speak.inner_text()
        for answer, words in answers:
            await refused(page, answer)
            await expect(note).to_contain_text(words)
            await expect(speak).to_have_text(word)
        await page.fill("#text", "Mời bà con họp lúc 19 giờ")
        await speak.click()
        await expect(page.locator("#recording")).not_to_be_empty()
        await expect(note).to_have_count(0)
        await a_preview_in_vain(page)


async def a_preview_in_vain(page: Page) -> None:
    """Type without a link: what was shown says that it is old, and nothing moves below the hand that types."""
    old = page.locator("#preview + [data-note]")
    where = "document.querySelector('#title').getBoundingClientRect().top"
    await page.evaluate(f"scrollTo(0, {where} + scrollY - 200)")
    await page.focus("#title")
    await page.route("**/say/preview", lambda route: route.abort())
    at = await page.evaluate(where)
    for title in ("Họp", "Họp thôn"):
        async with page.expect_event("requestfailed", lambda request: request.url.endswith("/say/preview")):
            await page.locator("#title").press_sequentially(title)
    await expect(old).to_contain_text("phần này còn của lúc trước")
    await expect(old).to_have_attribute("role", "status")
    assert abs(await page.evaluate(where) - at) < 2
    await page.unroute_all(behavior="wait")
    await page.locator("#title").press_sequentially(" tối nay")
    await expect(old).to_have_count(0)


async def refused(page: Page, answer: Callable[[Route], Awaitable[None]]) -> None:
    """Have words read aloud by a centre that takes its time and then does not."""
    release, speak = asyncio.Event(), page.locator("#speak")

    async def slow(route: Route) -> None:
        await release.wait()
        await answer(route)

    await page.route("**/say/speech", slow)
    await speak.click()
    await expect(speak).to_have_attribute("aria-disabled", "true")
    await expect(speak).to_have_text(re.compile("^\\s*Đang"))
    release.set()
    await expect(speak).not_to_have_attribute("aria-disabled", "true")
    await page.unroute_all(behavior="wait")
