"""What whoever approves is told of an edit: each field as it was approved and as it is, and when it first sounds."""

from datetime import datetime, timedelta
from typing import Any

from controller.approvals.schemas import ApprovalOut, ChangeOut
from controller.bulletins.schemas import BulletinChange, OfferIn, VersionSeen
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn, ProgrammeIn
from controller.schedules.schemas import ExceptionIn, ScheduleChange, ScheduleOut
from controller.schedules.states import DateChange
from tests.controller.approving import ANOTHER, Commune, commune
from tests.controller.factories import Centre
from tests.controller.schedules.village import programme, wish
from tests.controller.words import approved, listened, voice

TEN = datetime.fromisoformat("2026-03-10T05:00:00")
"""The first date."""
HANOI_BEHIND = timedelta(hours=7)


async def anew(village: Commune) -> ApprovalOut:
    """The only request in the queue, as the leader sees it."""
    (asked,) = await village.queue()
    return await village.here.services.approvals.get(village.leader, asked.id)


def told(shown: ApprovalOut) -> dict[str, tuple[Any, Any]]:
    """Field → as it was, as it is; what is said of bulletins begins with its title."""
    return {f"{each.bulletin or ''}{each.field}": (each.before, each.after) for each in shown.changes}


async def yes(village: Commune) -> None:
    """Let the leader agree to all that waits; the next edit comes later."""
    for asked in await village.queue():
        await village.approve(asked.id)
    village.here.clock.step(seconds=1)


async def daily(village: Commune, programme_id: str) -> ScheduleOut:
    return await village.here.services.schedules.create(village.operator, wish(village.area, programme_id))


async def rewrite(village: Commune, made: ScheduleOut, **given: Any) -> None:
    """Write a schedule again, with this changed."""
    now = await village.here.services.schedules.get(village.here.actor, made.id)
    said = wish(village.area, now.programme_id, rule=now.rule, confirm_unusual=True).model_dump() | given
    change = ScheduleChange(version=now.version, **said)
    await village.here.services.schedules.change(village.operator, made.id, change)


async def test_what_was_never_approved_has_no_changes_and_says_when_it_first_sounds(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    sent = await village.say()
    shown = await anew(village)
    assert (shown.before, shown.changes, shown.first_start_at) == (None, (), sent.start_at)


async def test_an_edited_broadcast_says_what_is_otherwise_since_the_yes(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    sent = await village.say()
    await yes(village)
    later, other = sent.start_at + timedelta(hours=2), await lite.recording("Khác", area_id=village.area.id)
    wanted = village.wish(title="Tiêm chủng, sửa", start_at=later, recordings=(village.recording, other))
    await lite.services.broadcasts.change(village.operator, sent.id, wanted)
    shown = await anew(village)
    assert shown.before is not None
    assert shown.before.by == village.people[village.leader].name
    found = told(shown)
    before, after = found.pop("items")
    assert [each["title"] for each in before] == ["Thông báo"]
    assert [each["title"] for each in after] == ["Thông báo", "Khác"]
    assert found == {
        "title": (sent.title, "Tiêm chủng, sửa"),
        "start_at": (sent.start_at.isoformat(), later.isoformat()),
    }


async def test_an_edited_schedule_names_its_times_and_a_moved_date(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await daily(village, await programme(lite, village.area))
    assert (await anew(village)).first_start_at == (TEN - HANOI_BEHIND).replace(tzinfo=lite.clock().tzinfo)
    await yes(village)
    await rewrite(village, made, starts_at_local=TEN.replace(hour=6), rule="FREQ=WEEKLY")
    assert told(await anew(village)) == {
        "starts_at_local": ("2026-03-10T05:00:00", "2026-03-10T06:00:00"),
        "rule": ("FREQ=DAILY", "FREQ=WEEKLY"),
    }
    await yes(village)
    moved = ExceptionIn(kind=DateChange.MOVED, moved_to_local=TEN.replace(hour=9), confirm_unusual=True)
    await lite.services.single_dates.except_(village.operator, made.id, TEN.replace(hour=6), moved)
    assert told(await anew(village)) == {"dates": ({}, {"2026-03-10T06:00:00": "2026-03-10T09:00:00"})}


async def test_an_edit_is_held_against_what_the_leader_approved_by_writing_it(lite: Centre) -> None:
    village = await commune(lite)
    made = await lite.services.schedules.create(village.leader, wish(village.area, await programme(lite, village.area)))
    await rewrite(village, made, starts_at_local=TEN.replace(hour=6))
    assert told(await anew(village)) == {"starts_at_local": ("2026-03-10T05:00:00", "2026-03-10T06:00:00")}


async def test_a_changed_programme_names_its_items_and_the_new_words_of_a_bulletin(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    bulletins, words = lite.services.bulletins, await voice(lite, village.area)
    bulletin = await approved(lite, village.area, "Họp", words, by=village.leader)
    items = [ItemIn(kind=ItemKind.BULLETIN, bulletin_id=bulletin.id)]
    wanted = ProgrammeIn(area_id=village.area.id, title="Sáng", items=items)
    made = await lite.services.programmes.create(lite.actor, wanted)
    await daily(village, made.id)
    await yes(village)

    newer = [(await voice(lite, village.area, length_ms=9_000)).model_copy(update={"text": "Họp lúc 8 giờ"})]
    change = BulletinChange(version=1, voices=newer)
    draft = await bulletins.change(lite.actor, bulletin.id, change)
    await bulletins.submit(lite.actor, bulletin.id, VersionSeen(version=draft.version))
    await listened(lite, village.leader, draft)
    await bulletins.approve(village.leader, bulletin.id, VersionSeen(version=draft.version))
    await lite.services.schedules.roll_due()
    shown = await anew(village)
    found = told(shown)
    assert set(found) == {"items", "Họpbulletin.voices.vi.text", "Họpbulletin.voices.vi.recording_id"}
    assert found["Họpbulletin.voices.vi.text"] == (None, "Họp lúc 8 giờ")
    assert {each.heard for each in shown.changes} == {"after"}


async def test_an_edited_bulletin_asks_anew_and_says_that_its_words_are_not_what_would_be_heard(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    bulletin = await approved(lite, village.area, "Họp lúc 7 giờ", await voice(lite, village.area), by=village.leader)
    await village.say(recordings=(), bulletins=(bulletin.id,))
    await yes(village)
    await lite.services.bulletins.change(
        village.operator, bulletin.id, BulletinChange(version=1, title="Họp lúc 8 giờ")
    )
    assert (await anew(village)).changes == (
        ChangeOut(
            field="bulletin.title",
            before="Họp lúc 7 giờ",
            after="Họp lúc 8 giờ",
            bulletin="Họp lúc 7 giờ",
            heard="before",
        ),
    )


async def test_of_another_places_bulletin_it_says_that_it_was_edited_and_not_how(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    village = await commune(lite, parent=province, **ANOTHER)
    storm = await approved(lite, province, "Bão số 3")
    await lite.services.bulletins.offer(lite.actor, storm.id, OfferIn(version=1))
    await village.say(recordings=(), bulletins=(storm.id,))
    await lite.services.bulletins.change(lite.actor, storm.id, BulletinChange(version=1, title="Bão số 4"))
    (change,) = (await anew(village)).changes
    assert (change.field, change.bulletin, change.before, change.after) == ("bulletin.version", "Bão số 3", 1, 2)


async def test_the_queue_has_first_what_sounds_first_and_a_date_that_passed_by_gives_way(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await daily(village, await programme(lite, village.area))
    soon = await village.say()
    queue = await village.queue()
    assert [each.subject for each in queue] == [f"broadcasts/{soon.id}", f"schedules/{made.id}"]

    first = queue[1].first_start_at
    lite.clock.step(days=1, hours=1)
    await lite.services.approvals.expire()
    (asked,) = await village.queue()
    assert asked.first_start_at == first + timedelta(days=1)
