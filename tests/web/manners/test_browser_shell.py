"""The application in Chromium: an honest page without a link, what was shared, and drafts that outlive a session."""

import asyncio
import base64
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from controller.http.middleware import COOKIE
from tests.controller.factories import PASSWORD, SYSTEM
from tests.sounds import speech, wav
from tests.web.browser import AXE, PATIENCE_MS, SERIOUS, SMALL, SMALL_TARGETS, UNNAMED, carry, page_of, use_look
from tests.web.harness import Commune, first_day
from tests.web.pages import module_site
from tests.web.scenes import busy_day

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
LOST = ("ERR_", "Failed to load resource", "Failed to fetch", "htmx", "FetchEvent")


async def worker(page: Page) -> None:
    """Wait until the worker looks after this page."""
    await page.evaluate(LOOKED_AFTER)


async def nothing_shared(page: Page) -> None:
    """Wait until nothing is kept that was shared. To ``wait_for_function`` a promise is true, whatever it becomes."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        await page.evaluate(NOTHING_SHARED)


async def test_without_a_link_the_page_says_so_and_comes_back_by_itself(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, expected=LOST, viewport=SMALL, service_workers="allow") as page:
        await worker(page)
        await site.stop_serving()
        await page.goto("/nodes")
        await expect(page.get_by_role("heading")).to_have_text("Mất kết nối với trung tâm")
        await expect(page.locator("[data-since]")).to_have_text(re.compile(r"^[0-2]\d:[0-5]\d$"))
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await site.start_serving()
        await page.click("[data-again]")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Cụm loa")
        assert page.url.endswith("/nodes")


async def test_a_stop_that_found_no_centre_is_not_told_as_sent(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, expected=LOST, viewport=SMALL, service_workers="allow") as page:
        await worker(page)
        await site.stop_serving()
        await page.click(".stopbar button")
        await expect(page.get_by_role("alert")).to_contain_text("hãy coi như loa chưa dừng")
        await site.start_serving()
        await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(page.locator("[data-healed]")).to_be_visible()
        assert await site.centre.services.holds.active(site.centre.actor) == []
        await page.click("[data-back]")
        await page.click(".stopbar button")
        await page.wait_for_url("**/stop?done=ordered")


async def test_back_to_what_was_refused_tells_of_no_lost_link_and_sends_nothing(
    site: Commune, browser: Browser
) -> None:
    """It was refused, then taken: who goes back after that must not take it for not sent, and send it once more."""
    async with page_of(browser, site.url, expected=("422",), viewport=SMALL, service_workers="allow") as page:
        await worker(page)
        await page.goto("/places")
        await page.click("text=Thêm địa bàn >> nth=0")
        for name in ("", "Thôn Mới"):
            await page.fill("form[action='/areas'] [name=name]", name)
            await page.locator("form[action='/areas'] button").last.click()
            await page.wait_for_url("**/places?done=area" if name else "**/areas")
        await page.go_back()
        await expect(page.get_by_role("heading")).to_have_text("Trang này đã qua")
        await expect(page.get_by_role("alert")).to_have_count(0)
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []
        await page.click("[data-back]")
        await expect(page.locator("h1")).to_have_text("Địa bàn")
        names = [each.name for each in await site.centre.services.areas.tree(site.centre.actor)]
        assert names.count("Thôn Mới") == 1


async def test_what_another_application_shares_arrives_in_phat_ngay(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, viewport=SMALL, service_workers="allow") as page:
        await worker(page)
        await page.evaluate(SHARE, base64.b64encode(wav(speech(2))).decode())
        await page.wait_for_url("**/say?shared=1")
        await expect(page.locator("#shared")).to_contain_text("loi-nhan.wav")
        assert await site.centre.services.recordings.list(site.centre.actor) == []
        await page.click("#shared .use")
        await expect(page.locator("#recording .wave")).to_be_visible()
        [taken] = await site.centre.services.recordings.list(site.centre.actor)
        assert taken.file_name == "loi-nhan.wav"


@pytest.mark.parametrize("what", ["sound", "text"])
async def test_what_a_strange_website_shares_is_named_and_goes_nowhere_by_itself(
    site: Commune, browser: Browser, what: str
) -> None:
    """A browser does not tell a website's form from what a phone shares."""
    sound = base64.b64encode(wav(speech(1))).decode()
    said = "VĂN BẢN CỦA KẺ LẠ" if what == "text" else "loi-nhan.wav"
    field = f'<input name="text" value="{said}">' if what == "text" else ""
    script = f"({SHARE})({json.dumps(sound)}, {json.dumps(f'{site.url}/shared')})"
    form = f'<form method="post" action="{site.url}/shared" enctype="multipart/form-data">{field}</form>'
    page_of_a_stranger = f"{form}<script>{'document.forms[0].submit()' if field else script}</script>"
    async with page_of(browser, site.url, viewport=SMALL, service_workers="allow") as page:
        await worker(page)
        await page.route(
            STRANGE, lambda route: route.fulfill(body=page_of_a_stranger, content_type="text/html; charset=utf-8")
        )
        await page.goto(STRANGE)
        await page.wait_for_url("**/say?shared=1")
        await expect(page.locator("#shared")).to_contain_text(said)
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []
        await expect(page.locator("#text")).to_have_value("")
        await expect(page.locator("#recording")).to_be_empty()
        if what == "text":  # somebody else, or an hour later: it is not even shown
            for changed in ({"person": "another"}, {"at": 0}):
                await page.evaluate(OVERWRITE, changed)
                await page.goto("/say?shared=1")
                await nothing_shared(page)
                await expect(page.locator("#shared")).to_be_hidden()
        else:
            await page.click("#shared .drop")
            await nothing_shared(page)
    assert await site.centre.services.recordings.list(site.centre.actor) == []


async def sign_in(page: Page, login: str = "lan") -> None:
    await page.fill("#login", login)
    await page.fill("#password", PASSWORD)
    await page.click("button.main")


async def test_what_was_typed_outlives_the_session_and_goes_when_it_arrived(site: Commune, browser: Browser) -> None:
    """The session is ended at the centre while somebody types."""
    node = site.nodes["Đầu làng Trại"]
    path = f"/nodes/{node.id}/settings"
    async with page_of(browser, site.url, expected=("401", "403"), viewport=SMALL) as page:
        await page.goto(path)
        await page.fill("#name", "")
        await page.locator("#name").press_sequentially("Đầu làng Trại, cạnh đình")

        async def too_late(route: Route) -> None:
            if route.request.method == "POST":
                await site.centre.services.sign_ins.end_all(SYSTEM, site.centre.person.id)
            await route.continue_()

        await page.route(f"**{path}", too_late, times=1)
        await page.locator(SEND).click()
        await page.wait_for_url(re.compile(r"/sign-in\?next="))
        await sign_in(page)
        await page.wait_for_url(f"**{path}")
        await expect(page.locator("#name")).to_have_value("Đầu làng Trại, cạnh đình")
        await expect(page.locator("main .notice")).to_contain_text(
            re.compile(r"Bản nháp 17:0[23] hôm nay: .*cạnh đình.*chưa gửi được.*được điền lại ở đây")
        )
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []

        await page.locator(SEND).click()
        await page.wait_for_url(re.compile(r"\?done="))
        assert (await site.centre.services.nodes.get(site.centre.actor, node.id)).name == "Đầu làng Trại, cạnh đình"
        await page.wait_for_function(f"() => {DRAFTS}.length === 0")


async def test_a_draft_is_offered_and_goes_with_who_signs_out(site: Commune, browser: Browser) -> None:
    node = site.nodes["Đầu làng Trại"]
    path = f"/nodes/{node.id}/settings"
    async with page_of(browser, site.url, viewport=SMALL, expected=("401", "404")) as page:
        await page.goto(path)
        await page.locator("#name").press("End")
        await page.locator("#name").press_sequentially(", cạnh đình")
        await page.route(f"**{path}", lambda route: route.continue_(url=f"{site.url}/nodes/none/settings"), times=1)
        await page.locator(SEND).click()
        await page.get_by_role("link", name="Về trang Hôm nay").click()
        await page.wait_for_url("**/today")
        await page.goto("about:blank")  # no look of a page finds it at the same moment, and goes another way
        await page.context.clear_cookies(name=COOKIE)  # a session that ends anywhere else gives nothing back by itself
        await carry(page.context, site.url, "x" * 43)
        await page.goto("/today")
        await page.wait_for_url(re.compile("ended=1"))
        await sign_in(page)
        await page.wait_for_url("**/today")
        await page.goto(path)
        await expect(page.locator("main .notice")).to_contain_text("cạnh đình”. Đã bấm gửi nhưng chưa gửi được.")
        await expect(page.locator("#name")).to_have_value(node.name)
        await page.get_by_role("button", name="Dùng bản nháp").click()
        await expect(page.locator("#name")).to_have_value(f"{node.name}, cạnh đình")
        other = await page.context.new_page()
        await other.goto(f"/nodes/{site.nodes['Cổng chợ Trại'].id}/settings")
        await expect(other.get_by_role("button", name="Dùng bản nháp")).to_have_count(0)
        assert len(await page.evaluate(DRAFTS)) == 1
        await page.click(".me summary")
        await page.click("form[data-sign-out] button")
        await page.wait_for_url("**/sign-in")
        assert await page.evaluate(DRAFTS) == []


async def test_signing_out_forgets_what_one_recorded_when_it_arrives_and_nothing_of_others(
    site: Commune, browser: Browser
) -> None:
    """On the one PC of a commune; what was not sent is all there is of a recording."""
    async with page_of(browser, site.url, expected=LOST, viewport=SMALL) as page:
        await page.goto("/say")
        await page.evaluate(PUT_TAKES)
        await page.route("**/sign-out", lambda route: route.fulfill(status=502, body="x"), times=1)
        await page.evaluate(SIGN_OUT)
        await page.wait_for_url("**/sign-out")
        await page.goto("/say")
        assert await page.evaluate(TAKES) == ["Của chị Lan", "Của tôi"]
        await page.evaluate(SIGN_OUT)
        await page.wait_for_url("**/sign-in")
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while "Của tôi" in (left := await page.evaluate(TAKES)):
                pass
        assert left == ["Của chị Lan"]


async def test_who_signs_out_is_not_told_that_the_session_ended(site: Commune, browser: Browser) -> None:
    """A look of the page finds it ended before the answer is there: what was recorded would stay on the device."""
    async with page_of(browser, site.url, viewport=SMALL, expected=("401",)) as page:
        await page.goto("/today")
        token = next(cookie["value"] for cookie in await page.context.cookies() if cookie["name"] == COOKIE)
        looks, ended, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def look(route: Route) -> None:
            looks.set()
            await ended.wait()
            await route.continue_()

        async def sign_out(route: Route) -> None:
            await site.centre.services.people.sign_out(token)
            ended.set()
            await told.wait()
            await route.continue_()

        await page.route("**/strip", look)
        await page.route("**/sign-out", sign_out)
        page.on("response", lambda answer: told.set() if answer.url.endswith("/strip") else None)
        await page.evaluate("""document.querySelector("[hx-get='/strip']").dispatchEvent(new Event("loa:look"))""")
        await looks.wait()
        await page.evaluate(SIGN_OUT)
        await page.wait_for_url(re.compile("/sign-in"))
        assert page.url.endswith("/sign-in")


async def test_what_is_typed_after_a_sign_out_that_did_not_arrive_is_kept(site: Commune, browser: Browser) -> None:
    node = site.nodes["Cổng chợ Trại"]
    async with page_of(browser, site.url, expected=LOST, viewport=SMALL) as page:
        await page.clock.install()
        await page.goto(f"/nodes/{node.id}/settings")
        await page.route("**/sign-out", lambda route: route.abort())
        await page.evaluate(
            "addEventListener('submit', (event) => event.preventDefault())"
        )  # an answer that never comes
        await page.evaluate(SIGN_OUT)
        await page.locator("#name").press_sequentially(" cũ")
        await page.clock.run_for(10_000)
        assert await page.evaluate(DRAFTS) == [], "signs out still"
        await page.clock.run_for(10_000)
        await page.locator("#name").press_sequentially(" và mới")
        await page.clock.run_for(2_000)
        assert len(await page.evaluate(DRAFTS)) == 1


SIGN_OUT = "document.querySelector('form[data-sign-out]').requestSubmit()"
PUT_TAKES = """async () => {
  const { person } = document.body.dataset, kept = { at: Date.now(), url: "", name: "", type: "audio/webm" };
  await loa.store.put("takes", { ...kept, id: "a", person: "another", title: "Của chị Lan" });
  await loa.store.put("takes", { ...kept, id: "b", person, title: "Của tôi" });
  for (const take of ["a", "b"]) await loa.store.put("slices", new Blob(["x"]), [take, 0]);
}"""
TAKES = """async () => {
  const takes = await loa.store.all("takes");
  const told = await Promise.all(takes.map(async (each) => [each.title, (await loa.store.slices(each.id)).length]));
  return told.filter(([, slices]) => slices === 1).map(([title]) => title).sort();
}"""
"""Those that are whole."""


async def ended(site: Commune, page: Page, login: str = "lan") -> None:
    """Let the session end before the page that is open looks again, and somebody sign in."""
    path = page.url.removeprefix(site.url)
    await page.goto("about:blank")  # no look of the page finds it at the same moment, and goes another way
    await carry(page.context, site.url, "x" * 43)
    await page.goto(path)
    await page.wait_for_url(re.compile("ended=1"))
    await sign_in(page, login)
    await page.wait_for_url(f"**{path}")


@pytest.mark.long
async def test_only_what_was_open_a_moment_ago_comes_back_by_itself_and_only_to_its_person(
    site: Commune, browser: Browser
) -> None:
    """Whatever else was kept is offered, with what it holds and what became of it."""
    await site.centre.somebody("hoa", "technician", site.root)
    node = site.nodes["Đầu làng Trại"]
    path = f"/nodes/{node.id}/settings"
    async with page_of(browser, site.url, expected=("401", "ERR_"), viewport=SMALL) as page:
        name, notice = page.locator("#name"), page.locator(".notice:has([data-of])")
        await page.goto(path)
        await name.press("End")
        await name.press_sequentially(", cạnh đình")
        await ended(site, page)
        await expect(name).to_have_value("Đầu làng Trại, cạnh đình")
        await expect(notice).to_contain_text("“Đầu làng Trại, cạnh đình”. Mới soạn, chưa bấm gửi.")

        await page.evaluate(AN_HOUR_OLDER)
        await ended(site, page)
        await expect(notice.get_by_role("button", name="Dùng bản nháp")).to_be_visible()
        await expect(name).to_have_value(node.name)

        await notice.get_by_role("button", name="Dùng bản nháp").click()
        await name.press("End")
        await name.press_sequentially(" làng")
        await ended(site, page, "hoa")
        await expect(name).to_have_value(node.name)
        await expect(notice).to_have_count(0)
        assert len(await page.evaluate(DRAFTS)) == 1  # hers alone

        await name.press("End")
        await name.press_sequentially(", cổng sau")
        await page.route(f"**{path}", lambda route: route.abort(), times=1)
        await page.locator(SEND).click()
        await page.wait_for_url("chrome-error://**")
        await page.goto("/today")
        await page.goto(path)
        await expect(notice).to_contain_text("“Đầu làng Trại, cổng sau”. Đã bấm gửi nhưng chưa thấy trả lời")
        await expect(name).to_have_value(node.name)


@pytest.mark.long
async def test_an_emergency_is_not_filled_in_after_a_session_that_ended_elsewhere(
    site: Commune, browser: Browser
) -> None:
    async with page_of(browser, site.url, expected=("401",), viewport=SMALL) as page:
        title = page.locator("#emergency-form #title")
        await page.goto("/emergencies/new")
        await title.press_sequentially("Vỡ đê")
        await ended(site, page)
        await expect(title).to_have_value("Vỡ đê")
        await title.press_sequentially("!")
        await page.goto("/today")
        await ended(site, page)
        assert len(await page.evaluate(DRAFTS.replace("local", "session"))) == 1
        await page.goto("/emergencies/new")
        await expect(title).to_have_value("")
        for where in ("local", "session"):
            assert await page.evaluate(DRAFTS.replace("local", where)) == []


@pytest.mark.long
async def test_a_key_that_was_made_is_not_told_as_a_draft_that_was_not_sent(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto("/settings")
        await page.click("#new-key summary")
        await page.locator("#new-key [name=name]").press_sequentially("Máy in")
        await page.locator("#new-key [name=acts]").first.check()
        await page.click("#new-key form button")
        await expect(page.locator("code.secret")).to_be_visible()
        await expect(page.locator(".notice [data-of]")).to_have_count(0)
        assert await page.evaluate(DRAFTS) == []


@pytest.mark.long
async def test_the_first_steps_can_be_taken_by_everybody(browser: Browser, tmp_path: Path) -> None:
    """On the first day, with what is wrong told, and once the places have names."""
    async with (
        first_day(tmp_path) as empty,
        page_of(browser, empty.url, viewport=SMALL, expected=("422",)) as page,
    ):
        await page.wait_for_url("**/setup")
        for _ in range(3):
            await page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
            await page.evaluate(AXE)
            assert await page.evaluate(SERIOUS) == []
            assert await page.evaluate(SMALL_TARGETS) == []
            assert await page.evaluate(UNNAMED) == []
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            if await page.locator("#wrong-name").count():
                await page.fill("#place-name", "Xã Nga My")
                await page.fill("#hamlets", "Thôn Đồng\nThôn Trại")
            if await page.locator("#place-name").count():
                await page.click("form[data-draft=setup-places] button.main")
        assert len(await empty.centre.services.areas.tree(empty.centre.actor)) == 3


@pytest.mark.long
async def test_in_the_large_look_text_stands_out_sevenfold_and_nothing_is_cut(site: Commune, browser: Browser) -> None:
    await busy_day(site)
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await use_look(page, "large")
        for path in ("/today", "/say", "/nodes", "/stop", "/help/say"):
            await page.goto(path)
            assert await page.get_attribute("html", "data-look") == "large"
            await page.evaluate(AXE)
            assert await page.evaluate(SEVENFOLD) == [], path
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


SEVENFOLD = """async () => {
  const found = await axe.run(document, {runOnly: ["color-contrast-enhanced"], resultTypes: ["violations"]});
  return found.violations.flatMap((each) => each.nodes.map((node) => node.html + " " + node.failureSummary));
}"""
SEND = "form[data-draft^=node-settings] button"
DRAFTS = "Object.keys(localStorage).filter((key) => key.startsWith('loa:draft:'))"
AN_HOUR_OLDER = f"""() => {{
  const [key] = {DRAFTS};
  for (const where of [localStorage, sessionStorage]) {{
    const draft = JSON.parse(where.getItem(key));
    where.setItem(key, JSON.stringify({{...draft, at: draft.at - 3600000}}));
  }}
}}"""
LOOKED_AFTER = """() => new Promise((done) => {
  const { serviceWorker } = navigator;
  if (serviceWorker.controller) done(); else serviceWorker.addEventListener("controllerchange", () => done());
})"""
SHARE = """(sound, to = "/shared") => {
  const form = document.createElement("form"), field = document.createElement("input"), given = new DataTransfer();
  const bytes = Uint8Array.from(atob(sound), (each) => each.charCodeAt(0));
  given.items.add(new File([bytes], "loi-nhan.wav", {type: "audio/wav"}));
  Object.assign(form, {method: "post", action: to, enctype: "multipart/form-data"});
  Object.assign(field, {type: "file", name: "file", files: given.files});
  form.append(field);
  document.documentElement.append(form);
  form.submit();
}"""
"""What a phone does with a file for us, see ``share_target`` of the manifest."""
STRANGE = "http://127.0.0.1:4567/"
"""Another site than the console's, which is at localhost."""
OVERWRITE = """async (changed) => {
  const shared = await loa.store.get("shared", "shared");
  await loa.store.put("shared", {text: "x", at: Date.now(), ...shared, ...changed}, "shared");
}"""
NOTHING_SHARED = """async () => {
  while (await loa.store.get("shared", "shared") !== undefined) await new Promise((done) => setTimeout(done, 20));
}"""
