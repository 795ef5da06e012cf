"""What people do on the pages, tap by tap, in any language: found by addresses and ids, as a hand finds its way."""

import re
import time

from playwright.async_api import Locator, Page, expect

from tests.e2e.journeys.stage import PATIENT_MS, Row, Stage, Way
from tests.e2e.waiting import until

SEEN_WHOLE = """(part) => {
  const own = part.getBoundingClientRect(), bar = document.querySelector(".stopbar").getBoundingClientRect();
  const apart = own.bottom <= bar.top || own.top >= bar.bottom || own.right <= bar.left || own.left >= bar.right;
  return own.top >= 0 && own.bottom <= innerHeight && apart;
}"""

SETTLED_S = 5
"""Letters, and answers that are on their way, move what stands below them; nobody rolls meanwhile."""


async def in_first_window(part: Locator) -> None:
    """Nothing has to be rolled for it, and STOP's bar, which stands over the page, covers none of it."""
    await part.page.wait_for_load_state()  # until then its letters and the bar may stand elsewhere
    try:
        await until(lambda: part.evaluate(SEEN_WHOLE), SETTLED_S, f"{part} whole in the first window")
    except AssertionError as unseen:
        unseen.add_note(f"it stands at {await part.bounding_box()}")
        raise


def id_in(page: Page) -> str:
    """Give the id in the address of a page."""
    return page.url.partition("?")[0].rpartition("/")[2]


async def record(way: Way, seconds: int = 2) -> None:
    """Record from Hôm nay, and say that it is done."""
    page = way.page
    await page.locator(".doings a[href='/say']").tap()
    await page.locator("#record .start").tap()
    with way.speaking():
        await expect(page.locator("#record .length")).to_have_text(f"0:0{seconds}", timeout=PATIENT_MS)
    await page.locator("#record .done").tap()


async def send(way: Way) -> float:
    """Send what is on the page; gives when it was pressed, in seconds since 1970."""
    page = way.page
    await expect(page.locator("#preview .sentence")).to_be_visible(timeout=PATIENT_MS)
    if await page.locator("[name=confirm_unusual]").count():  # by the real clock it may be night: a tap more, by design
        await page.locator("[name=confirm_unusual]").tap()
        way.besides += 1
    sent_at = time.time()
    await page.locator("#send").tap()
    await page.wait_for_url("**/broadcasts/*")
    return sent_at


async def say_now(way: Way, seconds: int = 2) -> float:
    """Say something to one's whole commune from Hôm nay; gives when Send was pressed, in seconds since 1970."""
    await record(way, seconds)
    return await send(way)


async def plan_tomorrow(way: Way, template: Row, bulletin: Row, hour: str = "05:00") -> None:
    """Plan a template for tomorrow with a bulletin in its slot."""
    page = way.page
    await page.locator(".doings a[href='/schedules/new']").tap()
    await page.locator(f"a[href$='template={template['id']}']").tap()
    await choose(page, f"input[value='{bulletin['id']}']")
    await choose(page, ".near .chips label:nth-of-type(2) input")  # the day after today
    await choose(page, f".hours input[value='{hour}']")
    await expect(page.locator("#preview")).to_contain_text(hour)
    await page.locator("button[name=save]").tap()
    await page.wait_for_url(re.compile("/schedules(/(?!new)|\\?|$)"))


async def choose(page: Page, one: str) -> None:
    """Touch the label of what is to be chosen, unless it is chosen already."""
    if not await page.locator(one).is_checked():
        await page.locator(one).locator("xpath=ancestor::label").tap()


async def approve(way: Way, title: str) -> None:
    """Hear what waits for one's yes, all of it, and say yes."""
    page = way.page
    await page.locator(".ways a[href='/approvals']").tap()
    await expect(page.get_by_role("heading", name=title)).to_be_visible()
    yes = page.locator("#decision form > button.main")
    await expect(yes).to_be_disabled()
    with way.speaking():
        await page.locator(".player button").first.tap()
        await expect(yes).to_be_enabled(timeout=2 * PATIENT_MS)
    if await page.locator("[name=confirm_unusual]").count():
        await page.locator("[name=confirm_unusual]").tap()
        way.besides += 1
    await yes.tap()
    await page.wait_for_url("**/approvals?done=approved")


async def propose(way: Way, message: Row) -> str:
    """Propose an emergency to all of one's commune; gives its id."""
    page = way.page
    await page.locator(".doings a.alert").tap()
    await expect(page.locator(".q-whom")).to_be_hidden()  # one question at a time
    await page.locator(f".message:has(input[value='{message['id']}'])").tap()
    await page.locator(".tree .choice").first.tap()
    await expect(page.locator("#preview .count")).to_be_visible()
    await page.locator("button[name=propose]").tap()
    await expect(page.locator("#emergency")).to_be_visible()
    return id_in(page)


async def confirm(way: Way, *, long_names: bool = False) -> None:
    """Confirm what somebody else proposed; with names of some lines it need not stand in the first window."""
    page = way.page
    await page.locator("#strip a[href^='/emergencies/']").tap()
    yes = page.locator("#emergency form:has(input[value=confirm]) button")
    if not long_names:
        await in_first_window(yes)
    await yes.tap()
    await expect(page.locator("#emergency .standings, #emergency .standing").first).to_be_visible()


async def break_glass(way: Way) -> None:
    """Decide alone, with the first of the reasons."""
    page = way.page
    await page.locator("#break-glass > summary").tap()
    await page.locator(".glass button").first.tap()
    await expect(page.locator("[data-countdown]")).to_be_visible()


async def stop(way: Way) -> None:
    """Silence everything."""
    await way.page.locator(".stopbar button.stop").tap()
    await way.page.wait_for_url("**/stop?done=ordered")


async def release(way: Way) -> None:
    """Let it sound again, from any page."""
    line = way.page.locator("#strip details[id^='release-']")
    await line.locator("summary").tap()
    await line.locator("form button").tap()
    await expect(line).to_have_count(0)


async def call_helper(way: Way, phone: str) -> None:
    """Go from the problem that stands on every page to a call of whoever is near the node."""
    page = way.page
    if await page.locator("#problems summary").count():
        await page.locator("#problems summary").tap()
        await page.locator("#problems a").first.tap()
    else:
        await page.locator("#strip .row.fault a").first.tap()
    call = page.locator("a.call").first
    await expect(call).to_have_attribute("href", f"tel:{phone.replace(' ', '')}")
    await call.tap()


async def ready_message(stage: Stage, title: str = "Lũ quét", seconds: float = 6) -> Row:
    """Have a message of an emergency lie ready."""
    recording = await stage.sound(title, seconds)
    voices = [{"language": "vi", "text": f"{title}! Sơ tán ngay.", "recording_id": recording["id"]}]
    wanted = {"area_id": stage.commune.areas["commune"], "kind": "alert", "title": title, "voices": voices}
    found: Row = await stage.commune.call("POST", "/messages", json=wanted)
    return found
