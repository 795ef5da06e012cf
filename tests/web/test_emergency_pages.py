"""The pages of emergencies over HTTP: two people, a broken glass, drills that look like drills, and afterwards."""

import re
from datetime import timedelta

import httpx

from controller.emergencies.models import Emergency
from controller.emergencies.schemas import MessageIn, MessageOut
from controller.ids import new_id
from edge_agent.protocol.states import Outcome, PlayState, Reason
from tests.web.harness import Commune, visitor
from tests.web.pages import said as said_of


async def message(site: Commune, kind: str = "alert", title: str = "Lũ quét") -> MessageOut:
    recording = await site.centre.recording(title, length_ms=9_000)
    voices = [{"language": "vi", "text": f"{title}!", "recording_id": recording}]
    wanted = {"area_id": site.root.id, "kind": kind, "title": title, "voices": voices}
    return await site.centre.services.messages.create(site.centre.actor, MessageIn.model_validate(wanted))


def typed(site: Commune, said: MessageOut, **given: object) -> dict[str, object]:
    return {"message": said.id, "target": [site.root.scope], "times": "2"} | given


async def propose(client: httpx.AsyncClient, form: dict[str, object]) -> str:
    """Propose it; gives the address of its page."""
    answer = await client.post("/emergencies/new", data=form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


async def test_one_proposes_and_only_another_confirms(site: Commune) -> None:
    said, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        path = await propose(first, typed(site, said))
        waiting = (await first.get(path)).text
        assert "Đang chờ một người khác xác nhận" in waiting
        assert "PHÁT NGAY" not in waiting
        own = await first.post(path, data={"act": "confirm"})
        assert "Người đề nghị không tự xác nhận được" in own.text
        assert "KHẨN CẤP chờ xác nhận: Lũ quét" in (await second.get("/today")).text
        page = (await second.get(path)).text
        assert "Lũ quét!" in page
        assert "4 cụm" in page
        assert "XÁC NHẬN, PHÁT NGAY" in page
        await second.post(path, data={"act": "confirm"})
        after = (await first.get(f"{path}/live")).text
    assert "Đã gửi tới cụm loa" in after
    assert "nam xác nhận" in after
    assert "Chờ phát" in after


async def test_one_that_waits_is_not_lost_behind_others_that_came_later_and_are_over(site: Commune) -> None:
    """On a night of storms many are proposed in a province, and drills on a day of drills."""
    said, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        path = await propose(first, typed(site, said))
        at, by = site.centre.clock(), site.centre.person.id
        async with site.centre.database.transaction() as tx:
            tx.session.add_all(
                Emergency(
                    id=new_id(),
                    area_id=site.root.id,
                    title="Lũ quét",
                    drill="silent",
                    scopes=[site.root.scope],
                    slots=[],
                    state="cancelled",
                    proposed_by=by,
                    proposed_at=at + timedelta(seconds=number),
                    ended_at=at + timedelta(minutes=2),
                )
                for number in range(1, 61)
            )
        site.centre.clock.step(minutes=20)
        top = (await second.get("/strip")).text
        waiting = (await second.get("/emergencies")).text
    assert f'href="{path}"' in top
    assert "KHẨN CẤP chờ xác nhận: Lũ quét" in top
    assert "data-waits='/emergencies'" in top
    assert "Xem, nghe và xác nhận" in waiting


async def test_what_lies_ready_is_proposed_under_its_own_name(site: Commune) -> None:
    """The name of a recording that was dropped, or sounds beside it, may still stand in the form."""
    said = await message(site)
    async with visitor(site) as client:
        path = await propose(client, typed(site, said, title="Thông báo 17:03"))
        assert re.search(r"<h1>.*?Lũ quét.*?</h1>", (await client.get(path)).text, re.DOTALL)
    [proposed] = await site.centre.services.emergencies.list(site.centre.actor)
    assert proposed.title == "Lũ quét"


async def test_the_preview_says_who_stays_silent_and_offers_the_release(site: Commune) -> None:
    said = await message(site)
    hold = await site.centre.services.holds.order(site.centre.actor, [site.hamlets["Thôn Trại"].scope])
    site.centre.clock.step(minutes=3)
    site.centre.hears(site.nodes["Nhà văn hóa thôn Đồng"].id)
    async with visitor(site) as client:
        page = (await client.post("/emergencies/preview", data=typed(site, said))).text
        assert "4 cụm" in page
        assert "2 cụm đang có lệnh dừng nên sẽ IM LẶNG" in page
        assert "3 cụm mất kết nối" in page
        assert f'name="release" value="{hold[0].id}"' in page
        path = await propose(client, typed(site, said, release=[hold[0].id]))
        assert "4 cụm" in (await client.get(path)).text
        nothing = await client.post("/emergencies/new", data={"times": "99"})
    assert re.findall(r'id="wrong-(\w+)"', nothing.text) == ["message", "targets", "times"]


async def test_a_broken_glass_takes_a_reason_and_can_be_cancelled(site: Commune) -> None:
    said = await message(site)
    async with visitor(site) as client:
        path = await propose(client, typed(site, said))
        assert (await client.post(path, data={"act": "break_glass", "reason": " "})).status_code == 422
        await client.post(path, data={"act": "break_glass", "reason": "Không gọi được ai"})
        page = (await client.get(path)).text
        assert 'data-countdown="30"' in page
        assert "Không gọi được ai" in page
        assert "phát khẩn cấp một mình" in (await client.get("/alarms")).text
        assert f"phát tới {site.root.name} (4 cụm)" in page, "whom it reaches, and not everybody"
        site.centre.clock.step(seconds=12)
        page = (await client.get(f"{path}/live")).text
        assert 'data-countdown="18"' in page
        assert "XÁC NHẬN, PHÁT NGAY" not in page
        async with visitor(site, who=await site.centre.somebody("nam", "approver", site.root)) as second:
            page = (await second.get(path)).text
            assert "XÁC NHẬN, PHÁT NGAY" in page, "somebody was found after all"
            assert page.index("XÁC NHẬN, PHÁT NGAY") < page.index("data-countdown"), "it stays where the thumb is"
        await client.post(path, data={"act": "cancel"})
        assert "Đã hủy, không phát" in (await client.get(path)).text
        assert "Đã hủy, không phát" in (await client.get("/alarms")).text
    assert await site.centre.services.broadcasts.today(site.centre.actor, "Asia/Ho_Chi_Minh") == []


async def test_what_was_sent_is_ended_with_what_lies_ready(site: Commune) -> None:
    said, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        path = await propose(first, typed(site, said))
        await second.post(path, data={"act": "confirm"})
        assert "Chưa có bản tin báo yên hay đính chính" in (await first.get(path)).text
        [sent] = await site.centre.services.broadcasts.today(site.centre.actor)
        cut, lost, *_ = site.nodes
        await site.reach(sent, PlayState.PLAYING, cut, lost)
        await site.says(sent, lost, outcome=Outcome.INTERRUPTED, reason=Reason.POWER)
        # What failed is counted above all that can be pressed, and leads to its nodes.
        above = (await first.get(path)).text.partition('<ul class="standings">')[2].partition("</ul>")[0]
        assert re.search(r'<li><a href="#nodes-interrupted"><b>1</b>.*?Bị ngắt giữa chừng', above)
        assert "standing-" not in above
        assert sum(map(int, re.findall(r"<b>(\d+)</b>", above))) == 2, "what was cut off sounded, and is counted once"
        assert "2/4 cụm đã có tiếng" in said_of(await first.get(path))
        site.centre.clock.step(minutes=3)
        assert "2/4 cụm đã có tiếng" in said_of(await first.get(path)), "where it began it sounded, though it is lost"
        await message(site, "all_clear", "Hết lũ")
        assert "BÁO YÊN" in (await first.get(path)).text
        assert "ĐÍNH CHÍNH NGAY" not in (await first.get(path)).text
        answer = await first.post(path, data={"act": "all_clear"})
        follow = (await first.get(answer.headers["location"])).text
        assert "Hết lũ" in follow
        assert f'href="{path}"' in follow
        await site.says(sent, cut, outcome=Outcome.INTERRUPTED, reason=Reason.STOPPED)
        ended = (await first.get(path)).text
    assert "Đã kết thúc" in ended
    assert "Không phát được" not in ended
    for standing, node in (("ended", cut), ("interrupted", lost)):
        assert re.search(rf'aria-labelledby="standing-{standing}">.*?>{node}</a>', ended, re.DOTALL)
    assert "Bị ngắt theo lệnh (báo yên, đính chính hoặc hủy)" in ended
    assert "BÁO YÊN" not in ended


async def test_what_has_sounded_leaves_the_top_of_every_page(site: Commune) -> None:
    said, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    await message(site, "drill", "Đây là diễn tập")
    async with visitor(site) as first, visitor(site, who=nam) as second:
        for drill in ("marked", ""):
            path = await propose(first, typed(site, said, drill=drill))
            await second.post(path, data={"act": "confirm"})
        runs = await site.centre.services.broadcasts.today(site.centre.actor)
        strip = (await first.get("/strip")).text
        assert strip.count('href="/emergencies/') == 2  # one line for the real one, one for the drill
        [drill_run] = [run for run in runs if run.drill]
        site.plays_now(drill_run, *site.nodes)
        assert ">DIỄN TẬP: Lũ quét</a>" in (await first.get("/strip")).text
        for run in runs:
            await site.played(run, *site.nodes)
        site.centre.clock.step(minutes=2)
        assert 'href="/emergencies/' not in (await first.get("/strip")).text
        assert "Lũ quét" in (await first.get("/emergencies")).text


async def test_a_drill_is_called_one_on_every_page_and_is_never_red(site: Commune) -> None:
    said, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        form = (await first.get("/emergencies/new?drill=silent")).text
        path = await propose(first, typed(site, said, drill="silent"))
        pages = [form, (await first.get(path)).text, (await second.get(path)).text]
        await second.post(path, data={"act": "confirm"})
        pages.append((await first.get(path)).text)
        assert "DIỄN TẬP IM LẶNG" in (await first.get("/emergencies")).text
    for page in pages:
        main = page.partition("<main")[2].partition("</main>")[0]
        assert 'class="drill"' in page
        assert "DIỄN TẬP: không phải tình huống thật" in main
        assert "mark stop" not in main
        assert not re.search(r'<button class="[^"]*stop', main)
    assert pages[-1].count('class="drill-word"') == 4


async def test_a_ready_message_is_written_changed_and_put_away(site: Commune) -> None:
    form = {"title": "Cháy rừng", "kind": "alert", "area_id": site.root.id, "text-vi": "Có cháy rừng."}
    async with visitor(site) as client:
        empty = await client.post("/messages/new", data=form | {"text-vi": ""})
        assert 'id="wrong-voices"' in empty.text
        assert (await client.post("/messages/new", data=form)).status_code == 303
        listed = (await client.get("/messages")).text
        assert "Chưa có tệp âm thanh" in listed
        [path] = re.findall(r'href="(/messages/[0-9a-f-]{32,36})"', listed)
        changed = await client.post(path, data=form | {"text-vi": "Cháy rừng lớn.", "version": "1"})
        assert changed.status_code == 303
        stale = await client.post(path, data=form | {"version": "1"})
        assert stale.status_code == 422
        assert "Cháy rừng lớn." in (await client.get("/messages")).text
        await client.post(path, data={"act": "archive"})
        assert "Cháy rừng lớn." not in (await client.get("/messages")).text


async def test_a_ready_message_is_written_in_every_language_that_is_asked_for_below(site: Commune) -> None:
    centre, services = site.centre, site.centre.services
    await services.areas.change(centre.actor, site.hamlets["Thôn Trại"].id, languages=["tyz", "vi"])
    old = await centre.recording("Cháy rừng, tiếng Tày")
    for number in range(12):  # as many as are offered
        centre.clock.step(seconds=1)
        await centre.recording(f"Tin {number}")
    typed = {"title": "Cháy rừng", "kind": "alert", "area_id": site.root.id, "text-vi": "Có cháy rừng."}
    async with visitor(site) as client:
        form = (await client.get("/messages/new?kind=alert")).text
        assert re.findall(r'name="text-(\w+)"', form) == ["vi", "tyz"]
        said = {"text-tyz": "Mì phầy mảy đông.", "recording-tyz": old}
        assert (await client.post("/messages/new", data=typed | said)).status_code == 303
        [message] = await services.messages.list(centre.actor)
        page = (await client.get(f"/messages/{message.id}")).text
        assert "Mì phầy mảy đông.</textarea>" in page
        assert f'name="recording-tyz" value="{old}"' in page
        changed = said | {"text-tyz": "Mì phầy mảy đông cải.", "version": "1"}
        assert (await client.post(f"/messages/{message.id}", data=typed | changed)).status_code == 303
    voices = (await services.messages.get(centre.actor, message.id)).voices
    assert [(each.language, each.text, each.recording_id) for each in voices] == [
        ("vi", "Có cháy rừng.", None),
        ("tyz", "Mì phầy mảy đông cải.", old),
    ]


async def test_who_has_no_ready_message_types_one_and_is_led_to_models_of_it(site: Commune) -> None:
    async with visitor(site) as client:
        page = (await client.get("/emergencies/new")).text
        assert 'hx-post="/say/speech" hx-include="#emergency-form"' in page
        assert re.search(r'<details class="unfolds" id="own" open>', page), "what may be said now is in sight"
        assert 'href="/messages/new?kind=alert"' in page.partition("<main")[2]
        kept = await client.post("/emergencies/new", data={"text": "Nước lên nhanh", "times": "2"})
        assert "Nước lên nhanh</textarea>" in kept.text
        for kind in ("alert", "all_clear", "false_alarm"):
            form = (await client.get(f"/messages/new?kind={kind}")).text
            models = re.findall(rf'href="(/messages/new\?kind={kind}&amp;model=\w+)"', form)
            assert len(models) == 4
            for path in models:
                filled = (await client.get(path.replace("&amp;", "&"))).text
                title = re.search(r'name="title" value="([^"]+)"', filled)
                words = re.search(r'<textarea id="text-vi"[^>]*>([^<]{40,})</textarea>', filled)
                assert title is not None, path
                assert words is not None, path
                assert 'hx-post="/bulletins/speech"' in filled
        assert "model=" not in (await client.get("/messages/new?kind=drill")).text
