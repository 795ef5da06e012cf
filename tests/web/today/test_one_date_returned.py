"""Of a schedule whose other dates were approved, the one that was returned is named, though it is not planned yet."""

import html
import re

from controller.people.actor import Actor
from controller.people.schemas import PersonOut
from controller.programmes.schemas import ProgrammeChange
from controller.schedules.schemas import ExceptionIn
from controller.schedules.states import DateChange
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, visitor
from tests.web.scenes.answers import FAIR, one_date_returned, programme, second_person

REASON = "Dài quá, bớt phần quảng cáo"
LINE = f"“Buổi sáng” (05:00 Thứ Bảy 20/12) bị trả lại, sẽ không phát: {REASON}"


async def _set_up(site: Commune) -> tuple[str, PersonOut]:
    await second_person(site)
    leader = Actor((await site.centre.somebody("nam", "approver", site.root)).id, ADDRESS)
    return await one_date_returned(site, leader), await site.centre.somebody("hoa", "operator", site.root)


async def _words(site: Commune, who: PersonOut, path: str) -> str:
    async with visitor(site, who=who) as client:
        page = html.unescape((await client.get(path)).text)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


async def _entries(site: Commune, who: PersonOut, day: str) -> list[str]:
    async with visitor(site, who=who) as client:
        page = html.unescape((await client.get(f"/schedules?view=week&day={day}")).text).partition("<main")[2]
    found = re.findall(r"<li\b.*?</li>", page, re.DOTALL)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", each)) for each in found]


async def test_the_list_and_the_schedule_say_which_date_was_returned_and_what_sounds_before_it(site: Commune) -> None:
    made, hoa = await _set_up(site)
    said = f"Lần 05:00 Thứ Bảy 20/12 bị trả lại: {REASON} · Lần tới: 05:00 ngày mai"
    for path in ("/schedules/all", "/schedules/all?state=returned", f"/schedules/{made}"):
        page = await _words(site, hoa, path)
        assert said in page, path
        assert "Chưa sửa thì lần đó không phát" in page, path


async def test_the_calendar_says_it_of_that_date_alone(site: Commune) -> None:
    _, hoa = await _set_up(site)
    entries = [each for each in await _entries(site, hoa, "2031-12-17") if "Buổi sáng" in each]
    assert len(entries) == 7
    assert ["Bị trả lại" in each for each in entries] == [False] * 5 + [True, False]
    assert ["Sẽ phát" in each for each in entries] == [True] * 5 + [False, True]


async def test_the_strip_says_it_once_until_something_else_airs_on_that_date(site: Commune) -> None:
    made, hoa = await _set_up(site)
    assert (await _words(site, hoa, "/strip")).count(LINE) == 1
    assert "trả lại" not in await _words(site, await site.centre.somebody("bay", "technician", site.root), "/strip")
    other = ExceptionIn(kind=DateChange.KEPT, programme_id=await programme(site, "Hội chợ", 5))
    await site.centre.services.single_dates.except_(site.centre.actor, made, FAIR, other)
    assert "trả lại" not in await _words(site, hoa, "/strip"), "it is asked for anew"
    assert "bị trả lại" not in await _words(site, hoa, "/schedules/all")


async def test_once_the_date_is_planned_it_is_told_as_any_other(site: Commune) -> None:
    _, hoa = await _set_up(site)
    site.centre.clock.step(days=20)
    await site.centre.services.schedules.roll_due()
    assert (await _words(site, hoa, "/strip")).count(f"bị trả lại, sẽ không phát: {REASON}") == 1


async def test_once_it_is_mended_nothing_is_said_to_be_returned(site: Commune) -> None:
    made, hoa = await _set_up(site)
    programmes, actor = site.centre.services.programmes, site.centre.actor
    [row] = [each for each in await programmes.list(actor, templates=False) if each.title == "Hội chợ cuối năm"]
    fair = await programmes.get(actor, row.id)
    shorter = await site.centre.recording("Hội chợ", length_ms=60_000, area_id=site.root.id)
    items = [{"kind": "recording", "recording_id": shorter}]
    change = ProgrammeChange.model_validate({"version": fair.version, "items": items})
    await programmes.change(actor, fair.id, change)
    await site.centre.services.schedules.roll_due()
    for path in ("/strip", "/schedules/all", f"/schedules/{made}"):
        assert "bị trả lại" not in await _words(site, hoa, path), path
    assert "Lần 05:00 Thứ Bảy 20/12 chờ duyệt" in await _words(site, hoa, "/schedules/all")
