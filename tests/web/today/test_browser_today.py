"""STOP and a broadcast in Chromium: one press, live, and honest about who has not answered."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, Route, expect

from controller.emergencies.schemas import EmergencyIn, MessageIn
from edge_agent.protocol.states import Grade, PlayState, Reason
from tests.web.browser import PC, PHONE, SMALL, page_of, taps
from tests.web.harness import NODES, Commune
from tests.web.pages import module_site
from tests.web.scenes.sent import sent

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
STOP = ".stopbar button"


async def test_stop_is_one_press_for_everything_and_its_release_another(site: Commune, browser: Browser) -> None:
    """By finger or by Enter; a second press in the same place, as of a shaking hand, orders silence again."""
    for size in (PC, PHONE):
        async with page_of(browser, site.url, viewport=size) as page:
            await page.locator(STOP).focus()
            await page.keyboard.press("Enter")
            await page.wait_for_url("**/stop?done=ordered")
            [hold] = await site.centre.services.holds.active(site.centre.actor)
            assert hold.scope == site.root.scope
            held = page.locator("#holds")
            await expect(page.locator("[role=status]")).to_contain_text("Bấm nhầm")
            await expect(held).to_contain_text("0/4 cụm đã im")
            await expect(held).to_contain_text("Cổng chợ Trại")
            await page.locator(STOP).click()
            await page.wait_for_load_state()
            assert [each.id for each in await site.centre.services.holds.active(site.centre.actor)] == [hold.id]
            for node in site.nodes.values():
                site.centre.hears(node.id, holds=[hold.id])
            await expect(held).to_contain_text("4/4 cụm đã im", timeout=20_000)
            await expect(held).not_to_contain_text("Cổng chợ Trại")
            await held.get_by_role("button", name="Bỏ lệnh dừng, cho phát lại").click()
            await expect(held).to_contain_text("Không có lệnh dừng nào")
            assert await site.centre.services.holds.active(site.centre.actor) == []
            for node in site.nodes.values():
                site.centre.hears(node.id, holds=[])


async def test_one_place_is_stopped_and_stands_until_released(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, viewport=PHONE) as page:
        await page.get_by_role("link", name="Dừng một nơi").click()
        await page.get_by_label("Thôn Trại").check()
        await page.get_by_role("button", name="DỪNG Ở NƠI NÀY").click()
        strip = page.locator("#strip")
        await expect(strip).to_contain_text("Đang tạm ngừng phát: Thôn Trại")
        await expect(strip).to_contain_text("0/2 cụm đã im")
        [hold] = await site.centre.services.holds.active(site.centre.actor)
        for name in ("Đầu làng Trại", "Cổng chợ Trại"):
            site.centre.hears(site.nodes[name].id, holds=[hold.id])
        await expect(strip).to_contain_text("2/2 cụm đã im", timeout=20_000)
        await page.goto("/today")
        await expect(page.get_by_text("người ra lệnh")).to_be_hidden()  # one line until somebody asks
        await page.get_by_text("Xem và bỏ lệnh dừng", exact=True).click()
        await expect(page.get_by_text("người ra lệnh")).to_be_visible()
        await page.get_by_role("button", name="Bỏ lệnh dừng, cho phát lại").click()
        await expect(strip).not_to_contain_text("Đang tạm ngừng")
    assert await site.centre.services.holds.active(site.centre.actor) == []


async def test_a_stop_whose_request_was_lost_is_sent_by_the_next_press(site: Commune, browser: Browser) -> None:
    lost: list[str] = []

    async def lose_the_first(route: Route) -> None:
        if lost or route.request.method != "POST":  # a part of the page is read from such an address too
            await route.continue_()
        else:
            lost.append(route.request.url)
            await route.abort("aborted")  # given up: the page stays as it is

    async with page_of(browser, site.url) as page:
        await page.route("**/holds", lose_the_first)
        for start in ("/today", "/stop"):
            lost.clear()
            await page.goto(start)
            button = page.locator(STOP if start == "/today" else "main form[action='/holds'] button")
            async with page.expect_event("requestfailed", lambda request: request.method == "POST"):
                await button.click(no_wait_after=True)
            assert await site.centre.services.holds.active(site.centre.actor) == []
            await button.click()
            await page.wait_for_url("**/stop?done=ordered")
            [hold] = await site.centre.services.holds.active(site.centre.actor)
            await site.centre.services.holds.release(site.centre.actor, hold.id)


async def test_a_report_appears_without_touching_the_page(site: Commune, browser: Browser) -> None:
    run = await site.broadcast("Bản tin", "Thôn Trại", start_at=site.centre.clock() + timedelta(hours=1))
    async with page_of(browser, site.url) as page:
        await page.goto(f"/broadcasts/{run.id}")
        await expect(page.locator("#broadcast")).to_contain_text("Đang gửi xuống cụm: 0/2")
        await expect(page.locator("#undo button")).to_be_visible()
        await site.reach(run, PlayState.CACHED, "Đầu làng Trại", "Cổng chợ Trại")
        await expect(page.locator("#broadcast")).to_contain_text("Đã sẵn sàng tại 2 cụm")
        site.centre.clock.step(hours=1)
        await site.played(run, "Đầu làng Trại", "Cổng chợ Trại", simulated=True)
        await expect(page.locator("#broadcast")).to_contain_text("Thiết bị đã phát: 2/2 cụm")
        await expect(page.locator("#group-played")).to_contain_text("2")
        await expect(page.locator("#broadcast .simulated").first).to_be_visible()


async def in_the_morning(site: Commune) -> str:
    """Let the bulletin of 05:00 sound everywhere and look at 07:00; gives the id of its row."""
    clock = site.centre.clock
    clock.now = clock().replace(hour=21, minute=59, second=55) - timedelta(days=1)
    at_five = clock().replace(hour=22, minute=0, second=0)
    run = await site.broadcast("Bản tin sáng của Đài truyền thanh xã Nga My", length_ms=900_000, start_at=at_five)
    clock.step(minutes=16)
    await site.played(run, *site.nodes, grade=Grade.E2)
    clock.step(minutes=104)
    for node in site.nodes.values():
        site.centre.hears(node.id)
    return f"#run-{run.id}"


async def in_an_emergency(site: Commune) -> None:
    """Propose an alert for the whole commune."""
    sound = await site.centre.recording("Lũ quét", length_ms=15_000)
    voices = [{"language": "vi", "text": "Lũ quét đang về. Sơ tán ngay.", "recording_id": sound}]
    ready = {"area_id": site.root.id, "kind": "alert", "title": "Lũ quét ở thượng nguồn sông Đà", "voices": voices}
    services, actor = site.centre.services, site.centre.actor
    message = await services.messages.create(actor, MessageIn.model_validate(ready))
    wanted = {"message_id": message.id, "targets": [site.root.scope]}
    await services.emergencies.propose(actor, EmergencyIn.model_validate(wanted))


SEEN = """(selector) => {
  const box = document.querySelector(selector).getBoundingClientRect();
  const bar = document.querySelector(".stopbar").getBoundingClientRect();
  return [Math.round(box.top), Math.round(box.bottom), Math.round(bar.top), innerHeight];
}"""
"""Where a part stands in the window, and where the bar of STOP begins."""


async def test_whether_05_00_sounded_everywhere_is_seen_without_a_tap(site: Commune, browser: Browser) -> None:
    """At 360×780, on a calm day and with an emergency on top: the sentence, and the row of 05:00 itself."""
    row = await in_the_morning(site)
    async with page_of(browser, site.url, viewport=SMALL) as page:
        for is_calm in (True, False):
            if not is_calm:
                await in_an_emergency(site)
                await page.goto("/today")
                await expect(page.locator("#strip")).to_contain_text("KHẨN CẤP")
            async with taps(page) as counted:
                await expect(page.locator("#answer")).to_contain_text("4/4 cụm có tín hiệu ra loa")
                for part in ("#answer", row):
                    top, bottom, bar, _ = await page.evaluate(SEEN, part)
                    assert 0 <= top < bottom <= bar, (is_calm, part, top, bottom, bar)
            assert (counted.taps, counted.keys) == (0, 0)


async def test_why_unfolds_where_it_is_asked_and_stays_while_the_page_renews_itself(
    site: Commune, browser: Browser
) -> None:
    failed = await site.broadcast("Mất nước")
    *well, missed = site.nodes
    await site.played(failed, *well, grade=Grade.E2)
    await site.missed(failed, missed, Reason.NO_FILE)
    async with page_of(browser, site.url, viewport=SMALL, has_touch=True) as page:
        async with taps(page) as counted:
            await page.locator(".asks summary").tap()
            answer = page.locator(".asks .inside")
            await expect(answer).to_contain_text("Cụm chưa tải được tệp")
        assert counted.taps == 1
        async with page.expect_response("**/today/live"):
            await site.broadcast("Họp thôn", start_at=site.centre.clock() + timedelta(hours=1))
        await expect(page.locator("#today")).to_contain_text("Họp thôn")
        await expect(answer).to_be_visible()
        await expect(answer).to_contain_text("Cụm chưa tải được tệp")


async def test_undo_is_one_tap_until_it_starts(site: Commune, browser: Browser) -> None:
    run = await site.broadcast("Họp thôn", "Thôn Trại", start_at=site.centre.clock() + timedelta(minutes=30))
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto(f"/broadcasts/{run.id}")
        async with taps(page) as counted:
            top, bottom, bar, _ = await page.evaluate(SEEN, "#undo button")
            assert 0 <= top < bottom <= bar
            await page.click("#undo button")
            await expect(page.locator("#broadcast")).to_contain_text("Đã hủy")
        assert counted.taps == 1
        await expect(page.locator("#undo")).to_have_count(0)


async def test_the_commune_has_a_place_with_two_nodes() -> None:
    """Several tests above count on it."""
    assert sorted(NODES.values()).count("Thôn Trại") == 2


TOPS = """(row) => [...row.querySelectorAll(".what > :is(.mark, a)")]
  .map((one) => one.getBoundingClientRect().top)"""


async def test_on_a_phone_an_emergency_that_was_cut_off_pushes_the_day_down_little(
    site: Commune, browser: Browser
) -> None:
    """Its sign stands beside its title, and what is known beside the question that opens the rest."""
    await sent(site)
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto("/today")
        row = page.locator(".timeline .run", has_text="Lũ quét")
        tops = await row.evaluate(TOPS)  # of one moment: a look of the page may move all of it
        assert len(tops) == 2
        assert abs(tops[0] - tops[1]) < 8
        question = row.locator(".asks > summary")
        await expect(question).to_contain_text("Cổng chợ Trại: Cụm mất điện hoặc khởi động lại. Vì sao?")
        assert await row.get_by_text("Cụm mất điện").count() == 1
        await question.click()
        await expect(row.locator(".asks .mark").first).to_be_visible()
