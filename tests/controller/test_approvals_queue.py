"""The queue of who decides: what waits first, how much waits, and all that was asked, in pages."""

from datetime import timedelta

from controller.approvals.schemas import ReturnIn
from controller.paging import Wanted
from tests.controller.approving import ANOTHER, commune, local
from tests.controller.factories import Centre


async def test_the_most_urgent_that_others_asked_for_comes_first(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    later = await village.say(title="Sau", start_at=local(here, 17, days=3))
    sooner = await village.say(title="Trước", start_at=local(here, 17, days=2))
    await village.say(village.leader, title="Của lãnh đạo", start_at=local(here, 17, days=1))
    approvals = here.services.approvals
    first = await approvals.next_waiting(village.leader)
    assert first is not None
    assert (first.subject, first.refusal) == (f"broadcasts/{sooner.id}", "not_listened")
    assert await approvals.count_waiting(village.leader) == 2
    await village.approve(first.id)
    second = await approvals.next_waiting(village.leader)
    assert second is not None
    assert second.subject == f"broadcasts/{later.id}"
    await village.approve(second.id)
    assert await approvals.next_waiting(village.leader) is None
    assert await approvals.count_waiting(village.leader) == 0


async def test_what_cannot_be_decided_does_not_stand_before_what_can(lite: Centre) -> None:
    """Asked for "now", until its hour has become a quiet one: it can only be returned, and waits behind the others."""
    village = await commune(lite, **ANOTHER)
    lite.clock.now = local(lite, 22) - timedelta(minutes=15)
    lite.hears(village.node.id)
    at_once = await village.say(title="Ngay", start_at=None)
    lite.clock.step(minutes=20)
    only = await lite.services.approvals.next_waiting(village.leader)
    assert only is not None
    assert (only.subject, only.refusal) == (f"broadcasts/{at_once.id}", "policy_breach")
    tomorrow = await village.say(title="Mai", start_at=local(lite, 17, days=1))
    first = await lite.services.approvals.next_waiting(village.leader)
    assert first is not None
    assert first.subject == f"broadcasts/{tomorrow.id}"


async def test_all_that_was_asked_is_found_by_its_words_and_state_and_by_nobody_elsewhere(here: Centre) -> None:
    village, other = await commune(here, **ANOTHER), await commune(here, "Xã Tây", **ANOTHER)
    await village.say(title="Lịch tiêm chủng", start_at=local(here, 17, days=1))
    await village.say(title="Họp thôn", start_at=local(here, 18, days=1))
    await other.say(title="Tiêm chủng ở Xã Tây", start_at=local(here, 17, days=1))
    approvals = here.services.approvals
    found = await approvals.find(village.leader, Wanted("tiem chung"))
    assert [row.title for row in found.rows] == ["Lịch tiêm chủng"]
    assert (await approvals.find(village.operator, Wanted("tiêm"))).total == 1
    everything = await approvals.find(village.leader, Wanted(sort="title", limit=1))
    assert (everything.total, [row.title for row in everything.rows]) == (2, ["Họp thôn"])
    await approvals.return_(village.leader, everything.rows[0].id, ReturnIn(reason="Sai ngày"))
    returned = await approvals.find(village.leader, Wanted(having={"state": "returned"}))
    assert [row.title for row in returned.rows] == ["Họp thôn"]
    assert (await approvals.find(other.leader, Wanted(having={"state": "returned"}))).total == 0
