"""What exists already is found again and said now: recordings, bulletins with all their languages, programmes."""

import re
from typing import Any

import pytest

from controller.broadcasts.schemas import BroadcastOut
from controller.bulletins.schemas import BulletinIn, BulletinOut, VersionSeen
from controller.policies.schemas import PolicyIn
from tests.web.harness import Commune, visitor
from tests.web.pages import draft, programme, said
from web.pages import sounds

LENGTHS = {"vi": 20_000, "hmn": 30_000}


async def bulletin(site: Commune, title: str = "Phòng rét", *, approved: bool = True, **given: Any) -> BulletinOut:
    """Write one in two languages, each with its sound."""
    services, actor, voices = site.centre.services, site.centre.actor, []
    for language, length_ms in LENGTHS.items():
        sound = await site.centre.recording(f"{title} {language}", length_ms=length_ms, language=language)
        voices.append({"language": language, "text": f"Lời {language}", "recording_id": sound})
    wanted = {"area_id": site.root.id, "title": title, "category": "farming", "voices": voices} | given
    made = await services.bulletins.create(actor, BulletinIn.model_validate(wanted))
    if not approved:
        return made
    await services.bulletins.submit(actor, made.id, VersionSeen(version=1))
    return await services.bulletins.approve(actor, made.id, VersionSeen(version=1))


async def today(site: Commune) -> list[BroadcastOut]:
    return await site.centre.services.broadcasts.today(site.centre.actor)


async def typed(site: Commune, **given: object) -> dict[str, object]:
    return {**await draft(site), "recording": "", "title": "Phòng rét"} | given


async def test_a_bulletin_is_said_now_from_its_page_in_the_languages_of_each_place(site: Commune) -> None:
    areas, actor = site.centre.services.areas, site.centre.actor
    await areas.change(actor, site.hamlets["Thôn Trại"].id, languages=["vi", "hmn"])
    made = await bulletin(site)
    async with visitor(site) as client:
        assert f'href="/say?bulletin={made.id}"' in (await client.get(f"/bulletins/{made.id}")).text
        page = await client.get(f"/say?bulletin={made.id}")
        assert f'name="bulletin" value="{made.id}"' in page.text
        assert 'id="title" name="title" value="Phòng rét"' in page.text
        for words in ("tiếng Việt · 20 giây", "tiếng H&#39;Mông · 30 giây", "Nói điều khác"):
            assert words in page.text
        wish = await typed(site, bulletin=made.id)
        preview = said(await client.post("/say/preview", data=wish))
        assert "Phát ngay 1 phút tới 4 cụm của 3 nơi" in preview
        assert "PHÁT tới 4 cụm" in preview
        assert (await client.post("/say", data=wish)).status_code == 303
    [run] = await today(site)
    assert [each.language for each in run.items] == ["vi", "hmn", "vi", "hmn"]
    assert run.title == "Phòng rét"


async def test_a_priority_bulletin_is_said_as_such(site: Commune) -> None:
    made = await bulletin(site, level="priority")
    async with visitor(site) as client:
        assert "ưu tiên</span>" in (await client.get(f"/say/bulletins/{made.id}")).text
        await client.post("/say", data=await typed(site, bulletin=made.id))
    assert [run.level for run in await today(site)] == ["priority"]


async def test_a_programme_is_said_now_from_its_page(site: Commune) -> None:
    made = await programme(site, length_ms=60_000)
    async with visitor(site) as client:
        assert f'href="/say?programme={made.id}"' in (await client.get(f"/programmes/{made.id}")).text
        page = await client.get(f"/say?programme={made.id}")
        assert "Chương trình · 1 mục · 1 phút" in page.text
        wish = await typed(site, programme=made.id, title="Chương trình chiều")
        assert "Phát ngay 1 phút tới 4 cụm" in said(await client.post("/say/preview", data=wish))
        assert (await client.post("/say", data=wish)).status_code == 303
    assert [run.length_ms for run in await today(site)] == [60_000]


async def test_what_may_not_be_heard_is_not_offered_and_says_why(site: Commune) -> None:
    made, empty = await bulletin(site, approved=False), await programme(site)
    await site.centre.services.programmes.archive(site.centre.actor, empty.id)
    cases = {"bulletin": (made.id, "“Phòng rét” chưa được duyệt."), "programme": (empty.id, "đã cất.")}
    async with visitor(site) as client:
        for kind, (known, why) in cases.items():
            assert "/say?" not in (await client.get(f"/{kind}s/{known}")).text.partition("<main")[2]
            assert why in said(await client.get(f"/say?{kind}={known}"))
            wish = await typed(site, **{kind: known})
            assert why in said(await client.post("/say/preview", data=wish))
            refused = await client.post("/say", data=wish)
            assert (refused.status_code, why in said(refused)) == (422, True)
        gone = await client.get("/say?bulletin=nowhere")
        assert "Nội dung này không còn" in gone.text
        assert 'name="bulletin"' not in gone.text
    assert await today(site) == []


async def test_a_bulletin_is_said_after_the_yes_that_the_policy_asks_for(site: Commune) -> None:
    made = await bulletin(site)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{"category": "farming"}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    async with visitor(site) as client:
        wish = await typed(site, bulletin=made.id)
        assert "GỬI ĐI DUYỆT" in (await client.post("/say/preview", data=wish)).text
        assert (await client.post("/say", data=wish)).status_code == 303
    [asked] = await site.centre.services.approvals.list(site.centre.actor)
    assert asked.state == "open"


async def test_typed_words_beside_a_bulletin_are_told_not_to_be_heard(site: Commune) -> None:
    made = await bulletin(site)
    wish = await typed(site, bulletin=made.id, text="Mời họp")
    async with visitor(site) as client:
        assert "Chữ bạn gõ chưa đọc nên sẽ không phát" in said(await client.post("/say/preview", data=wish))
        assert (await client.post("/say", data=wish)).status_code == 303
    [run] = await today(site)
    assert [each.title for each in run.items] == ["Phòng rét vi"]


async def test_a_bulletin_is_tried_on_one_node_first(site: Commune) -> None:
    made, node = await bulletin(site), site.nodes["Cổng chợ Trại"]
    async with visitor(site) as client:
        told = await client.post("/say/trial", data=await typed(site, bulletin=made.id, trial_node=node.scope))
    assert "để phát thử" in told.text
    assert [run.title for run in await today(site)] == ["Phát thử: Phòng rét"]


async def test_a_recording_is_said_from_its_page(site: Commune) -> None:
    known = await site.centre.recording("Mất nước")
    hang = await site.centre.somebody("hang", "observer", site.root)
    async with visitor(site) as client, visitor(site, who=hang) as observer:
        assert f'href="/say?recording={known}"' in (await client.get(f"/recordings/{known}")).text
        assert f'name="recording" value="{known}"' in (await client.get(f"/say?recording={known}")).text
        assert "/say?recording" not in (await observer.get(f"/recordings/{known}")).text


async def test_what_exists_is_found_without_accents_however_old_it_is(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sounds, "RECENT", 2)
    for title in ("Lịch cắt điện", "Họp dân", "Tiêm phòng"):
        await site.centre.recording(title)
        site.centre.clock.step(seconds=60)
    await bulletin(site, "Điện yếu")
    await programme(site)
    async with visitor(site) as client:
        page = said(await client.get("/say"))
        assert "Lịch cắt điện" not in page
        assert "Gõ thêm chữ để tìm" in page
        found = await client.get("/say/existing?find=dien&written=yes")
        assert re.findall(r'hx-get="/say/(\w+)/', found.text) == ["recordings", "recordings", "bulletins"]
        assert "Lịch cắt điện" in said(await client.get("/say/existing?find=lich cat dien"))
        assert "Chương trình chiều" in said(await client.get("/say/existing?find=chieu&written=yes"))
        assert "Bản tin" not in said(await client.get("/say/existing?find=dien"))
        assert "Không tìm thấy" in (await client.get("/say/existing?find=khong co gi")).text


async def test_another_commune_finds_nothing_of_ours(site: Commune) -> None:
    made = await bulletin(site)
    kha = await site.centre.area("Xã Kha Sơn", kind="commune")
    chi = await site.centre.somebody("chi", "operator", kha)
    async with visitor(site, who=chi) as client:
        assert "Không tìm thấy" in (await client.get("/say/existing?find=phong ret&written=yes")).text
        assert "Nội dung này không còn" in (await client.get(f"/say/bulletins/{made.id}")).text
