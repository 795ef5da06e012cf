"""Recordings found by their words and origin, and where each is used."""

from datetime import timedelta
from typing import Any

import pytest

from controller.bulletins.schemas import BulletinIn, OfferIn, VersionSeen
from controller.errors import NotFoundError
from controller.paging import Wanted
from controller.people.actor import Actor
from controller.programmes.schemas import ItemIn, ProgrammeIn
from tests.controller.factories import Centre


async def titles(here: Centre, actor: Actor | None = None, **wanted: Any) -> list[str]:
    found = await here.services.library.find(actor or here.actor, Wanted(**wanted))
    return [each.title for each in found.rows]


async def test_recordings_are_found_with_and_without_accents(lite: Centre) -> None:
    for title in ("Bản tin chiều", "Nhạc hiệu", "Bán tin"):
        await lite.recording(title)
    assert sorted(await titles(lite, q="ban tin")) == ["Bán tin", "Bản tin chiều"]
    assert await titles(lite, q="bản tin") == ["Bản tin chiều"]
    assert await titles(lite, q="100%") == []


async def test_recordings_are_narrowed_sorted_and_counted_in_parts(lite: Centre) -> None:
    for number, origin in enumerate(["uploaded", "machine", "machine", "cut"]):
        added = lite.clock() + timedelta(minutes=number)
        await lite.recording(f"Tin {number}", origin=origin, length_ms=(4 - number) * 1000, created_at=added)
    await lite.recording("Tín hiệu báo động", is_signal=True)
    await lite.recording("Đã rút", withdrawn_at=lite.clock())
    assert await titles(lite, sort="added", down=True) == ["Tin 3", "Tin 2", "Tin 1", "Tin 0"]
    assert await titles(lite, sort="length") == ["Tin 3", "Tin 2", "Tin 1", "Tin 0"]
    assert await titles(lite, having={"origin": "machine"}) == ["Tin 1", "Tin 2"]
    assert await titles(lite, having={"origin": "nothing of ours"}) == ["Tin 0", "Tin 1", "Tin 2", "Tin 3"]
    part = await lite.services.library.find(lite.actor, Wanted(offset=1, limit=2))
    assert ([each.title for each in part.rows], part.total) == (["Tin 1", "Tin 2"], 4)


async def test_a_recording_says_where_it_is_used_and_not_where_one_may_not_look(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    here, there = await lite.area("Xã Đông", province), await lite.area("Xã Tây", province)
    recording = await lite.recording("Tiếng", area_id=here.id)
    await lite.recording("Cắt", area_id=here.id, origin="cut", derived_from=recording)
    services = lite.services
    for area in (here, there):
        voices = [{"language": "vi", "recording_id": recording}]
        wanted = {"area_id": area.id, "title": f"Tin của {area.name}", "voices": voices}
        await services.bulletins.create(lite.actor, BulletinIn.model_validate(wanted))
        items = [ItemIn.model_validate({"kind": "tune", "recording_id": recording})] * 2
        await services.programmes.create(
            lite.actor, ProgrammeIn(area_id=area.id, title=f"Sáng {area.name}", items=items)
        )
    everywhere = await services.library.uses(lite.actor, recording)
    assert [each.kind for each in everywhere] == ["bulletin", "bulletin", "programme", "programme", "cut"]
    east = Actor((await lite.somebody("dong", "operator", here)).id, "test")
    west = Actor((await lite.somebody("tay", "operator", there)).id, "test")
    assert {each.title for each in await services.library.uses(east, recording)} == {
        *("Tin của Xã Đông", "Sáng Xã Đông", "Cắt"),
    }
    assert await titles(lite, west) == []
    with pytest.raises(NotFoundError):
        await services.library.uses(west, recording)


async def test_bulletins_are_found_narrowed_and_counted(lite: Centre) -> None:
    area = await lite.area("Xã Nga My")
    for title, category in (("Phòng rét", "farming"), ("Tiêm phòng", "health"), ("Họp thôn", "notice")):
        voices = [{"language": "vi", "text": "Kính thưa bà con"}]
        wanted = {"area_id": area.id, "title": title, "category": category, "voices": voices}
        made = await lite.services.bulletins.create(lite.actor, BulletinIn.model_validate(wanted))
        lite.clock.step(seconds=60)
    find = lite.services.bulletins.find
    found = await find(lite.actor, Wanted(q="phong", sort="saved", down=True, limit=1))
    assert ([each.title for each in found.rows], found.total) == (["Tiêm phòng"], 2)
    assert [each.title for each in (await find(lite.actor, Wanted(having={"category": "farming"}))).rows] == [
        "Phòng rét"
    ]
    await lite.services.bulletins.archive(lite.actor, made.id)
    assert (await find(lite.actor, Wanted())).total == 2
    assert (await find(lite.actor, Wanted(having={"state": "archived"}))).total == 1
    assert (await find(lite.actor, Wanted(having={"of": "above"}))).total == 0


async def test_programmes_are_found_by_name_and_kind(lite: Centre) -> None:
    area = await lite.area("Xã Nga My")
    for title, is_template in (("Chương trình sáng", False), ("Mẫu sáng", True)):
        wanted = ProgrammeIn(area_id=area.id, title=title, is_template=is_template)
        await lite.services.programmes.create(lite.actor, wanted)
    find = lite.services.programmes.find
    assert [each.title for each in (await find(lite.actor, Wanted(q="chuong trinh"))).rows] == ["Chương trình sáng"]
    assert [each.title for each in (await find(lite.actor, Wanted(having={"kind": "template"}))).rows] == ["Mẫu sáng"]
    assert (await find(lite.actor, Wanted(q="sang", having={"state": "archived"}))).total == 0


async def test_a_programme_that_waits_for_a_yes_says_already_how_long_it_is(lite: Centre) -> None:
    area = await lite.area("Xã Nga My")
    tune, news = [await lite.recording(length_ms=each, area_id=area.id) for each in (5_000, 60_000)]
    voices = [{"language": "vi", "recording_id": news}]
    wanted = {"area_id": area.id, "title": "Tin xã", "voices": voices}
    bulletin = await lite.services.bulletins.create(lite.actor, BulletinIn.model_validate(wanted))
    items = [
        {"kind": "tune", "recording_id": tune},
        {"kind": "pause", "pause_ms": 2_000},
        {"kind": "bulletin", "bulletin_id": bulletin.id},
    ]
    made = await lite.services.programmes.create(
        lite.actor, ProgrammeIn.model_validate({"area_id": area.id, "title": "Sáng", "items": items})
    )
    assert (made.session_ms, made.known_ms) == (None, 67_000)
    assert made.why_not is not None
    assert made.why_not.problem == "not_approved"
    assert [(each.offset_ms, each.length_ms) for each in made.items] == [(0, 5_000), (None, 2_000), (7_000, 60_000)]


async def test_a_programme_is_offered_what_it_may_hold(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    east, west = await lite.area("Xã Đông", province), await lite.area("Xã Tây", province)
    for area in (province, east, west):
        voices = [{"language": "vi", "text": "Kính thưa bà con"}]
        wanted = {"area_id": area.id, "title": f"Tin của {area.name}", "voices": voices}
        made = await lite.services.bulletins.create(lite.actor, BulletinIn.model_validate(wanted))
        await lite.services.bulletins.submit(lite.actor, made.id, VersionSeen(version=1))
        await lite.services.bulletins.approve(lite.actor, made.id, VersionSeen(version=1))
        if area is province:
            offered = made.id
    find, wanted_of = lite.services.bulletins.find, Wanted(having={"state": "approved", "for": east.id})
    assert [each.title for each in (await find(lite.actor, wanted_of)).rows] == ["Tin của Xã Đông"]
    await lite.services.bulletins.offer(lite.actor, offered, OfferIn(version=1))
    assert {each.title for each in (await find(lite.actor, wanted_of)).rows} == {"Tin của Xã Đông", "Tin của Tỉnh"}
