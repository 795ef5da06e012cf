"""A request that who asked took back waits for nobody: no page says that it does, and it is told by whom and when."""

import html
import re
from datetime import datetime, timedelta

from controller.broadcasts.schemas import BroadcastIn
from controller.events import Event, Topic
from controller.people.actor import Actor
from controller.people.schemas import PersonOut
from controller.policies.schemas import PolicyIn
from controller.schedules.schemas import ScheduleIn
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, visitor
from tests.web.pages import programme

AT_FIVE = datetime(2031, 11, 25, 5, 0)  # noqa: DTZ001 - wall time
BY = "Hoa rút đề nghị duyệt lúc"


async def _asked(site: Commune, who: PersonOut) -> str:
    """Plan five o'clock as somebody whose work needs another's yes; gives the id of the schedule."""
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    wanted = ScheduleIn.checked(
        title="Buổi sáng",
        programme_id=(await programme(site)).id,
        targets=[site.root.scope],
        starts_at_local=AT_FIVE,
        rule="FREQ=DAILY",
        confirm_unusual=True,
    )
    return (await site.centre.services.schedules.create(Actor(who.id, ADDRESS), wanted)).id


async def _page(site: Commune, who: PersonOut, path: str) -> str:
    """Give the words of a page without its menu, the way back, filters and what is drawn by scripts."""
    async with visitor(site, who=who) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, path
    main = answer.text[answer.text.index("<main") : answer.text.index("</main>")]
    words = re.sub(r"<(script|select)\b[^>]*>.*?</\1>|<a href=./approvals.>.*?</a>|<[^>]*>", " ", main, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(words))


async def test_a_schedule_whose_request_was_taken_back_says_so_wherever_it_stands(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root, name="Hoa")
    schedule_id, node = await _asked(site, hoa), site.nodes["Đầu làng Trại"]
    approvals = site.centre.services.approvals
    (row,) = await approvals.list(Actor(hoa.id, ADDRESS))
    site.centre.clock.step(hours=8)  # 01:03 of the day
    told: list[Event] = []
    site.centre.bus.note_in(told.append)
    await approvals.withdraw(Actor(hoa.id, ADDRESS), row.id)
    now, broadcasts = site.centre.clock(), site.centre.services.broadcasts
    (run,) = await broadcasts.list(site.centre.actor, from_at=now, to_at=now + timedelta(hours=12))
    assert run.phase == "withdrawn"
    assert Event(Topic.SCHEDULE, schedule_id) in told, "pages that stand open are told"
    paths = (
        "/today",
        "/schedules?day=2031-11-25",
        "/schedules/all",
        f"/schedules/{schedule_id}",
        f"/broadcasts/{run.id}",
        f"/approvals/{row.id}",
        f"/nodes/{node.id}/day",
    )
    for path in paths:
        page = await _page(site, hoa, path)
        assert "Chờ duyệt" not in page, path
        assert "Lần tới" not in page, path
        assert "Những lần tới" not in page, path
    for path in ("/today", "/schedules/all", f"/schedules/{schedule_id}", f"/broadcasts/{run.id}"):
        assert f"{BY} 01:03" in await _page(site, hoa, path), path
    assert "Đã rút đề nghị duyệt, sẽ không phát" in await _page(site, hoa, "/today")
    page = await _page(site, hoa, f"/broadcasts/{run.id}")  # the nodes are out of reach since yesterday
    assert "Chưa cụm nào nhận lần phát này" in page
    assert "khi có mạng lại" not in page, "no node was told of it"
    assert "Người gửi đã rút lại · 01:03" in await _page(site, hoa, "/approvals/all-requests")
    assert f"{BY} 01:03" in await _page(site, hoa, f"/approvals/{row.id}")
    assert "Chưa được duyệt: có duyệt mới phát" in await _page(site, hoa, f"/nodes/{node.id}/day")


async def test_a_broadcast_that_was_cancelled_with_its_request_says_who_took_that_back(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root, name="Hoa")
    await _asked(site, hoa)
    recording = await site.centre.recording("Họp thôn", area_id=site.root.id)
    wanted = {"title": "Họp thôn", "recordings": [recording], "targets": [site.root.scope]}
    at = site.centre.clock() + timedelta(hours=1)
    sent = await site.centre.services.broadcasts.create(
        Actor(hoa.id, ADDRESS), BroadcastIn.checked(**wanted, start_at=at)
    )
    assert sent.approval is not None
    await site.centre.services.approvals.withdraw(Actor(hoa.id, ADDRESS), sent.approval.id)
    page = await _page(site, hoa, f"/broadcasts/{sent.id}")
    assert "Đã hủy" in page
    assert f"{BY} 17:03" in page
    assert "Chờ duyệt" not in page
