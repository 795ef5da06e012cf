"""Khẩn cấp over HTTP: reasons on buttons, a drill that stays one, a count by evidence, and the list of all."""

import re
from typing import Any
from unittest.mock import AsyncMock

import pytest

from controller.emergencies.rules import LONGEST_MS
from edge_agent.protocol.states import Grade
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from tests.web.test_emergency_pages import message, propose, typed
from web.pages import sounds


@pytest.fixture
def no_signal_yet(site: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ready message asks for the alarm signal: here it is made when the test says so, and not meanwhile."""
    monkeypatch.setattr(site.centre.services.processing, "_process_one", AsyncMock())


async def test_whoever_decides_alone_presses_a_reason_and_types_nothing(site: Commune) -> None:
    ready = await message(site)
    async with visitor(site) as client:
        path = await propose(client, typed(site, ready))
        page = (await client.get(path)).text
        assert re.findall(r'name="reason_code" value="(\w+)"', page) == [
            *("nobody_reached", "life_in_minutes", "cut_off", "other")
        ]
        none = await client.post(path, data={"act": "break_glass", "reason_code": "other", "reason": ""})
        assert none.status_code == 422
        await client.post(path, data={"act": "break_glass", "reason_code": "life_in_minutes"})
        after = (await client.get(path)).text
        assert 'data-countdown="30"' in after
        assert "Lý do: Nguy hiểm tới tính mạng trong vài phút" in after
        assert "Không gọi được" not in after


@pytest.mark.usefixtures("no_signal_yet")
async def test_a_proposal_that_is_pressed_twice_leads_to_the_first(site: Commune) -> None:
    """On a slow link: the form says data-once, its key and the centre see to the rest."""
    ready = await message(site)
    async with visitor(site) as client:
        [key] = re.findall(r'name="key" value="(\w+)"', (await client.get("/emergencies/new")).text)
        path = await propose(client, typed(site, ready, key=key))
        await site.centre.recording("Tín hiệu", length_ms=1_600, language="en", is_signal=True)  # between two taps
        assert await propose(client, typed(site, ready, key=key)) == path
        assert await propose(client, typed(site, ready)) == path, "from a form of another tab"
        site.centre.clock.step(minutes=5)
        assert await propose(client, typed(site, ready, key=key)) == path
        refused = await client.post("/emergencies/new", data=typed(site, ready))
        assert refused.status_code == 422
        page = (await client.get("/emergencies/new")).text
    assert 'name="key" value="' in refused.text
    [form] = re.findall(r'<form [^>]*id="emergency-form"[^>]*>', page)
    assert "data-once" in form
    assert len(await site.centre.services.emergencies.list(site.centre.actor)) == 1


async def test_who_proposed_sees_whom_to_call(site: Commune) -> None:
    ready = await message(site)
    await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as client:
        path = await propose(client, typed(site, ready))
        page = said(await client.get(path))
    assert "nam" in page
    assert "chưa có số điện thoại" in page


async def test_what_comes_from_the_form_of_a_drill_is_a_drill_whatever_got_lost(site: Commune) -> None:
    ready = await message(site)
    await message(site, "drill", "Đây là diễn tập")
    async with visitor(site) as client:
        form = (await client.get("/emergencies/new?drill=marked")).text
        assert 'name="is_drill" value="yes"' in form
        path = await propose(client, typed(site, ready, is_drill="yes"))
        page = await client.get(path)
        assert "<title>DIỄN TẬP: " in page.text
        assert 'class="drill"' in page.text
        await client.post(path, data={"act": "break_glass", "reason_code": "cut_off"})
        assert "Hủy, không diễn tập" in said(await client.get(path))


async def test_what_sounded_is_counted_by_its_evidence_and_below_a_sensor_nothing_is_green(site: Commune) -> None:
    ready, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        path = await propose(first, typed(site, ready))
        await second.post(path, data={"act": "confirm"})
        [run] = await site.centre.services.broadcasts.today(site.centre.actor)
        one, two, three, _ = site.nodes
        await site.played(run, one, grade=Grade.E2)
        await site.played(run, two, grade=Grade.E1)
        await site.played(run, three, grade=Grade.E3, simulated=True)
        page = (await first.get(path)).text
    assert "3/4 cụm đã có tiếng" in page
    [counted] = re.findall(r'<ul class="standings">.*?</ul>', page, re.DOTALL)
    tones = re.findall(r'<b>(\d)</b> <span class="mark (\w+)">', counted)
    assert tones == [("1", "unsure"), ("1", "good"), ("1", "unsure")]
    assert "mô phỏng" in counted


async def test_who_may_not_begin_one_is_shown_no_form(site: Commune) -> None:
    hieu = await site.centre.somebody("hieu", "observer", site.root)
    async with visitor(site, who=hieu) as client:
        assert (await client.get("/emergencies/new")).status_code == 403
        listed = (await client.get("/emergencies")).text
    assert 'href="/emergencies/new' not in listed


async def test_all_emergencies_are_listed_narrowed_and_taken_along(site: Commune) -> None:
    ready = await message(site)
    async with visitor(site) as client:
        assert "Chưa có lần phát khẩn cấp hay diễn tập nào" in (await client.get("/emergencies")).text
        real = await propose(client, typed(site, ready))
        drill = await propose(client, typed(site, ready, drill="silent"))
        everything = (await client.get("/emergencies?q=lu+quet")).text
        assert f'href="{real}"' in everything
        assert f'href="{drill}"' in everything
        drills = (await client.get("/emergencies?drill=drill")).text.partition('id="so-far"')[2]  # above, all that wait
        assert f'href="{drill}"' in drills
        assert f'href="{real}"' not in drills
        assert f'href="{real}"' not in (await client.get("/emergencies/live?drill=drill")).text
        table = (await client.get("/emergencies.csv?drill=drill")).text
    assert "DIỄN TẬP IM LẶNG" in table
    assert table.count("Lũ quét") == 1


@pytest.mark.usefixtures("no_signal_yet")
async def test_what_waits_for_a_yes_stands_first_on_the_page_of_emergencies_with_its_button(site: Commune) -> None:
    ready, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        path = await propose(first, typed(site, ready))
        waiting = said(await first.get(path))
        assert "họ mở mục Khẩn cấp, tin này đứng đầu trang" in waiting
        page = (await second.get("/emergencies")).text
        main = page.partition("<main")[2]
        assert main.index("Xem, nghe và xác nhận") < main.index('href="/emergencies/new"')
        assert "4 cụm · 20 giây" in main
        assert re.search(r'<a href="/emergencies"[^>]*>\S+ \S+ <span class="waits"[^>]*><span[^>]*>1<', page), (
            "the menu counts it"
        )
        own = (await first.get("/emergencies")).text.partition("<main")[2]
        assert f'href="{path}"' in own.partition('href="/emergencies/new"')[0]
        assert "Xem, nghe và xác nhận" not in own


def opened(page: str) -> str:
    """Give where an open page of emergencies looks for what waits."""
    [path] = re.findall(r'hx-get="(/emergencies/waiting\?since=\d+)"', page)
    return str(path)


async def test_a_yes_is_said_where_all_of_it_is_heard_and_what_is_over_keeps_its_place(site: Commune) -> None:
    """Two leaders are called for one proposal: what the other did must not bring another act below this one's thumb."""
    ready, other = await message(site), await message(site, title="Cháy chợ")
    nam, hai = [await site.centre.somebody(name, "approver", site.root) for name in ("nam", "hai")]
    async with visitor(site) as first, visitor(site, who=nam) as second, visitor(site, who=hai) as third:
        path = await propose(first, typed(site, ready))
        site.centre.clock.step(seconds=2)
        behind = await propose(first, typed(site, other))
        look = opened((await second.get("/emergencies")).text)
        before = (await second.get(look)).text
        assert re.findall(r'<a class="button tall stop" href="(/\S+)"', before) == [path, behind]
        assert "<form" not in before
        await third.post(path, data={"act": "confirm"})
        after = (await second.get(look)).text
        assert waits(after) == waits(before)
        assert re.findall(r'<a class="button tall stop" href="(/\S+)"', after) == [behind]
        assert "Đã có người xác nhận: hai, 17:03." in said(await second.get(look))
        mine = said(await second.get(f"{path}/live"))
        assert "Đã có người xác nhận: hai" in mine
        site.centre.clock.step(minutes=11)
        again = (await second.get(opened(after))).text
        assert waits(again) == waits(before), "nothing leaves an open page either"
        assert path not in (await second.get("/emergencies")).text.partition('href="/emergencies/new"')[0]


def waits(page: str) -> list[str]:
    """Name the cards on top, in their order."""
    return re.findall(r'<section [^>]*id="waits-(\w+)"', page)


async def test_what_waits_stands_above_all_that_is_over_for_whoever_opens_the_page(site: Commune) -> None:
    ready, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        mistaken = await propose(first, typed(site, ready))
        site.centre.clock.step(seconds=2)
        await first.post(mistaken, data={"act": "cancel"})
        site.centre.clock.step(seconds=2)
        anew = await propose(first, typed(site, ready))
        page = (await second.get("/emergencies")).text
        order = [path.rpartition("/")[2] for path in (anew, mistaken)]
        assert waits(page) == waits((await second.get(opened(page))).text) == order
        for since in ("9" * 30, "-1", "²", "x", "99999999999"):
            assert waits((await second.get(f"/emergencies/waiting?since={since}")).text) == order, since


def heard_before_the_yes(page: str) -> list[str]:
    """Name what can be played and read on a page above its yes; the signal, the same before all, is only named."""
    above = page.partition('value="confirm"')[0]
    assert above != page
    [sounds] = re.findall(r'<ol class="sounds.*?</ol>', above, re.DOTALL)
    each = sounds.split("<li>")[1:]
    shown = []
    for one in each:
        is_signal = "Tín hiệu báo động" in one
        assert ('<audio preload="none" src="/media/' in one) is not is_signal
        words = one if is_signal else one.partition('failed" hidden>')[2].partition("</p>")[2]
        shown.append(" ".join(re.sub(r"<[^>]+>", " ", words).split()))
    return shown


async def test_who_confirms_hears_and_reads_all_that_will_sound_in_its_order_before_the_yes(site: Commune) -> None:
    nam = await site.centre.somebody("nam", "approver", site.root)
    await site.centre.recording("Tín hiệu", length_ms=1_600, is_signal=True)
    ready, own = await message(site), await site.centre.recording("Vỡ đê", length_ms=12_000, area_id=site.root.id)
    words = "Đê vỡ ở bờ tả. Dân thôn Trại lên đồi ngay!"
    spoken: dict[str, Any] = {"origin": "machine", "voice": "espeak-ng vi", "words": words}
    typed_words = await site.centre.recording("Vỡ đê", length_ms=6_000, area_id=site.root.id, **spoken)
    forms = {
        "recorded": typed(site, ready, message="", recording=own, title="Vỡ đê", times="1"),
        "both": typed(site, ready, recording=own),
        "machine": typed(site, ready, message="", recording=typed_words, title="Vỡ đê", text=words),
        "chosen": typed(site, ready, message="", recording=typed_words, title="Đê"),
    }
    found = {}
    async with visitor(site) as first, visitor(site, who=nam) as second:
        for name, form in forms.items():
            path = await propose(first, form)
            found[name] = heard_before_the_yes((await second.get(path)).text)
            await first.post(path, data={"act": "cancel"})
    signal, once = "Tín hiệu báo động 2 giây · {} lần", "Vỡ đê tiếng Việt · 12 giây · 1 lần"
    assert found["recorded"] == [signal.format(1), once]
    machine = "Giọng máy đọc, không phải người"
    assert found["both"] == [
        signal.format(2),
        "Lũ quét tiếng Việt · 9 giây · 2 lần Lũ quét!",
        "Vỡ đê tiếng Việt · 12 giây · 2 lần",
    ]
    assert found["machine"] == [signal.format(2), f"Vỡ đê tiếng Việt · 6 giây · 2 lần · {machine} {words}"]
    assert found["chosen"] == found["machine"]


@pytest.mark.usefixtures("no_signal_yet")
async def test_both_people_are_told_of_a_signal_that_is_not_made_yet_and_then_of_it(site: Commune) -> None:
    nam = await site.centre.somebody("nam", "approver", site.root)
    ready, coming = await message(site), "Tín hiệu báo động chưa tạo xong"
    async with visitor(site) as first, visitor(site, who=nam) as second:
        asked = said(await first.post("/emergencies/preview", data=typed(site, ready)))
        assert coming in asked
        assert "Dài tất cả 20 giây, bằng tiếng Việt" in asked
        path = await propose(first, typed(site, ready))
        before = await second.get(f"{path}/live")
        assert coming in said(before)
        assert "Dài tất cả 20 giây." in said(before)
        assert all("Tín hiệu báo động 2 giây" not in each for each in heard_before_the_yes(before.text))
        await site.centre.recording("Tín hiệu", length_ms=1_600, language="en", is_signal=True)
        after = await second.get(f"{path}/live")
        assert coming not in said(after)
        assert heard_before_the_yes(after.text)[0] == "Tín hiệu báo động 2 giây · 1 lần"
        assert "Dài tất cả 22 giây." in said(after)
        asked = said(await first.post("/emergencies/preview", data=typed(site, ready)))
        assert coming not in asked
        assert "Dài tất cả 24 giây, tín hiệu báo động trước, bằng tiếng Việt, tại" in asked, "before each time, then"
        await first.post(path, data={"act": "cancel"})
        over = (await second.get(path)).text
        assert "/media/" not in over, "what was cancelled is served no more"
        assert "Lũ quét!" in over


@pytest.mark.usefixtures("no_signal_yet")
@pytest.mark.parametrize("is_made", [False, True])
async def test_what_is_too_long_for_the_signal_says_so_to_both_and_is_heard_without_it(
    site: Commune, *, is_made: bool
) -> None:
    nam, length_ms = await site.centre.somebody("nam", "approver", site.root), LONGEST_MS - 1_000
    long = await site.centre.recording("Vỡ đê", length_ms=length_ms, area_id=site.root.id)
    form = typed(site, await message(site), message="", recording=long, title="Vỡ đê", times="1")
    if is_made:
        await site.centre.recording("Tín hiệu", length_ms=1_600, is_signal=True)
    told = "Không có tín hiệu báo động ở đầu: thêm vào thì quá dài, cụm loa không nhận. Lời vẫn phát đủ."
    async with visitor(site) as first, visitor(site, who=nam) as second:
        asked = said(await first.post("/emergencies/preview", data=form))
        assert told in asked
        assert "tín hiệu báo động trước" not in asked
        path = await propose(first, form)
        await site.centre.recording("Tín hiệu", length_ms=1_600, is_signal=True)
        page = await second.get(path)
        assert told in said(page)
        assert heard_before_the_yes(page.text) == ["Vỡ đê tiếng Việt · 29 phút 59 giây · 1 lần"]
        await second.post(path, data={"act": "confirm"})
    [run] = await site.centre.services.broadcasts.today(site.centre.actor)
    assert run.length_ms == length_ms


async def test_words_that_were_not_read_aloud_are_read_when_they_are_sent_and_heard_before_they_go_on(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sounds, "READY_WITHIN_S", 18)  # a machine that does much else processes slowly
    words = {"text": "Nước lên nhanh, sơ tán ngay", "target": [site.root.scope], "times": "1", "when": "now"}
    async with visitor(site) as client:
        asked = said(await client.post("/emergencies/preview", data=words))
        assert "Bấm “Đọc thành tiếng” để nghe trước" in asked
        assert "Bấm “Đọc thành tiếng”" in said(await client.post("/say/preview", data=words))
        beside = words | {"message": (await message(site)).id}
        assert "Bấm “Đọc thành tiếng” để nghe trước" in said(await client.post("/emergencies/preview", data=beside))
        dropped = await client.post("/emergencies/new", data=beside)
        assert dropped.status_code == 422, "what was typed beside a ready message would not be heard"
        assert "Máy vừa đọc chữ bạn gõ." in said(dropped)
        for path in ("/emergencies/new", "/say"):
            answer = await client.post(path, data=words)
            assert answer.status_code == 422
            assert "Máy vừa đọc chữ bạn gõ. Nghe lại bên trên, rồi bấm gửi lần nữa." in said(answer)
            [recording] = re.findall(r'name="recording" value="([^"]+)"', answer.text)
            assert 'name="title" value="Nước lên nhanh, sơ tán ngay"' in answer.text
            again = await client.post(path, data=words | {"recording": recording, "title": "Nước lên"})
            assert again.status_code == 303, said(again)


async def test_words_that_were_changed_since_they_were_read_are_read_again_and_nothing_goes_out(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sounds, "READY_WITHIN_S", 18)  # a machine that does much else processes slowly
    head = "Nước sông Cầu đang lên rất nhanh, đã vượt báo động ba từ chiều nay, "
    made: dict[str, Any] = {"origin": "machine", "voice": "espeak-ng vi", "words": head + "ở yên trong nhà"}
    read = await site.centre.recording("Nước sông Cầu", area_id=site.root.id, **made)
    form = {"target": [site.root.scope], "times": "1", "when": "now", "title": "Lũ", "recording": read}
    changed, same = form | {"text": head + "sơ tán ngay"}, form | {"text": f" {head}\r\n ở yên  trong nhà "}
    services, actor = site.centre.services, site.centre.actor
    async with visitor(site) as client:
        for path in ("/emergencies/new", "/say"):
            preview = path.replace("/new", "") + "/preview"
            assert "Chữ đã đổi sau khi máy đọc" in said(await client.post(preview, data=changed))
            assert "Chữ đã đổi" not in said(await client.post(preview, data=same))
            answer = await client.post(path, data=changed)
            assert answer.status_code == 422
            assert "Chưa gửi: chữ đã đổi sau khi máy đọc. Máy vừa đọc lại." in said(answer)
            [again] = re.findall(r'name="recording" value="([^"]+)"', answer.text)
            assert again != read
            assert (await services.recordings.get(actor, again)).words == changed["text"]
            assert not [*await services.emergencies.list(actor), *await services.broadcasts.today(actor)]
            spoken = {"recording": await site.centre.recording("Lũ", area_id=site.root.id), "title": "Lũ"}
            assert "Chữ bạn gõ chưa đọc nên sẽ không phát" in said(await client.post(preview, data=changed | spoken))
        tried = await client.post("/say/trial", data=changed | {"trial_node": next(iter(site.nodes.values())).scope})
        assert "Chữ đã đổi sau khi máy đọc" in said(tried)
        assert (await client.post("/say", data=same)).status_code == 303
        assert (await client.post("/emergencies/new", data=changed | {"recording": again})).status_code == 303


async def test_a_proposal_that_is_repeated_within_a_minute_says_that_nothing_was_added(site: Commune) -> None:
    ready = await message(site)
    async with visitor(site) as client:
        path = await propose(client, typed(site, ready, key="a" * 32))
        twice = await client.post("/emergencies/new", data=typed(site, ready, key="a" * 32))
        assert "Chưa thêm lần nào" not in said(await client.get(twice.headers["location"])), "one tap that came twice"
        again = await client.post("/emergencies/new", data=typed(site, ready, key="b" * 32))
        assert again.headers["location"].startswith(path)
        assert "Chưa thêm lần nào" in said(await client.get(again.headers["location"]))


async def test_the_form_says_as_of_when_the_places_to_choose_were_counted(site: Commune) -> None:
    async with visitor(site) as client:
        assert "Số cụm ở đây tính lúc 17:03." in said(await client.get("/emergencies/new"))
        site.centre.clock.step(minutes=4)
        assert "Số cụm ở đây tính lúc 17:07." in said(await client.get("/emergencies/new?drill=marked"))
        assert "Số cụm ở đây" not in said(await client.get("/say"))
