"""Phát ngay in Chromium with a microphone that hears a file: four taps, broken links, closed pages, no microphone."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from controller.http.middleware import COOKIE
from tests import sounds
from tests.controller.factories import PASSWORD
from tests.web.browser import PHONE, chromium, hearing, page_of, taps
from tests.web.harness import Commune
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
PATIENT_MS = 60_000
"""On a machine that does much else, processing takes its time."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    voice = tmp_path_factory.mktemp("voice") / "voice.wav"
    voice.write_bytes(sounds.encoded(sounds.speech(5), "wav"))
    async with chromium(*hearing(voice)) as opened:
        yield opened


async def record(page: Page, seconds: int = 2) -> None:
    await page.get_by_role("button", name="Thu âm").tap()
    await expect(page.locator("#record .length")).to_have_text(f"0:0{seconds}", timeout=PATIENT_MS)


@pytest.mark.long
async def test_said_now_from_the_start_page_in_four_taps(site: Commune, browser: Browser) -> None:
    """Record, done, send: to the whole of one's own commune, which stands there to be seen before."""
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page, taps(page) as counted:
        await page.get_by_role("link", name="Phát ngay").first.tap()
        await record(page)
        await page.get_by_role("button", name="Xong").tap()
        send = page.locator("#send")
        await expect(send).to_have_text("PHÁT tới toàn Xã Nga My · 4 cụm", timeout=PATIENT_MS)
        await expect(page.locator("#preview .sentence")).to_contain_text("tới 4 cụm của 3 nơi")
        await send.tap()
        await page.wait_for_url("**/broadcasts/*")
    assert (counted.taps, counted.keys) == (4, 0)
    [run] = await site.centre.services.broadcasts.today(site.centre.actor)
    assert run.title == "Thông báo 17:03"
    assert [target.name for target in run.targets] == ["Xã Nga My"]
    [item] = run.items
    assert item.length_ms > 1_500
    found = await site.centre.services.recordings.get(site.centre.actor, item.recording_id)
    assert found.origin == "recorded"


async def test_a_session_that_ends_before_send_loses_no_recording(site: Commune, browser: Browser) -> None:
    """In four taps the recording is all there is: after signing in it is offered by name, and nothing is armed."""
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True, expected=("401",)) as page:
        await page.goto("/say")
        await record(page, 1)
        await page.get_by_role("button", name="Xong").tap()
        send = page.locator("#send")
        await expect(send).to_contain_text("PHÁT tới toàn", timeout=PATIENT_MS)
        await page.context.clear_cookies(name=COOKIE)
        await send.tap()
        await sign_in_again(page)
        await expect(page.locator(".notice:has([data-of])")).to_contain_text(NOT_SENT)
        await expect(page.locator("#recording")).to_be_empty()
        await expect(send).to_have_text("PHÁT")
        await page.evaluate(LATER, [4, site.nodes["Cổng chợ Trại"].scope])
        await page.reload()
        await expect(page.locator(".notice:has([data-of])")).to_contain_text(DAYS_AGO)
        await page.evaluate(UNREAD, site.nodes["Cổng chợ Trại"].scope)
        await page.get_by_role("button", name="Dùng bản nháp").tap()
        await expect(page.locator("#recording [data-title]")).to_contain_text("Thông báo 17:03")
        await expect(page.locator("p[data-gone]")).to_have_text("Không điền lại được: Cổng $& xa. Hãy chọn lại.")
        await expect(page.locator(".picked li")).to_have_text(["Cổng chợ Trại · Thôn Trại"])
        await page.locator(".chip.other").tap()
        whole = page.locator(".tree input[type=checkbox]").first
        await whole.check()
        await expect(page.locator(".picked input")).to_be_disabled()
        await whole.uncheck()
        await page.locator(".chip:not(.other)", has_text="Toàn Xã Nga My").tap()
        await expect(send).to_contain_text("PHÁT tới toàn")
        await send.tap()
        await page.wait_for_url("**/broadcasts/*")
        assert await page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('loa:draft:'))") == []
    [run] = await site.centre.services.broadcasts.today(site.centre.actor)
    assert run.title == "Thông báo 17:03"


NOT_SENT = re.compile(
    r"Bản nháp 17:0[23] hôm nay: tệp “Thông báo 17:03”, Toàn Xã Nga My\. Đã bấm gửi nhưng chưa gửi được\."
)
DAYS_AGO = re.compile(r"Bản nháp 17:0[23] 20/11: tệp “Thông báo 17:03”, Cổng \$& xa, Cổng cũ\.")
LATER = """([days, scope]) => {
  const [key] = Object.keys(localStorage).filter((each) => each.startsWith("loa:draft:"));
  const draft = JSON.parse(localStorage.getItem(key));
  draft.at -= days * 24 * 3600 * 1000;
  for (const [name, value] of draft.fields) if (name === "whole") value[1] = !value[0];
  draft.fields.push(["target", ["nodes/far", true]]);
  draft.fields.push(["target", [scope, true]]);
  draft.labels["target=nodes/far"] = "Cổng $& xa";
  draft.labels[`target=${scope}`] = "Cổng cũ";
  localStorage.setItem(key, JSON.stringify(draft));
}"""
"""Days go by; of what was chosen, one node is not there any more, and another has a new name."""
UNREAD = """(scope) => document.querySelector(`input[value="${scope}"]`).closest("li").remove()"""
"""A node stands in a part of the tree that is not open."""


async def no_looks(route: Route) -> None:
    """Let no look find out first that the session has ended: of two ways to sign in at once, one is aborted."""
    if route.request.resource_type in {"fetch", "xhr", "eventsource"}:
        await route.abort()
    else:
        await route.fallback()


@pytest.mark.long
async def test_a_chosen_recording_outlives_the_session_in_other_forms_too(site: Commune, browser: Browser) -> None:
    await site.centre.recording("Lũ quét")
    ways = {
        "/bulletins/new": "#bulletin .send .main",
        "/messages/new?kind=alert": "form[data-draft] .send .main",
        "/emergencies/new": "[name=propose]",
    }
    async with page_of(browser, site.url, expected=("401", "Failed to", "ERR_")) as page:
        for path, button in ways.items():
            await page.goto(path)
            await page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
            await page.locator("#recent").get_by_role("button", name="Lũ quét").click()
            await expect(page.locator("#recording [data-title]")).to_be_visible()
            await page.route("**/*", no_looks)
            await page.context.clear_cookies(name=COOKIE)
            await page.evaluate("(way) => { const b = document.querySelector(way); b.form.requestSubmit(b); }", button)
            await page.wait_for_url("**/sign-in**")
            await page.unroute_all()
            await sign_in_again(page)
            await expect(page.locator("#recording [data-title]")).to_contain_text("Lũ quét")


async def sign_in_again(page: Page) -> None:
    await page.wait_for_url("**/sign-in**")
    await page.fill("#login", "lan")
    await page.fill("#password", PASSWORD)
    await page.click("button.main")


async def test_a_link_that_breaks_while_one_speaks_loses_nothing(site: Commune, browser: Browser) -> None:
    broken = ("Failed to load resource", "ERR_")
    async with page_of(browser, site.url, expected=broken, viewport=PHONE, has_touch=True) as page:
        await page.goto("/say")
        await page.route("**/api/v1/uploads/*", lambda route: route.abort())
        await record(page)
        await expect(page.locator("#upload .said")).to_contain_text("sẽ tự gửi tiếp", timeout=PATIENT_MS)
        await page.get_by_role("button", name="Xong").tap()
        await page.unroute_all()
        await expect(page.locator("#recording [data-title]")).to_contain_text("Thông báo 17:03", timeout=PATIENT_MS)


async def test_a_page_that_was_closed_before_all_was_sent_offers_it_the_next_time(
    site: Commune, browser: Browser
) -> None:
    async def lose(route: Route) -> None:
        await route.abort()

    broken = ("Failed to load resource", "ERR_")
    async with page_of(browser, site.url, expected=broken, viewport=PHONE, has_touch=True) as page:
        await page.goto("/say")
        await page.route("**/api/v1/uploads/*", lose)
        await record(page)
        await page.get_by_role("button", name="Xong").tap()
        await page.goto("/today")
        await page.unroute_all()
        await page.goto("/say")
        await expect(page.locator("#kept")).to_contain_text("Thông báo 17:03")
        await page.get_by_role("button", name="Gửi tiếp").tap()
        await expect(page.locator("#recording [data-title]")).to_contain_text("Thông báo 17:03", timeout=PATIENT_MS)
        await page.reload()
        await expect(page.locator("#record .start")).to_be_visible()
        await expect(page.locator("#kept")).to_be_hidden()


SLOW_TO_ALLOW = """() => {
  window.recorders = [], window.streams = [];
  const { mediaDevices } = navigator, ask = mediaDevices.getUserMedia.bind(mediaDevices);
  window.MediaRecorder = class extends MediaRecorder {
    constructor(...given) { super(...given); window.recorders.push(this); }
  };
  const allowed = new Promise((done) => { window.allow = done; });
  mediaDevices.getUserMedia = async (wanted) => {
    await allowed;
    const stream = await ask(wanted);
    window.streams.push(stream);
    return stream;
  };
}"""
"""A phone that asks first whether the microphone may be used."""
RUNNING = """() => [window.recorders.map((each) => each.state),
  window.streams.flatMap((each) => each.getTracks()).map((each) => each.readyState)]"""
AN_OLDER_ONE = """() => loa.store.put("takes", { id: "old", person: document.body.dataset.person,
  at: Date.now() - 60000, url: "", name: "", origin: "uploaded", title: "Họp thôn", file: new File(["x"], "x.mp3") })"""


async def test_a_double_tap_records_once_and_no_other_tab_offers_it_before_it_is_sent(
    site: Commune, browser: Browser
) -> None:
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page:
        await page.goto("/say")
        await page.evaluate(AN_OLDER_ONE)
        await page.evaluate(SLOW_TO_ALLOW)
        await page.evaluate("() => { for (const n of [1, 2]) document.querySelector('#record .start').click(); }")
        await page.evaluate("allow()")
        await expect(page.locator("#record .length")).to_have_text("0:02", timeout=PATIENT_MS)
        other = await page.context.new_page()
        await other.goto("/say")
        await expect(other.locator("#kept")).to_contain_text("Họp thôn")
        await other.close()
        assert await page.evaluate(RUNNING) == [["recording"], ["live"]]
        await page.get_by_role("button", name="Xong").tap()
        await expect(page.locator("#recording [data-title]")).to_contain_text("Thông báo 17:03", timeout=PATIENT_MS)
        assert await page.evaluate(RUNNING) == [["inactive"], ["ended"]]


async def test_what_is_dropped_or_fails_takes_its_name_along(site: Commune, browser: Browser) -> None:
    """What is said next, or stands there, has its own."""
    await site.centre.recording("Mất nước")
    broken = ("Failed to load resource", "ERR_")
    async with page_of(browser, site.url, expected=broken, viewport=PHONE, has_touch=True) as page:
        await page.goto("/say")
        title, sent = page.locator("#title"), page.locator("#preview .sentence")
        await record(page, 1)
        await expect(title).to_have_value("Thông báo 17:03")
        await page.locator("#record .drop").tap()
        await expect(title).to_have_value("")
        await page.locator("#recent summary").tap()
        await page.get_by_role("button", name="Mất nước").tap()
        await expect(title).to_have_value("Mất nước")
        await page.route("**/api/v1/uploads", lambda route: route.abort())
        await page.set_input_files("#file", {"name": "báo bão.mp3", "mimeType": "audio/mpeg", "buffer": b"x"})
        await expect(title).to_have_value("báo bão")
        await page.locator("#upload .give-up").tap()
        await expect(title).to_have_value("Mất nước")
        await page.unroute_all()
        await page.set_input_files("#file", {"name": "rỗng.mp3", "mimeType": "audio/mpeg", "buffer": b""})
        await expect(page.locator("#upload-wrong")).to_contain_text("Tệp này rỗng")
        await expect(title).to_have_value("Mất nước")
        await expect(sent).to_contain_text("24 giây")


async def test_a_microphone_that_is_taken_away_says_at_which_second_and_keeps_what_was_said(
    site: Commune, browser: Browser
) -> None:
    """What a phone does when its screen locks; a screen that can be locked is not at hand here."""
    grab = """() => { const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await ask(wanted)); }"""
    take_away = """() => { const [track] = window.stream.getAudioTracks();
      track.stop(); track.dispatchEvent(new Event("ended")); }"""
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page:
        await page.goto("/say")
        await page.evaluate(grab)
        await record(page)
        await page.evaluate(take_away)
        await expect(page.locator("#record .note")).to_contain_text("Bản thu dừng ở 0:0")
        await expect(page.locator("#recording [data-title]")).to_contain_text("Thông báo 17:03", timeout=PATIENT_MS)


async def test_typed_words_become_a_machines_voice_that_says_so(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await page.locator("#typed summary").click()
        await page.locator("#text").fill("Mời bà con họp lúc 19h30 tại UBND xã.")
        await expect(page.locator("#reading")).to_contain_text("19 giờ 30 tại Ủy ban nhân dân xã")
        await page.locator("#speak").click()
        card = page.locator("#recording [data-title]")
        await expect(card).to_contain_text("Giọng máy đọc, không phải người", timeout=PATIENT_MS)
        await expect(page.locator("#send")).to_contain_text("toàn Xã Nga My")
        await page.locator("#text").fill("…")
        await page.locator("#speak").click()
        await expect(page.locator("#recording .notice")).to_contain_text("Chưa có chữ nào đọc được")


async def test_what_the_machine_read_is_in_sight_on_a_phone(site: Commune, browser: Browser) -> None:
    """Its card stands above the words: whoever pressed below them sees it come."""
    async with page_of(browser, site.url, viewport=PHONE) as page:
        await page.goto("/say")
        await page.locator("#typed summary").click()
        await page.locator("#text").fill("Mời bà con họp lúc 19h30 tại nhà văn hóa. " * 8)
        await page.locator("#speak").evaluate("each => each.scrollIntoView({block: 'start'})")
        await page.locator("#speak").press("Enter")
        card = page.locator("#recording .card")
        await expect(card.locator("[data-again]")).to_be_attached(timeout=PATIENT_MS)
        await expect(card).to_be_in_viewport()
        await expect(page.locator("#recording [data-title] b")).to_be_in_viewport(timeout=PATIENT_MS)


async def test_it_is_tried_on_one_node_first_and_the_form_stays(site: Commune, browser: Browser) -> None:
    await site.centre.recording("Mất nước")
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await page.click("#recent summary")
        await page.get_by_role("button", name="Mất nước").click()
        await expect(page.locator("#recording [data-title]")).to_be_visible()
        await page.locator("#try summary").click()
        await page.locator("#trial_node").select_option(label="Cổng chợ Trại")
        await page.locator("#try-it").click()
        await expect(page.locator("#trial")).to_contain_text("Đã gửi tới Cổng chợ Trại để phát thử")
        await expect(page.locator("#trial .mark.unsure")).to_be_visible()
        await expect(page.locator("#recording [data-title]")).to_be_visible()
    [run] = await site.centre.services.broadcasts.today(site.centre.actor)
    assert (run.title, [target.name for target in run.targets]) == ("Phát thử: Mất nước", ["Cổng chợ Trại"])


async def test_a_file_from_another_application_opens_here(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        sound = list(sounds.encoded(sounds.speech(2), "mp3"))
        shared = """(bytes) => loa.store.put("shared",
          { file: new File([new Uint8Array(bytes)], "cắt nước.mp3"), at: Date.now() }, "shared")"""
        await page.evaluate(shared, sound)
        await page.goto("/say?shared=1")
        await page.click("#shared .use")
        await expect(page.locator("#recording [data-title]")).to_contain_text("cắt nước", timeout=PATIENT_MS)
        await page.goto("/say?shared=1")
        await expect(page.locator("#record .start")).to_be_visible()
        await expect(page.locator("#recording")).to_be_empty()


@pytest.mark.long
async def test_an_emergency_is_recorded_and_proposed_from_the_start_page_in_five_taps(
    site: Commune, browser: Browser
) -> None:
    """Where no message lies ready, recording is the first way that is offered. The second person hears it: two taps."""
    nam = await site.centre.somebody("nam", "approver", site.root)
    await site.centre.recording("Tín hiệu", length_ms=1_600, is_signal=True)
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page, taps(page) as counted:
        await page.locator(".doings a.alert").tap()
        ways = page.locator("#own > .inside :is(button, summary, input[type=text], .file):visible")
        await expect(ways.first).to_have_text("Thu âm")
        await record(page)
        await page.get_by_role("button", name="Xong").tap()
        await page.locator(".tree .choice").first.tap(timeout=PATIENT_MS)
        await expect(page.locator("#preview .count")).to_have_text("4 cụm", timeout=PATIENT_MS)
        await page.locator("button[name=propose]").tap()
        await expect(page.locator("#emergency")).to_contain_text("Đang chờ một người khác")
        path = page.url
    assert (counted.taps, counted.keys) == (5, 0)
    session = await site.centre.session_of(nam)
    async with (
        page_of(browser, site.url, session=session, viewport=PHONE, has_touch=True) as page,
        taps(page) as counted,
    ):
        await page.locator("#strip a[href^='/emergencies/']").tap()
        await expect(page.locator(".sounds")).to_contain_text("Thông báo 17:03")
        await hear(page, page.locator(".sounds > li", has_text="Thông báo 17:03"))
        await page.locator("form:has(input[value=confirm]) button").tap()
        await expect(page.locator("#emergency")).to_contain_text("Đã gửi tới cụm loa")
        assert page.url.partition("?")[0] == path.partition("?")[0]
    assert (counted.taps, counted.keys) == (3, 0), "one of them to listen"


async def hear(page: Page, sound: Locator) -> None:
    """Play one sound of an emergency to its end; a redraw of the part in which it stands does not stop it."""
    audio = await sound.locator("audio").element_handle()
    assert audio is not None
    await sound.get_by_role("button").tap()
    await page.wait_for_function("(each) => each.currentTime > 0", arg=audio)
    async with page.expect_response("**/emergencies/*/live"):
        await page.evaluate("htmx.trigger(document.getElementById('emergency'), 'loa:look')")
    await page.wait_for_function("(each) => each.ended && each.isConnected", arg=audio)


@pytest.mark.long
async def test_words_typed_in_an_emergency_are_read_by_the_machine_and_heard(site: Commune, browser: Browser) -> None:
    """By its button, and where nobody pressed that, by sending: then the form comes back with what is to be heard."""
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True, expected=("422",)) as page:
        for presses in (["#speak"], ["button[name=propose]"]):
            await page.goto("/emergencies/new")
            await page.locator("#typed > summary").tap()
            await page.fill("#text", "Nước lên nhanh. Sơ tán ngay!")
            await page.locator(".tree .choice").first.tap()
            for press in presses:
                await page.locator(press).tap()
            await expect(page.locator("#recording [data-title]")).to_be_visible(timeout=PATIENT_MS)
            await expect(page.locator("#title")).to_have_value("Nước lên nhanh. Sơ tán ngay!")
            if presses == ["button[name=propose]"]:
                await expect(page.locator("#wrong-recording")).to_contain_text("Nghe lại bên trên")
            await expect(page.locator("#preview .count")).to_have_text("4 cụm", timeout=PATIENT_MS)
        await page.locator("button[name=propose]").tap()
        await expect(page.locator(".sounds blockquote")).to_have_text("Nước lên nhanh. Sơ tán ngay!")
        await expect(page.locator(".sounds")).to_contain_text("Giọng máy đọc, không phải người")
