"""A schedule to which somebody said no is told as a single broadcast is: in the strip and in the day, until mended."""

import html
import re
from datetime import datetime, timedelta

import pytest

from controller.approvals.schemas import ReturnIn
from controller.broadcasts.schemas import BroadcastIn
from controller.events import Event, Topic
from controller.people.actor import Actor
from controller.people.schemas import PersonOut
from controller.policies.schemas import PolicyIn
from controller.schedules.schemas import ScheduleChange
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, visitor
from tests.web.pages import programme
from tests.web.scenes.plan import schedule

AT_FIVE = datetime(2031, 11, 25, 5, 0)  # noqa: DTZ001 - wall time
LINE = "“Buổi sáng” (05:00 ngày mai) bị trả lại, sẽ không phát: Dài quá"


async def _asked(site: Commune, rule: str | None = "FREQ=DAILY", at: datetime = AT_FIVE) -> str:
    """Plan five o'clock where a second person has to say yes; gives the id of the schedule."""
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    return await schedule(site, (await programme(site)).id, "Buổi sáng", at, rule)


async def _returned(site: Commune, reason: str = "Dài quá") -> None:
    leader = Actor((await site.centre.somebody("nam", "approver", site.root)).id, ADDRESS)
    (row,) = await site.centre.services.approvals.list(leader)
    await site.centre.services.approvals.return_(leader, row.id, ReturnIn(reason=reason))


async def _page(site: Commune, who: PersonOut, path: str) -> str:
    async with visitor(site, who=who) as client:
        return html.unescape((await client.get(path)).text)


def _words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def _row(page: str) -> str:
    [found] = re.findall(r'<li class="run \w+" id="run-[^"]+">.*?</li>', page, re.DOTALL)
    return str(found)


async def _entries(site: Commune, who: PersonOut, day: str) -> list[str]:
    """Give what stands in the calendar in the week of a day."""
    page = await _page(site, who, f"/schedules?day={day}&view=week")
    return [_words(each) for each in re.findall(r"<li\b.*?</li>", page.partition("<main")[2], re.DOTALL)]


async def test_a_returned_schedule_stands_in_the_strip_the_evening_before_until_it_is_mended(site: Commune) -> None:
    schedule_id = await _asked(site)
    hoa, bay = [await site.centre.somebody(role, role, site.root) for role in ("operator", "technician")]
    assert "trả lại" not in await _page(site, hoa, "/strip"), "it waits yet"
    await _returned(site)
    for path in ("/strip", "/today"):
        page = await _page(site, hoa, path)
        assert _words(page).count(LINE) == 1, "of all its dates the next one"
        assert f'href="/schedules/{schedule_id}"' in page
    assert "trả lại" not in await _page(site, bay, "/strip"), "it is not theirs to mend"
    schedules, mended = site.centre.services.schedules, AT_FIVE.replace(minute=30)
    known = await schedules.get(site.centre.actor, schedule_id)
    said = known.model_dump(include={"version", "title", "programme_id", "targets", "rule"})
    site.centre.clock.step(seconds=20)
    change = ScheduleChange.checked(**said, starts_at_local=mended, confirm_unusual=True)
    await schedules.change(site.centre.actor, schedule_id, change)
    assert "trả lại" not in await _page(site, hoa, "/strip"), "it is asked for anew"


async def test_a_returned_date_in_the_day_says_why_and_leads_to_its_schedule(site: Commune) -> None:
    schedule_id = await _asked(site)
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    await _returned(site)
    site.centre.clock.step(hours=10)  # 03:03 of the day
    row = _row(await _page(site, hoa, "/today"))
    assert "Bị trả lại" in row
    assert "Dài quá" in row
    assert "Hãy sửa lịch rồi lưu" in row
    assert f'class="ask" href="/schedules/{schedule_id}"' in row
    site.centre.clock.step(hours=4)  # 07:03, over
    await site.centre.services.approvals.expire()
    await site.centre.services.schedules.roll_due()
    page = await _page(site, hoa, "/today")
    assert "05:00 Buổi sáng: Không phát: chưa được duyệt kịp giờ" in _words(page)
    assert "Dài quá" in _row(page)
    assert "Sửa để lần sau phát được" in _row(page)
    assert LINE in _words(page), "by now of the next date"


async def test_a_schedule_that_got_no_yes_in_time_is_told_in_the_day(site: Commune) -> None:
    await _asked(site)
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    site.centre.clock.step(hours=14)  # 07:03 of the day
    await site.centre.services.approvals.expire()
    await site.centre.services.schedules.roll_due()
    page = await _page(site, hoa, "/today")
    assert "05:00 Buổi sáng: Không phát: chưa được duyệt kịp giờ" in _words(page)
    assert "Sửa để lần sau phát được" not in page, "nobody said no: there is nothing to mend"


async def test_what_comes_before_it_does_not_hide_what_was_returned_for_another_day(site: Commune) -> None:
    await _asked(site, None)
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    recording = await site.centre.recording("Họp thôn", area_id=site.root.id)
    wanted = {"title": "Họp", "recordings": [recording], "targets": [site.root.scope], "confirm_unusual": True}
    later = site.centre.clock() + timedelta(days=4)
    author = site.centre.services.broadcasts
    await _returned(site)
    single = await author.create(Actor(hoa.id, ADDRESS), BroadcastIn.checked(**wanted, start_at=later))
    leader = site.centre.actor
    assert single.approval is not None
    await site.centre.services.approvals.return_(leader, single.approval.id, ReturnIn(reason="Sai ngày"))
    page = await _page(site, hoa, "/strip")
    assert LINE in _words(page)
    assert re.search(r"“Họp” \([^)]*28/11[^)]*\) bị trả lại, sẽ không phát: Sai ngày", _words(page))
    assert f'href="/broadcasts/{single.id}"' in page
    [entry] = [each for each in await _entries(site, hoa, "2031-11-28") if "Họp" in each]
    assert "Bị trả lại" in entry
    assert "Chờ duyệt" not in entry
    site.centre.clock.step(hours=14)
    assert "Buổi sáng" not in await _page(site, hoa, "/strip"), "it is past"


async def test_pages_that_stand_open_are_told_of_it(site: Commune) -> None:
    schedule_id = await _asked(site)
    told: list[Event] = []
    site.centre.bus.note_in(told.append)
    await _returned(site)
    assert Event(Topic.SCHEDULE, schedule_id) in told


async def test_what_is_too_far_ahead_to_be_planned_is_told_too_and_once(site: Commune) -> None:
    schedule_id = await _asked(site, None, datetime(2032, 1, 10, 5, 0))  # noqa: DTZ001 - wall time
    hoa, bay = [await site.centre.somebody(role, role, site.root) for role in ("operator", "technician")]
    assert "trả lại" not in await _page(site, hoa, "/strip"), "it waits yet"
    await _returned(site)
    line = "“Buổi sáng” (05:00 Thứ Bảy 10/01/2032) bị trả lại, sẽ không phát: Dài quá"
    for path in ("/strip", "/today"):
        page = await _page(site, hoa, path)
        assert _words(page).count(line) == 1
        assert f'href="/schedules/{schedule_id}"' in page
    assert "trả lại" not in await _page(site, bay, "/strip"), "it is not theirs to mend"
    site.centre.clock.step(days=45)  # by now the date is near enough to be planned
    await site.centre.services.schedules.roll_due()
    assert _words(await _page(site, hoa, "/strip")).count("“Buổi sáng”") == 1
    await site.centre.services.schedules.end(site.centre.actor, schedule_id)
    assert "trả lại" not in await _page(site, hoa, "/strip"), "it is ended"


async def test_what_was_returned_far_ahead_is_told_no_more_once_it_is_mended(site: Commune) -> None:
    schedule_id = await _asked(site, "FREQ=MONTHLY", datetime(2032, 1, 10, 5, 0))  # noqa: DTZ001 - wall time
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    await _returned(site)
    assert "10/01/2032" in await _page(site, hoa, "/strip")
    schedules = site.centre.services.schedules
    known = await schedules.get(site.centre.actor, schedule_id)
    said = known.model_dump(include={"version", "title", "programme_id", "targets", "rule"})
    site.centre.clock.step(seconds=20)
    mended = datetime(2032, 1, 10, 5, 30)  # noqa: DTZ001 - wall time
    change = ScheduleChange.checked(**said, starts_at_local=mended, confirm_unusual=True)
    await schedules.change(site.centre.actor, schedule_id, change)
    assert "trả lại" not in await _page(site, hoa, "/strip"), "it is asked for anew"


async def test_what_was_returned_and_is_over_keeps_nobody_from_being_told_of_another(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.schedules.returned.MOST", 1)
    approvals, leader, made = site.centre.services.approvals, site.centre.actor, await programme(site)
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    await _asked(site, None, datetime(2032, 1, 10, 5, 0))  # noqa: DTZ001 - wall time
    for hour in range(6, 10):
        await schedule(site, made.id, "Họp", AT_FIVE.replace(hour=hour), None)
    for row in await approvals.list(leader):
        await approvals.return_(leader, row.id, ReturnIn(reason="Dài quá"))
    site.centre.clock.step(days=3)
    assert "“Buổi sáng” (05:00 Thứ Bảy 10/01/2032) bị trả lại" in _words(await _page(site, hoa, "/strip"))
