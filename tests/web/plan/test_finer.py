"""The finer fields of a schedule over HTTP: all the API takes, told at the field, and kept by whoever touches none."""

import re
from typing import Any

import pytest
from sqlalchemy import select

from controller.policies.schemas import PolicyIn
from controller.schedules.models import Schedule
from controller.schedules.schemas import ScheduleChange, ScheduleIn, ScheduleOut
from tests.web.harness import Commune, visitor
from tests.web.pages import hear, planned, programme, said

FINER = {"finer_shown": "yes", "start_mode": "hard", "late": "10", "position": "-2", "confirm_unusual": "yes"}
OF_END = {"ends": "17h45", "back_timed": "yes", "overrun": "drop"}


async def only(site: Commune) -> ScheduleOut:
    [known] = await site.centre.services.schedules.list(site.centre.actor)
    return known


def kept(known: ScheduleOut) -> list[Any]:
    names = ("start_mode", "late_ms", "ends_at_local", "back_timed", "filler_recording_id", "overrun", "position")
    return [getattr(known, name) for name in names]


async def test_all_that_a_schedule_may_be_is_said_looked_at_and_shown(site: Commune) -> None:
    made, filler = await programme(site), await site.centre.recording("Nhạc dân ca", length_ms=60_000)
    typed = planned(made, site) | FINER | OF_END | {"filler": filler}
    async with visitor(site) as client:
        plain = await client.get(f"/schedules/new?programme={made.id}")
        looked = said(await client.post("/schedules/new/preview", data=typed))
        saved = await client.post("/schedules/new", data=typed)
        page = said(await client.get(saved.headers["location"]))
        form = (await client.get(saved.headers["location"].partition("?")[0] + "/edit")).text
    assert '<details class="unfolds" id="more-when">' in plain.text
    assert "Mặc định: đợi" in said(plain)
    assert "Giờ bắt đầu được lùi lại để hết lúc 17:45" in looked
    assert kept(await only(site)) == ["hard", 600_000, "17:45:00", True, filler, "drop", -2]
    for line in (
        "Bắt đầu đúng giờ, cắt nội dung đang phát",
        "Được bắt đầu trễ nhiều nhất 10 phút",
        "Kết thúc cố định lúc 17:45",
        "Lùi giờ bắt đầu",
        "Phát thêm “Nhạc dân ca”",
        "Bỏ các mục cuối",
        "cùng giờ: -2",
    ):
        assert line in page
    assert '<details class="unfolds" id="more-when" open>' in form
    assert re.search(r'name="start_mode" value="hard" checked', form)
    assert re.search(rf'<option value="{filler}" selected>Nhạc dân ca', form)


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"late": "lâu"}, "late", "Ghi từ 0 đến 60"),
        ({"late": "61"}, "late", "Ghi từ 0 đến 60"),
        ({"position": "1,5"}, "position", "một số nguyên"),
        ({"position": "²"}, "position", "một số nguyên"),
        ({"ends": "25h"}, "ends", "Không hiểu giờ này"),
        ({"ends": ""}, "ends", "cần giờ kết thúc cố định"),
        ({"ends": "17:35"}, "overrun", "Chương trình dài hơn thời gian"),
        ({"filler": "gone"}, "filler", "Hãy chọn tệp khác"),
    ],
)
async def test_what_is_wrong_is_told_at_its_field_and_all_that_was_typed_stays(
    site: Commune, wrong: dict[str, str], field: str, words: str
) -> None:
    typed = planned(await programme(site), site) | FINER | OF_END | {"overrun": "refuse"} | wrong
    async with visitor(site) as client:
        page = await client.post("/schedules/new", data=typed)
        looked = await client.post("/schedules/new/preview", data=typed)
    assert page.status_code == 422
    [told] = re.findall(rf'id="wrong-{field}">([^<]*)', page.text)
    assert words in told
    assert '<details class="unfolds" id="more-when" open>' in page.text
    assert f'name="late" value="{typed["late"]}"' in page.text
    assert looked.status_code == 200
    assert await site.centre.services.schedules.list(site.centre.actor) == []


async def test_all_that_cannot_be_understood_is_told_at_once(site: Commune) -> None:
    bad = {"late": "x", "position": "x", "ends": "x", "hour": "x"}
    async with visitor(site) as client:
        page = await client.post("/schedules/new", data=planned(await programme(site), site) | FINER | bad)
    assert set(re.findall(r'id="wrong-(\w+)"', page.text)) == set(bad)


async def test_what_nobody_touched_stays_to_the_second(site: Commune) -> None:
    made, services, actor = await programme(site), site.centre.services, site.centre.actor
    exact = {"late_ms": 100_500, "ends_at_local": "17:45:30", "back_timed": True, "position": 7}
    typed = planned(made, site, confirm_unusual="yes")
    async with visitor(site) as client:
        path = (await client.post("/schedules/new", data=typed)).headers["location"].partition("?")[0]
        known = await only(site)
        same = known.model_dump(include=set(ScheduleChange.model_fields))
        await services.schedules.change(actor, known.id, ScheduleChange.checked(**same | exact, confirm_unusual=True))
        before = kept(await only(site))
        form = (await client.get(f"{path}/edit")).text
        sent = dict(re.findall(r'name="(late|position|ends)" value="([^"]*)"', form))
        again = typed | sent | {"finer_shown": "yes", "back_timed": "yes", "version": known.version + 1}
        saved = await client.post(f"{path}/edit", data=again | {"title": "Chiều"})
        assert saved.status_code == 303, said(saved)
        assert kept(await only(site)) == before
        other = await client.post(f"{path}/edit", data=again | {"late": "2", "version": known.version + 2})
        assert (other.status_code, (await only(site)).late_ms) == (303, 120_000)


async def test_a_filler_is_found_by_its_words_and_what_is_chosen_stays(site: Commune) -> None:
    song, other = [await site.centre.recording(title) for title in ("Nhạc dân ca", "Tin xã")]
    async with visitor(site) as client:
        found = (await client.get(f"/schedules/fillers?find=nhac+dan&filler={other}")).text
        none = (await client.get("/schedules/fillers?find=xyz&filler=gone")).text
    assert re.findall(r'<option value="([^"]*)"( selected)?>', found) == [("", ""), (other, " selected"), (song, "")]
    assert "tệp không còn" in none


async def test_what_fills_up_the_time_counts_where_others_are_met(site: Commune) -> None:
    made, filler = await programme(site), await site.centre.recording("Nhạc dân ca", length_ms=60_000)
    later = {"starts_at_local": "2031-11-26T17:43:00", "targets": [site.root.scope], "confirm_unusual": True}
    wanted = ScheduleIn.checked(title="Sau", programme_id=made.id, **later)
    await site.centre.services.schedules.create(site.centre.actor, wanted)
    typed = planned(made, site) | FINER | {"ends": "17:45"}
    async with visitor(site) as client:
        short = await client.post("/schedules/new/preview", data=typed)
        filled = await client.post("/schedules/new/preview", data=typed | {"filler": filler})
        back = await client.post("/schedules/new/preview", data=typed | {"back_timed": "yes"})
        looked = said(await client.post("/schedules/new", data=typed | {"filler": filler, "look": "yes"}))
    assert [page.text.count('name="confirm_conflicts"') for page in (short, filled, back)] == [0, 1, 1]
    assert "những lần phát này sẽ khác" in looked


async def test_a_filler_leads_to_what_it_fills_up_and_its_loss_is_told_by_name(site: Commune) -> None:
    made, filler = await programme(site), await site.centre.recording("Nhạc dân ca", length_ms=60_000)
    far = planned(made, site, first_day="15/12/2031", confirm_unusual="yes") | FINER | OF_END | {"filler": filler}
    async with visitor(site) as client:
        path = (await client.post("/schedules/new", data=far)).headers["location"].partition("?")[0]
        used = (await client.get(f"/recordings/{filler}")).text
        await site.centre.services.recordings.withdraw(site.centre.actor, filler)
        async with site.centre.database.reading() as session:
            rolled_until = await session.scalar(select(Schedule.rolled_until))
        page = said(await client.get(path))
        form = (await client.get(f"{path}/edit")).text
        refused = await client.post(f"{path}/edit", data=far | {"version": (await only(site)).version})
    assert rolled_until == site.centre.clock()  # what it made is held against the loss with the next roll
    assert f'href="{path}"' in used
    assert "Tệp phát thêm cho kín thời gian không dùng được nữa" in page
    assert "Phát thêm “Nhạc dân ca”" in page
    assert re.search(rf'<option value="{filler}" selected>', form)
    assert re.search(r'id="wrong-filler">[^<]*Hãy chọn tệp khác', refused.text)


async def test_whoever_approves_reads_how_it_airs_otherwise_in_words(site: Commune) -> None:
    hoa, made = await site.centre.somebody("hoa", "operator", site.root), await programme(site, length_ms=24_000)
    minh = await site.centre.somebody("minh", "approver", site.root)
    filler = await site.centre.recording("Nhạc dân ca", length_ms=60_000)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    async with visitor(site, who=hoa) as author, visitor(site, who=minh) as leader:
        typed = planned(made, site, confirm_unusual="yes")
        path = (await author.post("/schedules/new", data=typed)).headers["location"].partition("?")[0]
        [request] = re.findall(r'href="(/approvals/\w+)"', (await leader.get("/approvals")).text)
        await hear(site, leader, made.items[0].recording_id or "")
        approved = await leader.post(request, data={"act": "approve", "confirm_unusual": "yes"})
        assert approved.status_code == 303, said(approved)
        version = (await only(site)).version
        finer = FINER | OF_END | {"filler": filler, "overrun": "finish", "version": version}
        changed = await author.post(f"{path}/edit", data=typed | finer)
        assert changed.status_code == 303, said(changed)
        [request] = re.findall(r'href="(/approvals/\w+)"', (await leader.get("/approvals")).text)
        page = said(await leader.get(request))
    assert "Bắt đầu đúng giờ, cắt nội dung đang phát" in page
    assert "Phát hết mục đang phát, bỏ các mục sau" in page
    assert "Nhạc dân ca" in page
    assert filler not in page
    assert not re.search(r"\b(hard|soft|finish|refuse)\b", page)
