"""What is on schedules is changed by who read what becomes of the dates: schedules, programmes, bulletins, files."""

import re
from datetime import datetime
from typing import Any

import httpx
import pytest

from controller.bulletins.schemas import BulletinIn, BulletinOut, VersionSeen
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.programmes.schemas import ProgrammeIn, ProgrammeOut
from controller.schedules.schemas import ScheduleIn, ScheduleOut
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from tests.web.scenes.plan import schedule

pytestmark = pytest.mark.asyncio

AT_FIVE = datetime(2031, 11, 25, 5, 0)  # noqa: DTZ001 - wall time
LINE = "“Buổi sáng”: từ 05:00 ngày mai, 30 lần trong 30 ngày tới"


async def bulletin(site: Commune) -> BulletinOut:
    """Write and approve one, with its sound."""
    services, actor = site.centre.services, site.centre.actor
    sound = await site.centre.recording("Tin sáng", length_ms=60_000)
    voices = [{"language": "vi", "text": "Tin sáng", "recording_id": sound}]
    wanted = BulletinIn.model_validate({"area_id": site.root.id, "title": "Tin sáng", "voices": voices})
    made = await services.bulletins.create(actor, wanted)
    await services.bulletins.submit(actor, made.id, VersionSeen(version=made.version))
    return await services.bulletins.approve(actor, made.id, VersionSeen(version=made.version))


async def programme(site: Commune, *items: dict[str, Any]) -> ProgrammeOut:
    wanted = {"area_id": site.root.id, "title": "Chương trình sáng", "items": list(items)}
    return await site.centre.services.programmes.create(site.centre.actor, ProgrammeIn.model_validate(wanted))


async def on_air(site: Commune) -> tuple[BulletinOut, ProgrammeOut, str]:
    """Air an approved bulletin every day at five; gives it, its programme and the id of the schedule."""
    known = await bulletin(site)
    tune = await site.centre.recording("Nhạc hiệu", length_ms=15_000)
    items = [{"kind": "tune", "recording_id": tune}, {"kind": "bulletin", "bulletin_id": known.id}]
    made = await programme(site, *items)
    planned = await schedule(site, made.id, "Buổi sáng", AT_FIVE, "FREQ=DAILY")
    await site.centre.services.schedules.roll_due()
    return known, made, planned


async def items_of(site: Commune, known: ProgrammeOut) -> list[str]:
    return [each.kind for each in (await site.centre.services.programmes.get(site.centre.actor, known.id)).items]


async def ended(site: Commune, schedule_id: str) -> bool:
    return (await site.centre.services.schedules.get(site.centre.actor, schedule_id)).ended_at is not None


async def test_ending_a_schedule_shows_what_falls_silent_and_then_ends(site: Commune) -> None:
    _, _, planned = await on_air(site)
    site.centre.clock.step(days=2)
    async with visitor(site) as client:
        looked = await client.post(f"/schedules/{planned}/end")
        page = said(looked)
        assert re.search(r"Buổi sáng, 05:00, 30 ngày.*nay phát, sau khi đổi không có", page)
        assert "nếu đổi từ trước" not in page, "what has passed is not undone"
        assert not await ended(site, planned)
        assert looked.text.index('id="ending"') < looked.text.index('id="dates"'), "it stands where the page begins"
        assert (await client.post(f"/schedules/{planned}/end", data={"sure": "yes"})).status_code == 303
        assert await ended(site, planned)
        again = await client.post(f"/schedules/{planned}/end")
        assert again.status_code == 303, "ended in the meantime: the page says so"


async def test_a_programme_on_air_is_changed_after_one_yes(site: Commune) -> None:
    _, made, _ = await on_air(site)
    path = f"/programmes/{made.id}"
    async with visitor(site) as client:
        closed = await client.get(path)
        assert LINE in said(closed)
        assert 'class="handle"' not in closed.text
        assert 'value="remove"' not in closed.text
        assert f'href="{path}?change=yes"' in closed.text
        # A page from before it was planned, or a script: nothing is changed unread.
        refused = await client.post(path, data={"act": "up", "position": "1"})
        assert "Chưa đổi gì" in refused.text
        assert await items_of(site, made) == ["tune", "bulletin"]
        opened = await client.get(f"{path}?change=yes")
        assert LINE in said(opened)
        assert 'class="handle"' in opened.text
        actions = set(re.findall(r'data-quiet|data-to="([^"]*)"|action="(/programmes/[^"]*)" data-quiet', opened.text))
        assert {one or other for one, other in actions} - {""} == {f"{path}?change=yes"}
        up = {"act": "up", "position": "1"}
        moved = await client.post(f"{path}?change=yes", data=up, headers={"HX-Request": "true"})
        assert moved.status_code == 200
        assert 'class="handle"' in moved.text, "it is asked once, not at each step"
        assert await items_of(site, made) == ["bulletin", "tune"]
        led = await client.post(f"{path}?change=yes", data=up)
        assert led.headers["location"] == f"{path}?change=yes&done=saved"


async def test_a_change_that_would_silence_dates_waits_until_that_was_read(site: Commune) -> None:
    _, made, _ = await on_air(site)
    path, script = f"/programmes/{made.id}?change=yes", {"HX-Request": "true"}
    async with visitor(site) as client:
        first = await client.post(path, data={"act": "remove", "position": "0"}, headers=script)
        assert "Chưa đổi gì" not in first.text, "the rest sounds on"
        held = await client.post(path, data={"act": "remove", "position": "0"}, headers=script)
        assert "Vẫn đổi" in held.text
        assert re.search(r"Buổi sáng, 05:00, 30 ngày.*nay phát, sau khi đổi không có", said(held))
        assert await items_of(site, made) == ["bulletin"]
        again = dict(re.findall(r'<input type="hidden" name="(act|position|looked)" value="(\w+)"', held.text))
        assert again.keys() == {"act", "position", "looked"}
        await client.post(path, data=again, headers=script)
        assert await items_of(site, made) == []


async def test_a_programme_that_no_schedule_airs_is_changed_at_once(site: Commune) -> None:
    made = await programme(site, {"kind": "pause", "pause_ms": 1000}, {"kind": "pause", "pause_ms": 2000})
    async with visitor(site) as client:
        page = await client.get(f"/programmes/{made.id}")
        assert 'class="handle"' in page.text
        assert "đang phát theo lịch" not in page.text
        assert (await client.post(f"/programmes/{made.id}", data={"act": "up", "position": "1"})).status_code == 303


async def section(client: httpx.AsyncClient, path: str, after: str) -> str:
    page = (await client.get(path)).text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page[page.index(after) :]))


async def test_a_bulletin_on_air_says_what_falls_silent_before_it_is_edited_returned_or_put_away(site: Commune) -> None:
    known, _, _ = await on_air(site)
    async with visitor(site) as client:
        for path, after, words in (
            (f"/bulletins/{known.id}/edit", 'id="bulletin"', "không phát cho đến khi bản mới được duyệt"),
            (f"/bulletins/{known.id}", 'id="return"', "không phát cho đến khi bản tin được sửa và duyệt lại"),
            (f"/bulletins/{known.id}", 'id="archive"', "sẽ không phát nữa"),
        ):
            found = await section(client, path, after)
            assert words in found, path
            assert LINE in found, path


async def test_a_bulletin_that_does_not_sound_yet_threatens_nothing(site: Commune) -> None:
    known, _, _ = await on_air(site)
    bulletins, actor = site.centre.services.bulletins, site.centre.actor
    await bulletins.archive(actor, known.id)
    other = await bulletin(site)
    async with visitor(site) as client:
        for key in (known.id, other.id):
            assert "lần trong 30 ngày tới" not in (await client.get(f"/bulletins/{key}")).text


async def test_a_recording_on_air_says_what_falls_silent_before_it_is_withdrawn(site: Commune) -> None:
    known, made, _ = await on_air(site)
    tune = made.items[0].recording_id
    async with visitor(site) as client:
        for recording in (tune, known.voices[0].recording_id):
            found = await section(client, f"/recordings/{recording}", 'id="withdraw"')
            assert "Những lần dưới đây cần tệp này" in found
            assert LINE in found
        unused = await site.centre.recording("Không ai dùng")
        assert "30 ngày tới" not in (await client.get(f"/recordings/{unused}")).text


async def test_a_schedule_out_of_sight_is_not_named(site: Commune) -> None:
    known, _, _ = await on_air(site)
    hamlet = await site.centre.somebody("hoa", Role.OPERATOR, site.hamlets["Thôn Đồng"])
    assert await site.centre.services.airings.of_bulletin(Actor(hamlet.id, "test"), known.id) == []


async def filled(site: Commune, programme_id: str, **given: Any) -> ScheduleOut:
    """Plan three minutes every day at five, whatever does not fit is left out."""
    wanted: dict[str, Any] = {"title": "Buổi sáng", "programme_id": programme_id, "rule": "FREQ=DAILY"}
    wanted |= {"targets": [site.root.scope]}
    wanted |= {"starts_at_local": AT_FIVE, "ends_at_local": "05:03", "overrun": "drop", "confirm_unusual": True}
    made = await site.centre.services.schedules.create(site.centre.actor, ScheduleIn.checked(**wanted | given))
    await site.centre.services.schedules.roll_due()
    return made


async def recorded(site: Commune, title: str, seconds: int) -> dict[str, Any]:
    return {"kind": "recording", "recording_id": await site.centre.recording(title, length_ms=seconds * 1000)}


async def test_another_order_says_what_there_is_no_time_left_for(site: Commune) -> None:
    """What stands last is what falls away."""
    made = await programme(site, *[await recorded(site, title, 90) for title in ("Tin một", "Tin hai", "Tin ba")])
    await filled(site, made.id)
    path, script = f"/programmes/{made.id}?change=yes", {"HX-Request": "true"}

    async def order() -> list[str]:
        return [each.title for each in (await site.centre.services.programmes.get(site.centre.actor, made.id)).items]

    async with visitor(site) as client:
        same = await client.post(path, data={"act": "up", "position": "1"}, headers=script)
        assert "Vẫn đổi" not in same.text, "the same is heard, in another order"
        held = await client.post(path, data={"act": "order", "order": "0,2,1"}, headers=script)
        assert "Không đủ giờ nên không phát: “Tin một”." in said(held)
        assert await order() == ["Tin hai", "Tin một", "Tin ba"]
        again = dict(re.findall(r'<input type="hidden" name="(act|order|looked)" value="([\w,]+)"', held.text))
        other = await client.post(path, data=again | {"order": "2,1,0"}, headers=script)
        assert "“Tin hai”" in said(other), "what was read was another order"
        await client.post(path, data=again, headers=script)
        assert await order() == ["Tin hai", "Tin ba", "Tin một"]


async def test_what_is_added_and_falls_away_at_once_is_told(site: Commune) -> None:
    made = await programme(site, *[await recorded(site, title, 90) for title in ("Tin một", "Tin hai")])
    await filled(site, made.id)
    added = {"act": "add", "kind": "recording", "chosen": (await recorded(site, "Tin ba", 90))["recording_id"]}
    async with visitor(site) as client:
        held = await client.post(f"/programmes/{made.id}?change=yes", data=added, headers={"HX-Request": "true"})
    assert "Không đủ giờ nên không phát: “Tin ba”." in said(held)
    assert await items_of(site, made) == ["recording", "recording"]


async def test_a_fixed_end_that_is_moved_says_what_there_is_no_time_left_for(site: Commune) -> None:
    """Before it is saved, in the calendar and in the form; another name leaves no time for nothing."""
    made = await programme(site, *[await recorded(site, title, 90) for title in ("Tin một", "Tin hai", "Tin ba")])
    known, title = await filled(site, made.id), "Không đủ giờ nên không phát"
    wanted = {name: getattr(known, name) for name in ScheduleIn.model_fields if name in ScheduleOut.model_fields}
    what_ifs, actor = site.centre.services.what_ifs, site.centre.actor
    async with visitor(site) as client:
        shorter = await client.post(f"/schedules/{known.id}/length/look", data={"ends": "05:02", "to": "/schedules"})
        longer = await client.post(f"/schedules/{known.id}/length/look", data={"ends": "05:05", "to": "/schedules"})
    assert f"{title}: “Tin hai”." in said(shorter), "the third fell away before"
    assert title not in said(longer)
    named = ScheduleIn.checked(**wanted | {"title": "Buổi sớm"})
    assert (await what_ifs.of(actor, named, known.id)).changes == ()
    another = ScheduleIn.checked(**wanted | {"title": "Thêm", "starts_at_local": AT_FIVE.replace(hour=18)})
    another = another.model_copy(update={"ends_at_local": "18:03:00"})
    found = (await what_ifs.of(actor, another)).changes
    assert {each.left_out for each in found if each.title == "Thêm"} == {("Tin ba",)}


async def test_a_recording_that_fills_up_the_time_is_aired_too(site: Commune) -> None:
    made, filler = await programme(site, await recorded(site, "Tin một", 60)), await recorded(site, "Dân ca", 30)
    planned = await filled(site, made.id, filler_recording_id=filler["recording_id"])
    found = await site.centre.services.airings.of_recording(site.centre.actor, filler["recording_id"])
    assert [(each.schedule_id, each.times) for each in found] == [(planned.id, 30)]
    async with visitor(site) as client:
        assert LINE in await section(client, f"/recordings/{filler['recording_id']}", 'id="withdraw"')
    await site.centre.services.schedules.end(site.centre.actor, planned.id)
    assert await site.centre.services.airings.of_recording(site.centre.actor, filler["recording_id"]) == []
