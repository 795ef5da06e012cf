"""Who is asked about a single broadcast reads at the first request what it meets, as its author did."""

from datetime import timedelta

from controller.broadcasts.rules import During
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.people.actor import Actor
from controller.people.schemas import PersonOut
from controller.policies.schemas import PolicyIn
from edge_agent.protocol.states import PlayState
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, visitor
from tests.web.pages import said


async def second_person(site: Commune) -> tuple[Actor, PersonOut]:
    """Let an operator's sendings need the yes of the leader; gives both."""
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    return Actor(hoa.id, ADDRESS), await site.centre.somebody("nam", "approver", site.root)


async def ask(site: Commune, author: Actor, title: str, **given: object) -> BroadcastOut:
    """Send five minutes that wait for a yes."""
    recording = await site.centre.recording(title, length_ms=300_000, area_id=site.root.id)
    said_too = {"recordings": [recording], "targets": [site.root.scope], "confirm_unusual": True}
    wanted = BroadcastIn.checked(title=title, confirm_conflicts=True, **said_too, **given)
    return await site.centre.services.broadcasts.create(author, wanted)


async def test_the_first_request_says_what_it_meets_until_it_is_decided(site: Commune) -> None:
    at = site.centre.clock().replace(hour=2, minute=0, second=0) + timedelta(days=1)  # nine in Hanoi
    await site.broadcast("Tiếp sóng", length_ms=600_000, start_at=at, confirm_unusual=True)
    hoa, nam = await second_person(site)
    run = await ask(site, hoa, "Họp thôn", start_at=at + timedelta(minutes=5))
    assert run.approval is not None
    meets = "Trùng giờ với “Tiếp sóng” (09:00 ngày mai) ở 4 cụm: “Tiếp sóng” phát trước, bản này phải đợi"
    async with visitor(site, who=nam) as leader:
        page = f"/approvals/{run.approval.id}"
        for shown in (said(await leader.get("/approvals")), said(await leader.get(page))):
            assert meets in shown.partition("DUYỆT CHO PHÁT")[0]
        await leader.post(page, data={"act": "return", "reason": "Đổi giờ"})
        assert "Trùng giờ" not in said(await leader.get(page)), "that was decided"


async def test_alone_at_its_hour_it_meets_nothing(site: Commune) -> None:
    at = site.centre.clock().replace(hour=2, minute=0, second=0) + timedelta(days=1)
    await site.broadcast("Tiếp sóng", length_ms=600_000, start_at=at, confirm_unusual=True)
    hoa, nam = await second_person(site)
    run = await ask(site, hoa, "Họp thôn", start_at=at + timedelta(minutes=10))
    assert run.approval is not None
    async with visitor(site, who=nam) as leader:
        assert "Trùng giờ" not in said(await leader.get(f"/approvals/{run.approval.id}"))


async def test_what_is_to_be_said_now_meets_what_is_on_when_its_yes_would_come(site: Commune) -> None:
    """Sent into silence, looked at when a session has begun; what is to cut it says so."""
    hoa, nam = await second_person(site)
    soon = site.centre.clock() + timedelta(minutes=10)
    first = await site.broadcast("Bản tin chiều", length_ms=1_800_000, start_at=soon, confirm_unusual=True)
    waits = await ask(site, hoa, "Mất nước")
    site.centre.clock.step(minutes=12)
    for name in site.nodes:
        await site.says(first, name, state=PlayState.PLAYING, item=0)
    cuts = await ask(site, hoa, "Tìm trẻ lạc", during=During.FADE)
    async with visitor(site, who=nam) as leader:
        for run, tells in ((waits, "“Bản tin chiều” phát trước, bản này phải đợi"), (cuts, "bản này cắt ngang “Bản")):
            assert run.approval is not None
            shown = said(await leader.get(f"/approvals/{run.approval.id}"))
            assert tells in shown.partition("DUYỆT CHO PHÁT")[0]


async def test_of_what_lies_out_of_sight_no_name_is_told(site: Commune) -> None:
    at = site.centre.clock().replace(hour=2, minute=0, second=0) + timedelta(days=1)
    await site.broadcast("Tiếp sóng", length_ms=600_000, start_at=at, confirm_unusual=True)
    hamlet = site.hamlets["Thôn Trại"]
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    hoa = Actor((await site.centre.somebody("hoa", "operator", hamlet)).id, ADDRESS)
    nam = Actor((await site.centre.somebody("nam", "approver", hamlet)).id, ADDRESS)
    recording = await site.centre.recording("Họp", length_ms=300_000, area_id=hamlet.id)
    wanted = BroadcastIn.checked(
        title="Họp",
        recordings=[recording],
        targets=[hamlet.scope],
        start_at=at,
        confirm_conflicts=True,
        confirm_unusual=True,
    )
    run = await site.centre.services.broadcasts.create(hoa, wanted)
    [met] = await site.centre.services.broadcasts.met(nam, run.id)
    assert (met.title, met.broadcast_id, met.node_count) == (None, None, 2)
