"""What is placed by hand onto others: the page asks whether it is meant, and the schedules' page names what is owed."""

from datetime import timedelta
from typing import Any

from controller.bulletins.schemas import BulletinIn, OfferIn, VersionSeen, VoiceIn
from controller.programmes.schemas import ItemIn, ProgrammeIn
from controller.schedules.schemas import ScheduleIn
from edge_agent.protocol.states import PlayState
from tests.web.harness import Commune, visitor

TICK = 'name="confirm_conflicts" value="yes"'


async def test_what_is_planned_onto_another_is_sent_only_when_that_is_meant(site: Commune) -> None:
    at = site.centre.clock().replace(hour=2, minute=0, second=0) + timedelta(days=1)  # nine in Hanoi
    await site.broadcast("Tiếp sóng", length_ms=600_000, start_at=at, confirm_unusual=True)
    typed = {"recording": await site.centre.recording("Họp thôn"), "title": "Họp thôn", "target": [site.root.scope]}
    typed |= {"when": "later", "day": "2031-11-25", "hour": "9:05", "confirm_unusual": "yes"}
    async with visitor(site) as client:
        asked = await client.post("/say", data=typed)
        assert asked.status_code == 422
        assert TICK in asked.text
        assert "Trùng giờ với “Tiếp sóng”" in asked.text
        assert TICK not in (await client.post("/say/preview", data=typed | {"hour": "9:11"})).text
        sent = await client.post("/say", data=typed | {"confirm_conflicts": "yes"})
    assert sent.status_code == 303


async def test_now_it_is_asked_about_until_it_is_said_how_it_comes_into_the_session(site: Commune) -> None:
    soon = site.centre.clock() + timedelta(minutes=1)
    run = await site.broadcast("Bản tin chiều", length_ms=600_000, start_at=soon, confirm_unusual=True)
    site.centre.clock.step(minutes=1)
    for name in site.nodes:
        await site.says(run, name, state=PlayState.PLAYING, item=0)
    site.centre.clock.step(minutes=1)
    typed = {"recording": await site.centre.recording("Mất nước"), "target": [site.root.scope], "when": "now"}
    async with visitor(site) as client:
        assert TICK in (await client.post("/say/preview", data=typed)).text
        assert TICK not in (await client.post("/say/preview", data=typed | {"during": "fade"})).text


async def test_silence_that_stands_is_said_before_and_after(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Trại"]
    await site.centre.services.holds.order(site.centre.actor, [hamlet.scope])
    said = "Đang có lệnh dừng ở Thôn Trại từ"
    typed = {"recording": await site.centre.recording("Mất nước"), "target": [site.root.scope], "when": "now"}
    async with visitor(site) as client:
        assert (await client.post("/say/preview", data=typed)).text.count(said) == 1
        sent = await client.post("/say", data=typed | {"title": "Mất nước", "confirm_unusual": "yes"})
        assert said in (await client.get(sent.headers["location"])).text
        typed["target"] = [site.hamlets["Thôn Đồng"].scope]
        assert said not in (await client.post("/say/preview", data=typed)).text


async def test_the_list_of_schedules_names_what_is_owed_to_areas_above(site: Commune) -> None:
    here, who = site.centre.services, site.centre.actor
    hamlet = site.hamlets["Thôn Trại"]
    voices = [VoiceIn(language="vi", recording_id=await site.centre.recording(area_id=site.root.id))]
    words = {"area_id": site.root.id, "title": "Bão số 3", "level": "priority", "voices": voices}
    made = await here.bulletins.create(who, BulletinIn.model_validate(words))
    await here.bulletins.submit(who, made.id, VersionSeen(version=made.version))
    await here.bulletins.approve(who, made.id, VersionSeen(version=made.version))
    async with visitor(site) as client:
        assert "Bão số 3" not in (await client.get("/schedules")).text
        await here.bulletins.offer(who, made.id, OfferIn(version=made.version))
        tune = ItemIn.model_validate({"kind": "recording", "recording_id": await site.centre.recording()})
        programme = await here.programmes.create(who, ProgrammeIn(area_id=hamlet.id, title="Sáng", items=[tune]))
        wanted: dict[str, Any] = {"title": "Sáng", "programme_id": programme.id, "rule": "FREQ=DAILY"}
        wanted |= {"targets": [hamlet.scope], "starts_at_local": "2031-11-25T06:00:00", "confirm_unusual": True}
        await here.schedules.create(who, ScheduleIn.checked(**wanted))
        page = (await client.get("/schedules")).text
    assert "“Bão số 3”: chưa có trong chương trình nào của Thôn Trại" in page
