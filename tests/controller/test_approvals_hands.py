"""Nobody approves their own work because somebody else edited something besides."""

from datetime import timedelta

import pytest

from controller.approvals.errors import OwnWorkError
from controller.approvals.hands import Version, hands_in
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn, ProgrammeChange
from controller.schedules.schemas import ScheduleChange
from tests.controller.approving import ANOTHER, Commune, commune
from tests.controller.factories import MORNING, Centre
from tests.controller.schedules.village import programme, wish
from tests.controller.test_approvals_attacked import grant_leader

DAY = timedelta(days=1)


def versions(*said: tuple[str, str]) -> list[Version]:
    """One a day: who, and letters for the parts."""
    return [Version(MORNING + number * DAY, by, frozenset(parts)) for number, (by, parts) in enumerate(said)]


def test_a_part_is_the_work_of_who_put_it_there_until_it_goes_or_is_approved() -> None:
    assert hands_in(versions(("ann", "ab"), ("bob", "ac"))) == {"ann", "bob"}
    assert hands_in(versions(("ann", "ab"), ("bob", "cd"))) == {"bob"}
    assert hands_in(versions(("ann", "ab"), ("bob", "b"), ("cy", "ab"))) == {"ann", "cy"}
    edits = versions(("ann", "ab"), ("bob", "abc"))
    assert hands_in(edits, approved_at=MORNING) == {"bob"}
    assert hands_in(edits, approved_at=MORNING + DAY) == frozenset()


async def rewrite(village: Commune, programme_id: str, who: str, *recordings: str, title: str = "Sáng") -> None:
    actor, programmes = getattr(village, who), village.here.services.programmes
    items = [ItemIn(kind=ItemKind.RECORDING, recording_id=each) for each in recordings]
    version = (await programmes.get(actor, programme_id)).version
    village.here.clock.step(minutes=1)
    await programmes.change(actor, programme_id, ProgrammeChange(title=title, items=items, version=version))
    await village.here.services.schedules.roll_due()


async def refused(village: Commune) -> bool:
    (asked,) = await village.queue()
    try:
        await village.approve(asked.id)
    except OwnWorkError:
        return True
    return False


async def test_who_wrote_what_a_programme_says_does_not_approve_it_after_a_rename(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    mine, others = [await lite.recording(each, area_id=village.area.id) for each in ("Của lãnh đạo", "Khác")]
    made = await programme(lite, village.area)
    await lite.services.schedules.create(village.operator, wish(village.area, made))
    await rewrite(village, made, "leader", mine)
    assert await refused(village)
    await rewrite(village, made, "operator", mine, title="Tên khác")
    assert await refused(village)
    await rewrite(village, made, "operator", mine, others)
    assert await refused(village)  # it would still be heard
    await rewrite(village, made, "operator", others)
    assert not await refused(village)


async def test_who_wrote_a_schedule_does_not_approve_it_after_another_edit(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    first, second = [await programme(lite, village.area, title=each) for each in ("Sáng", "Chiều")]
    schedules = lite.services.schedules
    made = await schedules.create(village.operator, wish(village.area, first))
    both = await grant_leader(village)
    edits = (both, wish(village.area, second)), (village.operator, wish(village.area, second, start_mode="hard"))
    for who, wanted in edits:
        lite.clock.step(minutes=1)
        change = ScheduleChange(version=(await schedules.get(lite.actor, made.id)).version, **wanted.model_dump())
        await schedules.change(who, made.id, change)
    (asked,) = await village.queue()
    with pytest.raises(OwnWorkError):
        await village.approve(asked.id, both)
    await village.approve(asked.id)


async def test_who_wrote_a_version_of_a_broadcast_does_not_approve_it_after_another_edit(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    mine = await lite.recording("Của lãnh đạo", area_id=village.area.id)
    sent = await village.say()
    lite.clock.step(minutes=1)
    sent = await lite.services.broadcasts.change(village.leader, sent.id, village.wish(recordings=(mine,)))
    lite.clock.step(minutes=1)
    wanted = village.wish(recordings=(mine,), title="Tên khác", start_at=sent.start_at)
    await lite.services.broadcasts.change(village.operator, sent.id, wanted)
    assert await refused(village)
