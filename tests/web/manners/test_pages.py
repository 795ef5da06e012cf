"""The pages over HTTP, without a browser: who may see them, what they keep, what they never do."""

import re
from typing import Any
from unittest.mock import AsyncMock
from urllib.parse import urlencode

import httpx
import pytest

from controller.errors import BusyError, ConflictError, TooManyAttemptsError
from tests.controller.factories import PASSWORD
from tests.web.harness import Commune, visitor
from tests.web.pages import FRAGMENTS, HOSTILE, PAGES, called, draft, everything, planned, programme


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        for path in PAGES:
            answer = await client.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"] == "/sign-in?" + urlencode({"next": path}, safe="/")


async def test_a_fragment_sends_the_whole_page_to_sign_in(site: Commune) -> None:
    asking = {"HX-Request": "true", "HX-Current-URL": f"{site.url}/broadcasts/x"}
    async with visitor(site, signed_in=False) as client:
        answer = await client.get("/strip", headers=asking)
    assert (answer.status_code, answer.text) == (401, "")
    assert answer.headers["hx-redirect"] == "/sign-in?next=/broadcasts/x&ended=1"  # who has its page open had a session


async def test_a_page_that_cannot_be_is_no_page_to_come_back_to(site: Commune) -> None:
    async with visitor(site) as client:
        answer = await client.get("/strip", headers={"HX-Request": "true", "HX-Current-URL": "http://["})
    assert answer.status_code == 200


async def test_an_ended_session_is_told_as_such(site: Commune) -> None:
    async with visitor(site) as client:
        site.centre.clock.step(hours=13)
        answer = await client.get("/today", follow_redirects=True)
    assert "Phiên làm việc đã hết" in answer.text


async def test_looking_at_every_page_changes_no_row(site: Commune) -> None:
    run = await site.broadcast("Bản tin")
    node = next(iter(site.nodes.values()))
    paths = [*PAGES, *FRAGMENTS, f"/broadcasts/{run.id}", f"/broadcasts/{run.id}/live"]
    paths += [f"/nodes/{node.id}", f"/nodes/{node.id}/live"]
    async with visitor(site) as client:
        before = await everything(site)
        for path in paths:
            assert (await client.get(path)).status_code == 200, path
        assert await everything(site) == before


async def test_a_form_from_another_site_is_refused(site: Commune) -> None:
    async with visitor(site) as client:
        before = await everything(site)
        for path in ["/say", "/holds", "/areas", "/nodes", "/language", "/sign-out"]:
            answer = await client.post(path, data={"scope": site.root.scope}, headers={"Sec-Fetch-Site": "cross-site"})
            assert answer.status_code == 403, path
        assert await everything(site) == before


async def test_a_wrong_password_keeps_the_login_and_says_what_to_do(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        answer = await client.post("/sign-in", data={"login": "lan", "password": "sai"})
    assert answer.status_code == 401
    assert 'value="lan"' in answer.text
    assert "Caps Lock" in answer.text
    assert 'value="sai"' not in answer.text


async def test_a_locked_account_says_how_long(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        for _ in range(10):
            await client.post("/sign-in", data={"login": "lan", "password": "sai"})
        answer = await client.post("/sign-in", data={"login": "lan", "password": PASSWORD})
    assert "hãy đợi 2 phút" in answer.text  # one more try every 90 s


async def test_signing_in_leads_nowhere_else(site: Commune) -> None:
    typed = {"login": "lan", "password": PASSWORD, "next": "https://evil.example/"}
    async with visitor(site, signed_in=False) as client:
        answer = await client.post("/sign-in", data=typed)
    assert answer.headers["location"] == "/today"
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}


async def test_signing_out_ends_the_session_itself(site: Commune) -> None:
    async with visitor(site) as client:
        await client.post("/sign-out")
        assert (await client.get("/today")).status_code == 303


async def test_the_language_is_kept_with_the_person(site: Commune) -> None:
    async with visitor(site) as client:
        assert (await client.post("/language", data={"locale": "en", "next": "/nodes"})).headers["location"] == "/nodes"
    async with visitor(site) as another_browser:
        assert '<html lang="en">' in (await another_browser.get("/today")).text


async def test_hostile_text_is_only_text_on_every_page(site: Commune) -> None:
    """All of it is there before the first page is read."""
    own = [path for text in HOSTILE for path in await called(site, text)]
    async with visitor(site) as client:
        answers = [await client.get(path) for path in [*PAGES, *own]]
        for text in HOSTILE:
            fields = await draft(site, title=text, hour=text, day=text, when="later", target=[text])
            answers += [await client.post("/say", data=fields), await client.post("/say/preview", data=fields)]
            answers.append(await client.post("/nodes", data={"code": text, "name": text, "area_id": text}))
            answers.append(await client.post("/sign-in", data={"login": text, "password": text}))
            answers.append(await client.get("/sign-in", params={"next": text}))
    for answer in answers:
        page = answer.text
        assert answer.status_code in {200, 401, 422}
        assert "<script>" not in page
        assert "49007" not in page
        assert not re.search(r"<(?:img|svg/)", page)
        assert not re.search(r"""<[^>"']*(?:"[^"]*"[^>"']*)*\son\w+=""", page)


async def test_nothing_on_a_page_is_inline_and_nothing_comes_from_elsewhere(site: Commune) -> None:
    async with visitor(site) as client:
        pages = [(await client.get(path)).text for path in PAGES]
    for page in pages:
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\shx-on|javascript:", page)
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page)


async def test_the_first_page_is_light(site: Commune) -> None:
    """All that a phone loads to see "Hôm nay", before any compression by a proxy."""
    async with visitor(site) as client:
        page = (await client.get("/today")).text
        links = set(re.findall(r"""(?:src|href)=["'](/static/[^"'#]+)""", page))
        loaded = [await client.get(link) for link in sorted(links)]
        fonts = [
            await client.get(f"/static/vendor/be-vietnam-pro/{name}.woff2")
            for name in ("latin-400", "latin-600", "vietnamese-400", "vietnamese-600")
        ]
    assert all(answer.status_code == 200 for answer in [*loaded, *fonts])
    found = {link.split("?")[0].removeprefix("/static/") for link in links}
    assert found >= {"css/site.css", "css/pages/today.css", "js/site.js", "vendor/htmx.min.js", "icons.svg"}
    assert (
        len(page.encode()) + sum(len(answer.content) for answer in {a.url.path: a for a in [*loaded, *fonts]}.values())
        < 200_000
    )


async def test_files_with_their_hash_are_kept_for_good_and_pages_never(site: Commune) -> None:
    async with visitor(site) as client:
        page = await client.get("/today")
        [style] = re.findall(r'href="(/static/css/site\.css\?v=\w+)"', page.text)
        assert "immutable" in (await client.get(style)).headers["cache-control"]
        assert "immutable" not in (await client.get("/static/css/site.css")).headers["cache-control"]
    assert page.headers["cache-control"] == "no-store"


async def test_loading_anew_after_a_mistake_is_no_dead_end(site: Commune) -> None:
    async with visitor(site) as client:
        for path, page in [
            ("/areas", "/places"),
            ("/holds", "/stop"),
            ("/language", "/today"),
            ("/sign-out", "/today"),
        ]:
            assert (await client.get(path)).headers["location"] == page
        assert (await client.get("/today")).status_code == 200


async def test_what_is_not_there_is_a_page_that_says_so(site: Commune) -> None:
    async with visitor(site) as client:
        for path in ["/broadcasts/none", "/nodes/none", "/nowhere"]:
            answer = await client.get(path)
            assert answer.status_code == 404
            assert "Không có trang này" in answer.text
            assert 'class="stop"' in answer.text, "STOP and the menu are in reach where one went astray, too"
            assert "hx-redirect" not in answer.headers
        asked = await client.post("/nodes/none/identify", data={})
        assert (asked.status_code, "<h1>Chưa làm được</h1>" in asked.text) == (404, True), "it was no page that is gone"
        part = await client.get("/nowhere", headers={"HX-Request": "true"})
        assert part.status_code == 404
        assert 'class="stop"' not in part.text


async def test_what_the_centre_cannot_do_now_is_said_inside_the_frame_and_to_a_part_in_words(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who acts keeps menu and STOP; what asks for a part of a page gets the words alone, for asked.js."""
    for error, words in (
        (BusyError("busy"), "Trung tâm đang bận"),
        (ConflictError("done"), "Việc này đã có người làm rồi"),
        (TooManyAttemptsError("slow down", retry_after_s=60), "quá nhiều yêu cầu"),
    ):
        monkeypatch.setattr(site.centre.services.messages, "list", AsyncMock(side_effect=error))
        async with visitor(site) as client:
            whole = await client.get("/messages")
            part = await client.get("/messages", headers={"HX-Request": "true"})
        assert whole.status_code == part.status_code == (429 if isinstance(error, TooManyAttemptsError) else 409)
        assert words in whole.text
        assert 'class="stop"' in whole.text
        assert "data-said" in part.text
        assert words in part.text
        assert "<html" not in part.text


async def test_a_form_that_is_too_large_or_not_a_form_changes_nothing(site: Commune) -> None:
    async with visitor(site) as client:
        before = await everything(site)
        large = await client.post("/areas", data={"name": "x" * 600_000})
        json = await client.post("/areas", json={"name": "x"})
        many = await client.post(
            "/say", content="&".join(["target=a"] * 9000), headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert {answer.status_code for answer in (large, json, many)} <= {409, 413, 422}
        assert await everything(site) == before


async def test_hostile_text_is_only_text_on_the_pages_of_the_desk(site: Commune) -> None:
    text = "<script>window.pwned=1</script>\"'{{ 7001*7 }}"
    made = await programme(site)
    forms: dict[str, dict[str, Any]] = {
        "/schedules/new": planned(made, site, title=text, hour=text, first_day=text, own_rule=text),
        "/programmes": {"title": text, "area_id": text},
        "/bulletins/new": {"title": text, "area_id": text, "text-vi": text, "category": text, "source": text},
        "/people": {"name": text, "login": text, "role": text, "area_id": text, "password": text},
        f"/policies/{site.root.id}": {"windows": text, "earliest": text, "night_cap": text, "second_person": text},
        "/emergencies/new": {"message": text, "title": text, "times": text, "target": text},
        "/messages/new": {"title": text, "kind": text, "area_id": text, "text": text},
    }
    async with visitor(site) as client:
        for path, typed in forms.items():
            answer = await client.post(path, data=typed)
            assert answer.status_code == 422, path
            assert "<script>window" not in answer.text, path
            assert "49007" not in answer.text, path


async def test_what_a_role_may_not_do_is_not_offered(site: Commune) -> None:
    observer = await site.centre.somebody("minh", "observer", site.root)
    operator = await site.centre.somebody("hoa", "operator", site.hamlets["Thôn Đồng"])
    everything = ["/say", "/bulletins", "/approvals", "/emergencies", "/alarms", "/people", "/places"]

    async def entries(client: httpx.AsyncClient) -> list[str]:
        page = (await client.get("/today")).text
        return [path for path in everything if f'href="{path}"' in page]

    async with visitor(site) as client:
        assert await entries(client) == everything
    async with visitor(site, who=observer) as client:
        assert await entries(client) == ["/bulletins"]
        page = (await client.get("/today")).text
        assert 'class="stopbar"' not in page
        refused = await client.get("/people")
        assert refused.status_code == 403
        assert "không có quyền" in refused.text
        assert "lỗi ở trung tâm" not in refused.text
    async with visitor(site, who=operator) as client:
        assert await entries(client) == ["/say", "/bulletins", "/approvals", "/emergencies"]
        assert "Nhận cụm loa" not in (await client.get("/nodes")).text


async def test_a_page_names_the_place_that_it_is_about(site: Commune) -> None:
    hamlet, node = site.hamlets["Thôn Trại"], site.nodes["Cổng chợ Trại"]
    run = await site.broadcast("Họp thôn", "Thôn Trại")
    typed = planned(await programme(site), site, target=[hamlet.scope], confirm_unusual="yes")
    async with visitor(site) as client:
        schedule = (await client.post("/schedules/new", data=typed)).headers["location"].partition("?")[0]
        about = [schedule, f"{schedule}/edit", f"/nodes/{node.id}", f"/broadcasts/{run.id}", f"/policies/{hamlet.id}"]
        for path in [*about, f"/nodes/{node.id}/broadcasts/{run.id}/why"]:
            assert '<p class="place">Thôn Trại</p>' in (await client.get(path)).text, path
        assert '<p class="place">Xã Nga My</p>' in (await client.get("/schedules")).text
