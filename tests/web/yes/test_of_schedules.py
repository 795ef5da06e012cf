"""Who is asked about a schedule reads at the first request how it begins, and what it cuts."""

from datetime import datetime

from controller.people.actor import Actor
from controller.policies.schemas import PolicyIn
from controller.programmes.schemas import ProgrammeIn
from controller.schedules.schemas import ScheduleIn, ScheduleOut
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from web.views.schedules import LOOK_AHEAD


async def series(site: Commune, who: Actor, title: str, hour: str, **given: object) -> ScheduleOut:
    """Plan ten minutes of every day."""
    recording = await site.centre.recording(title, length_ms=600_000, area_id=site.root.id)
    items = [{"kind": "recording", "recording_id": recording}]
    wanted = ProgrammeIn.model_validate({"area_id": site.root.id, "title": title, "items": items})
    programme = await site.centre.services.programmes.create(who, wanted)
    plan = ScheduleIn.checked(
        title=title,
        programme_id=programme.id,
        targets=[site.root.scope],
        starts_at_local=datetime.fromisoformat(f"2031-11-25T{hour}"),
        rule="FREQ=DAILY",
        confirm_unusual=True,
        confirm_conflicts=True,
        **given,
    )
    return await site.centre.services.schedules.create(who, plan)


async def test_the_first_request_says_that_it_cuts_others(site: Commune) -> None:
    centre = site.centre
    hoa = Actor((await centre.somebody("hoa", "operator", site.root)).id, ADDRESS)
    nam = await centre.somebody("nam", "approver", site.root)
    await series(site, centre.actor, "Tiếp sóng đài tỉnh", "17:00")
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await centre.services.policies.put(centre.actor, site.root.id, rules)
    made = await series(site, hoa, "Tin xã", "17:05", start_mode="hard", late_ms=60_000)
    cuts = "Cùng giờ với “Tiếp sóng đài tỉnh”"
    async with visitor(site, who=nam) as leader:
        queue = said(await leader.get("/approvals"))
        request = (await centre.services.schedules.get(centre.actor, made.id)).approval
        assert request is not None
        page = said(await leader.get(f"/approvals/{request.id}"))
        for shown in (queue, page):
            above = shown.partition("DUYỆT CHO PHÁT")[0]
            assert "Bắt đầu đúng giờ, cắt nội dung đang phát" in above
            assert "Được bắt đầu trễ nhiều nhất 1 phút" in above
            assert cuts in above
            assert f"{LOOK_AHEAD.days} lần, 4 cụm): lịch này bắt đầu đúng giờ, cắt ngang “Tiếp sóng đài tỉnh”." in above
        await leader.post(f"/approvals/{request.id}", data={"act": "return", "reason": "Đừng cắt"})
        assert cuts not in said(await leader.get(f"/approvals/{request.id}")), "that was decided"


async def test_where_it_is_asked_for_the_author_reads_it_too(site: Commune) -> None:
    await series(site, site.centre.actor, "Tiếp sóng đài tỉnh", "17:00")
    made = await series(site, site.centre.actor, "Tin xã", "17:05")
    typed: dict[str, object] = {
        "title": "Tin xã",
        "programme": made.programme_id,
        "hour": "17:05",
        "first_day": "25/11/2031",
    }
    typed |= {"repeat": "daily", "target": [site.root.scope], "finer_shown": "yes", "late": "5", "position": "0"}
    async with visitor(site) as client:
        path = f"/schedules/{made.id}/preview"
        waits = said(await client.post(path, data=typed | {"start_mode": "soft", "version": made.version}))
        assert "“Tiếp sóng đài tỉnh” phát trước." in waits
        cuts = said(await client.post(path, data=typed | {"start_mode": "hard", "version": made.version}))
        assert "lịch này bắt đầu đúng giờ, cắt ngang “Tiếp sóng đài tỉnh”." in cuts
        assert "phát trước." not in cuts
