"""A yes from the queue to the node: asked for, listened to, given or refused, and what becomes of it with an edit."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from controller.approvals.errors import NotListenedError, OwnWorkError
from controller.approvals.models import Approval
from controller.approvals.needs import Need
from controller.approvals.schemas import ReturnIn
from controller.approvals.states import RequestState
from controller.audit.models import AuditEntry
from controller.broadcasts.models import Broadcast
from controller.broadcasts.rules import Phase
from controller.broadcasts.schemas import BroadcastIn
from controller.bulletins.schemas import BulletinChange
from controller.bulletins.schemas import ReturnIn as BulletinReturn
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.people.actor import Actor
from controller.people.models import Grant
from controller.people.rights import Act, Role
from controller.plays import service as plays
from controller.programmes.schemas import ProgrammeIn
from edge_agent.protocol.states import Outcome, PlayState, Reason
from tests.controller.approving import ANOTHER, commune, local, row_of, sha256_of, told
from tests.controller.factories import ADDRESS, Centre, play_event
from tests.controller.words import approved, voice


async def test_what_needs_another_person_is_told_to_nobody_until_that_person_says_yes(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    sent = await village.say()
    assert sent.phase is Phase.AWAITING_APPROVAL
    assert await village.told() == set()

    (asked,) = await village.queue()
    assert (asked.subject, asked.asked_by_id) == (f"broadcasts/{sent.id}", village.operator.person_id)
    answered = await village.approve(asked.id)
    assert (answered.state, answered.decided_by) == (RequestState.APPROVED, "approver." + village.area.id[:8])
    (told_of,) = await told(here)
    assert told_of.broadcast_id == sent.id
    assert told_of.approved_for(frozenset([village.area.scope]))
    assert (await here.services.broadcasts.get(village.operator, sent.id)).phase is Phase.SENDING
    assert await village.queue() == []


@pytest.mark.parametrize(
    ("rules", "who", "phase"),
    [
        ({}, "operator", Phase.AWAITING_APPROVAL),
        ({}, "leader", Phase.SENDING),
        ({"second_person": []}, "operator", Phase.SENDING),
        (ANOTHER, "leader", Phase.AWAITING_APPROVAL),
        ({"second_person": [{"category": "health"}]}, "leader", Phase.SENDING),
        ({"second_person": [{"category": "health"}]}, "operator", Phase.AWAITING_APPROVAL),
    ],
)
async def test_policy_decides_and_where_it_is_silent_rights_do(
    lite: Centre, rules: dict[str, Any], who: str, phase: Phase
) -> None:
    village = await commune(lite, **rules)
    sent = await village.say(getattr(village, who), category="notice")
    assert sent.phase is phase
    assert ({sent.id} == await village.told()) is (phase is Phase.SENDING)


async def test_a_recording_without_a_category_is_of_every_category(lite: Centre) -> None:
    village = await commune(lite, second_person=[{"category": "news"}])
    for who in (village.operator, village.leader):
        assert (await village.say(who)).phase is Phase.AWAITING_APPROVAL
    (_, own) = await village.queue()
    await village.hear(village.leader)
    with pytest.raises(OwnWorkError):
        await lite.services.approvals.approve(village.leader, own.id)
    assert await village.told() == set()


async def test_what_an_operator_claims_of_a_recording_counts_within_the_bounds_alone(lite: Centre) -> None:
    alone = {"categories": ["water"], "minutes": 1, "a_day": 1}
    village = await commune(lite, second_person=[{"category": "news"}], self_approval=alone)
    assert (await village.say(category="notice")).phase is Phase.AWAITING_APPROVAL
    told = await village.say(category="water", start_at=lite.clock() + timedelta(hours=2))
    assert (told.phase, await village.told()) == (Phase.SENDING, {told.id})
    assert len(await lite.services.by_authors.list(village.leader, seen=False)) == 1
    more = await village.say(category="water", start_at=lite.clock() + timedelta(hours=3))
    assert more.phase is Phase.AWAITING_APPROVAL


async def test_a_recording_beside_a_bulletin_is_not_of_its_category(lite: Centre) -> None:
    village = await commune(lite, second_person=[{"category": "news"}])
    notice = await approved(lite, village.area, "Họp", await voice(lite, village.area), category="notice")
    alone = await village.say(recordings=(), bulletins=(notice.id,))
    assert alone.phase is Phase.SENDING
    items = [{"kind": "bulletin", "bulletin_id": notice.id}, {"kind": "recording", "recording_id": village.recording}]
    both = ProgrammeIn.model_validate({"area_id": village.area.id, "title": "Sáng", "items": items})
    made = await lite.services.programmes.create(village.operator, both)
    later = lite.clock() + timedelta(hours=3)
    sent = await village.say(recordings=(), programme_id=made.id, start_at=later)
    assert sent.phase is Phase.AWAITING_APPROVAL


async def test_a_hamlet_that_asks_for_a_second_person_is_asked_by_its_commune(lite: Centre) -> None:
    village = await commune(lite, second_person=[])
    hamlet = await lite.area("Thôn Trung", village.area)
    await lite.node(hamlet, "Cụm thôn")
    await lite.services.areas.get(lite.actor, hamlet.id)
    assert (await village.say()).phase is Phase.SENDING
    strict = await commune(lite, "Thôn Hạ", village.area, **ANOTHER)
    assert (await village.say(start_at=lite.clock() + timedelta(hours=3))).phase is Phase.AWAITING_APPROVAL
    assert (await village.say(targets=(hamlet.scope,))).phase is Phase.SENDING
    assert strict.area.parent_id == village.area.id


async def test_a_key_of_a_machine_is_nobodys_yes(lite: Centre) -> None:
    village = await commune(lite)
    machine = Actor(village.leader.person_id, ADDRESS, frozenset(["broadcasts.create"]))
    assert (await village.say(machine)).phase is Phase.AWAITING_APPROVAL


async def test_the_author_does_not_answer_for_the_second_person(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await village.say(village.leader)
    (asked,) = await village.queue()
    await village.hear(village.leader)
    assert (await lite.services.approvals.get(village.leader, asked.id)).refusal == "own_work"
    with pytest.raises(OwnWorkError):
        await lite.services.approvals.approve(village.leader, asked.id)
    await village.say(start_at=lite.clock() + timedelta(hours=3))
    (own,) = await village.queue(village.operator)
    with pytest.raises(ForbiddenError):
        await lite.services.approvals.approve(village.operator, own.id)
    assert await village.told() == set()


async def test_who_approves_has_heard_what_is_new_to_them_and_only_that(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    other = await lite.recording("Bổ sung", area_id=village.area.id)
    await village.say()
    (asked,) = await village.queue()
    with pytest.raises(NotListenedError) as refused:
        await lite.services.approvals.approve(village.leader, asked.id)
    assert [each["title"] for each in refused.value.fields["files"]] == ["Thông báo"]
    await lite.services.hearings.note(village.leader, village.recording, [])
    lite.clock.step(seconds=24)
    half = await lite.services.hearings.note(village.leader, village.recording, [(0, 12_000)])
    assert (half.heard_ms, half.whole) == (12_000, False)
    with pytest.raises(NotListenedError):
        await lite.services.approvals.approve(village.leader, asked.id)
    whole = await lite.services.hearings.note(village.leader, village.recording, [(11_000, 23_600)])
    assert (whole.spans, whole.whole) == (((0, 23_600),), True)
    await lite.services.approvals.approve(village.leader, asked.id)

    both = (village.recording, other)
    await village.say(recordings=both, start_at=lite.clock() + timedelta(hours=3))
    (again,) = await village.queue()
    shown = await lite.services.approvals.get(village.leader, again.id)
    assert [each.news for each in shown.files] == ["known", "new"]
    with pytest.raises(NotListenedError) as refused:
        await lite.services.approvals.approve(village.leader, again.id)
    assert [each["sha256"] for each in refused.value.fields["files"]] == [await sha256_of(lite, other)]
    await village.hear(village.leader, other)
    await lite.services.approvals.approve(village.leader, again.id)


async def test_a_request_is_answered_once(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    await village.say()
    (asked,) = await village.queue()
    await village.approve(asked.id)
    for answer in (
        here.services.approvals.approve(village.leader, asked.id),
        here.services.approvals.return_(village.leader, asked.id, ReturnIn(reason="Sai ngày")),
        here.services.approvals.withdraw(village.operator, asked.id),
    ):
        with pytest.raises(ConflictError):
            await answer


async def test_what_is_returned_says_why_and_is_asked_for_anew_when_it_is_mended(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    sent = await village.say()
    (asked,) = await village.queue()
    with pytest.raises(InvalidError):
        await here.services.approvals.return_(village.leader, asked.id, ReturnIn(reason=" "))
    await here.services.approvals.return_(village.leader, asked.id, ReturnIn(reason="Sai ngày"))
    shown = await here.services.broadcasts.get(village.operator, sent.id)
    assert shown.approval is not None
    assert (shown.approval.state, shown.approval.returned_reason) == (RequestState.RETURNED, "Sai ngày")
    assert shown.phase is Phase.RETURNED
    assert await village.queue() == []

    later = village.wish(start_at=here.clock() + timedelta(hours=2))
    mended = await here.services.broadcasts.change(village.operator, sent.id, later)
    assert (mended.run_id, mended.phase) == (sent.id, Phase.AWAITING_APPROVAL)
    (anew,) = await village.queue()
    await village.approve(anew.id)
    assert await village.told() == {mended.id}


async def test_the_preview_of_an_edit_leaves_what_it_replaces_out_of_account(here: Centre) -> None:
    village = await commune(here, second_person=[], sessions_a_day=1)
    sent = await village.say()
    longer, later = village.wish(title="Tiêm chủng, sửa"), village.wish(start_at=here.clock() + timedelta(hours=3))
    async with here.client(who=village.people[village.operator]) as client:

        async def found(wish: BroadcastIn, path: str = "/api/v1/broadcasts/preview") -> tuple[Any, ...]:
            shown = (await client.post(path, json=wish.model_dump(mode="json"))).json()
            return shown["yields"], shown["refusal"], shown["late_count"]

        assert await found(longer) == (["Lịch tiêm chủng"], None, 1)
        assert await found(later) == ([], "policy_breach", 0)
        for wish in (longer, later):
            assert await found(wish, f"/api/v1/broadcasts/preview?edits={sent.id}") == ([], None, 0)
    changed = await here.services.broadcasts.change(village.operator, sent.id, later)
    assert changed.run_id == sent.id


async def test_the_preview_of_an_edit_takes_the_right_to_that_edit(lite: Centre) -> None:
    east, west = await commune(lite, "Xã Đông"), await commune(lite, "Xã Đoài")
    sent = await east.say()
    preview = lite.services.broadcasts.preview
    with pytest.raises(NotFoundError):
        await preview(west.operator, west.wish(), edits=sent.id)
    await lite.services.broadcasts.cancel(east.operator, sent.id)
    with pytest.raises(ConflictError):
        await preview(east.operator, east.wish(), edits=sent.id)


async def test_an_edit_ends_the_yes_and_the_first_version_is_heard_nowhere(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    sent = await village.say()
    (asked,) = await village.queue()
    await village.approve(asked.id)
    assert await village.told() == {sent.id}

    edited = await here.services.broadcasts.change(village.operator, sent.id, village.wish(title="Tiêm chủng, sửa"))
    assert await village.told() == set()
    assert (await here.services.broadcasts.get(village.operator, sent.id)).phase is Phase.REPLACED
    async with here.database.reading() as session:
        (yes,) = await session.scalars(select(Approval).where(Approval.subject == f"broadcasts/{sent.id}"))
    assert yes.voided_at is not None

    (anew,) = await village.queue()
    shown = await village.approve(anew.id)
    assert [each.news for each in shown.files] == ["known"]
    (told_of,) = await told(here)
    assert (told_of.broadcast_id, told_of.run) == (edited.id, sent.id)


async def test_the_yes_to_an_older_version_cannot_be_given_any_more(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    sent = await village.say()
    (asked,) = await village.queue()
    await village.hear(village.leader)
    await lite.services.broadcasts.change(village.operator, sent.id, village.wish(title="Sửa"))
    with pytest.raises(ConflictError):
        await lite.services.approvals.approve(village.leader, asked.id)
    assert await village.told() == set()


@pytest.mark.parametrize("end", ["begun", "cancelled", "replaced"])
async def test_what_has_begun_or_is_over_is_not_edited(lite: Centre, end: str) -> None:
    village = await commune(lite, second_person=[])
    sent = await village.say()
    if end == "begun":
        lite.clock.step(minutes=61)
    elif end == "cancelled":
        await lite.services.broadcasts.cancel(village.operator, sent.id)
    else:
        await lite.services.broadcasts.change(village.operator, sent.id, village.wish(title="Sửa"))
    with pytest.raises(ConflictError):
        await lite.services.broadcasts.change(village.operator, sent.id, village.wish(title="Sửa nữa"))


async def test_an_edit_that_is_refused_leaves_the_first_version_as_it_was(lite: Centre) -> None:
    village = await commune(lite, second_person=[])
    sent = await village.say()
    with pytest.raises(InvalidError):
        await lite.services.broadcasts.change(village.operator, sent.id, village.wish(recordings=("none",)))
    assert await village.told() == {sent.id}
    assert (await lite.services.broadcasts.get(village.operator, sent.id)).phase is Phase.SENDING


async def test_what_nobody_approved_in_time_ends_and_says_why(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    sent = await village.say()
    here.clock.step(hours=1, minutes=6)
    assert await here.services.approvals.expire() == 1
    shown = await here.services.broadcasts.get(village.operator, sent.id)
    assert shown.phase is Phase.NOT_APPROVED
    (play,) = await here.services.broadcasts.plays(village.operator, sent.id)
    assert (play.outcome, play.reason) == (Outcome.MISSED, Reason.NOT_APPROVED)
    assert await village.queue() == []
    assert await here.services.approvals.expire() == 0


async def test_a_yes_that_comes_too_late_is_refused(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await village.say()
    (asked,) = await village.queue()
    await village.hear(village.leader)
    lite.clock.step(hours=1, minutes=6)
    with pytest.raises(ConflictError):
        await lite.services.approvals.approve(village.leader, asked.id)


async def test_what_was_to_be_said_now_is_said_when_it_is_approved(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    sent = await village.say(start_at=None)
    assert await village.told() == set()
    lite.clock.step(minutes=20)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    (told_of,) = await told(lite)
    assert told_of.broadcast_id == sent.id
    assert told_of.start_at == lite.clock() + timedelta(milliseconds=1_500)
    assert told_of.latest_start_at == told_of.start_at + timedelta(minutes=2)
    assert told_of.approved_for(frozenset([village.area.scope]))


async def test_what_is_withdrawn_is_cancelled_and_no_node_ever_had_it(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    sent = await village.say()
    (asked,) = await village.queue()
    with pytest.raises(ForbiddenError):
        await lite.services.approvals.withdraw(village.leader, asked.id)
    withdrawn = await lite.services.approvals.withdraw(village.operator, asked.id)
    assert withdrawn.state is RequestState.WITHDRAWN
    shown = await lite.services.broadcasts.get(village.operator, sent.id)
    assert (shown.phase, shown.counts) == (Phase.CANCELLED, {"cancelled": 1})
    assert await village.told() == set()


async def test_cancelling_what_waits_takes_it_out_of_the_queue(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    sent = await village.say()
    await lite.services.broadcasts.cancel(village.operator, sent.id)
    assert await village.queue() == []
    assert await village.told() == set()


async def test_an_author_may_say_a_bounded_number_of_small_things_alone_and_the_leader_sees_each(here: Centre) -> None:
    alone = {"categories": ["water"], "minutes": 1, "a_day": 2}
    village = await commune(here, **ANOTHER, self_approval=alone)
    for hour in (1, 2, 3):
        sent = await village.say(category="water", start_at=here.clock() + timedelta(hours=hour))
        assert sent.phase is (Phase.SENDING if hour < 3 else Phase.AWAITING_APPROVAL)
    assert (await village.say(category="notice", start_at=None)).phase is Phase.AWAITING_APPROVAL

    alarms = await here.services.alarms.list(here.actor)
    assert [(each.kind, each.area_id, each.detail["title"]) for each in alarms] == [
        ("approvals.by_author", village.area.id, "Lịch tiêm chủng")
    ] * 2
    assert {each.detail["by"] for each in alarms} == {"operator." + village.area.id[:8]}

    uses = await here.services.by_authors.list(village.leader, seen=False)
    assert [(use.category, use.person) for use in uses] == [("water", "operator." + village.area.id[:8])] * 2
    with pytest.raises(ForbiddenError):
        await here.services.by_authors.list(village.operator)
    seen = await here.services.by_authors.see(village.leader, uses[0].id)
    assert seen.seen_at == here.clock()
    assert len(await here.services.by_authors.list(village.leader, seen=False)) == 1
    with pytest.raises(ConflictError):
        await here.services.by_authors.see(village.leader, uses[0].id)

    here.clock.step(hours=15)  # the day there ended at midnight
    tomorrow = await village.say(category="water", start_at=here.clock() + timedelta(hours=9))
    assert tomorrow.phase is Phase.SENDING


async def test_what_is_said_alone_is_counted_from_midnight_by_the_clock_of_the_place(lite: Centre) -> None:
    alone = {"categories": ["water"], "minutes": 1, "a_day": 1}
    village = await commune(lite, **ANOTHER, self_approval=alone)
    early = local(lite, 6, days=1)  # in UTC the day ends an hour later, and begins seven after midnight here
    waits, told = Phase.AWAITING_APPROVAL, Phase.SENDING
    for hours, phase in ((0, told), (2, waits), (17.8, waits), (18.2, told)):
        now = early + timedelta(hours=hours)
        lite.clock.step(seconds=(now - lite.clock()).total_seconds())
        at = local(lite, 12, days=1) + timedelta(hours=hours / 10)
        assert (await village.say(category="water", start_at=at)).phase is phase, hours


async def test_a_yes_lets_in_only_what_it_covers(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    for hour, is_longer in ((1, False), (3, True)):
        await village.say(start_at=lite.clock() + timedelta(hours=hour))
        (asked,) = await village.queue()
        key = asked.subject.removeprefix("broadcasts/")
        if is_longer:  # whatever made it last longer than was asked for, that was not agreed to
            longer = (await row_of(lite, key)).latest_end_at + timedelta(minutes=1)
            async with lite.database.transaction() as tx:
                await tx.session.execute(update(Broadcast).where(Broadcast.id == key).values(latest_end_at=longer))
        await village.approve(asked.id)
        assert (await row_of(lite, key)).awaits_approval is is_longer
        assert (key in await village.told()) is not is_longer


async def test_where_sending_it_is_enough_nobody_is_alarmed(lite: Centre) -> None:
    village = await commune(lite)
    assert (await village.say(village.leader)).phase is Phase.SENDING
    assert await lite.services.alarms.list(lite.actor) == []


async def test_only_those_who_may_approve_there_or_asked_see_a_request(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    east = await commune(lite, "Xã Đông", province, **ANOTHER)
    west = await commune(lite, "Xã Đoài", province, **ANOTHER)
    await east.say()
    (asked,) = await east.queue()
    assert [each.id for each in await east.queue(east.operator)] == [asked.id]
    assert await west.queue() == []
    for act in (
        lite.services.approvals.get(west.leader, asked.id),
        lite.services.approvals.approve(west.leader, asked.id),
        lite.services.papers.scan(west.leader, asked.id),
    ):
        with pytest.raises(NotFoundError):
            await act


async def test_two_communes_are_approved_by_who_may_in_both(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    east = await commune(lite, "Xã Đông", province, **ANOTHER)
    west = await commune(lite, "Xã Đoài", province, **ANOTHER)
    wanted = BroadcastIn(
        title="Hai xã",
        recordings=(east.recording,),
        targets=(east.area.scope, west.area.scope),
        start_at=lite.clock() + timedelta(hours=1),
    )
    sent = await lite.services.broadcasts.create(lite.actor, wanted)
    assert await east.queue() == []
    chairman = await lite.somebody("chu.tich", "approver", province)
    above = Actor(chairman.id, ADDRESS)
    (asked,) = await east.queue(above)
    await east.approve(asked.id, above)
    assert await east.told() == {sent.id}


async def test_who_is_asked_may_hear_what_belongs_to_others(lite: Centre) -> None:
    """The province's operator aims its own recording at one commune: that commune's leader may listen to it."""
    province = await lite.area("Tỉnh", kind="province")
    east = await commune(lite, "Xã Đông", province, **ANOTHER)
    west = await commune(lite, "Xã Đoài", province, **ANOTHER)
    theirs = await lite.recording("Của tỉnh", area_id=province.id)
    sha256 = await sha256_of(lite, theirs)
    with pytest.raises(NotFoundError):
        await lite.services.media.recording(sha256, east.leader)
    await lite.services.broadcasts.create(lite.actor, east.wish(recordings=(theirs,)))
    (asked,) = await east.queue()
    assert not (await lite.services.media.recording(sha256, east.leader)).public
    with pytest.raises(NotFoundError):
        await lite.services.media.recording(sha256, west.leader)
    with pytest.raises(NotFoundError):
        await lite.services.hearings.note(west.leader, theirs, [(0, 1)])
    await east.approve(asked.id)
    assert (await lite.services.media.recording(sha256)).public


async def test_an_edited_bulletin_takes_the_yes_from_what_says_its_older_version(here: Centre) -> None:
    village = await commune(here, second_person=[])
    bulletin = await approved(here, village.area, "Tiêm chủng", await voice(here, village.area, "vi"))
    sent = await village.say(recordings=(), bulletins=(bulletin.id,))
    other = await village.say(start_at=here.clock() + timedelta(hours=3))
    assert await village.told() == {sent.id, other.id}

    change = BulletinChange(version=bulletin.version, title="Tiêm chủng, ngày khác")
    await here.services.bulletins.change(village.operator, bulletin.id, change)
    assert await village.told() == {other.id}
    (asked,) = await village.queue()
    _, _, later = asked.subject.partition("/")
    assert (await row_of(here, later)).run_id == sent.id
    await village.approve(asked.id)
    assert await village.told() == {later, other.id}


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("end", ["edited", "archived", "returned"])
async def test_what_was_asked_for_before_a_bulletin_changed_is_approved_no_more(
    lite: Centre, end: str, *, at_once: bool
) -> None:
    village = await commune(lite, **ANOTHER)
    bulletin = await approved(lite, village.area, "Họp lúc 7 giờ", await voice(lite, village.area), by=village.leader)
    at = {"start_at": None} if at_once else {}
    await village.say(recordings=(), bulletins=(bulletin.id,), **at)
    (asked,) = await village.queue()
    bulletins = lite.services.bulletins
    lite.clock.step(seconds=30)
    if end == "edited":
        change = BulletinChange(version=bulletin.version, title="Họp lúc 8 giờ")
        bulletin = await bulletins.change(village.operator, bulletin.id, change)
    elif end == "archived":
        await bulletins.archive(village.leader, bulletin.id)
    else:
        wanted = BulletinReturn(version=bulletin.version, reason="Sai giờ")
        await bulletins.return_(village.leader, bulletin.id, wanted)
    with pytest.raises(ConflictError):
        await village.approve(asked.id)
    assert await village.told() == set()

    (anew,) = await village.queue()
    assert (anew.id != asked.id, anew.asked_by_id) == (True, village.operator.person_id)
    if end == "edited":  # what is asked anew is asked once, however often the draft is saved
        lite.clock.step(seconds=30)
        await bulletins.change(village.operator, bulletin.id, BulletinChange(version=bulletin.version, title="9 giờ"))
        assert [each.id for each in await village.queue()] == [anew.id]


async def test_what_is_said_at_once_waits_again_when_its_bulletin_changes_before_it_begins(here: Centre) -> None:
    village = await commune(here, second_person=[])
    bulletin = await approved(here, village.area, "Họp lúc 7 giờ", await voice(here, village.area))
    sent = await village.say(recordings=(), bulletins=(bulletin.id,), start_at=None)
    assert await village.told() == {sent.id}
    change = BulletinChange(version=bulletin.version, title="Họp lúc 8 giờ")
    await here.services.bulletins.change(village.operator, bulletin.id, change)
    assert await village.told() == set()
    here.clock.step(minutes=5)  # somebody has to hear it first
    (asked,) = await village.queue()
    await village.approve(asked.id)
    assert await village.told() == {asked.subject.removeprefix("broadcasts/")}


async def test_the_preview_says_whose_yes_it_takes(lite: Centre) -> None:
    village = await commune(lite)
    preview = lite.services.broadcasts.preview
    assert (await preview(village.operator, village.wish())).approval is Need.ANOTHER
    assert (await preview(village.leader, village.wish())).approval is Need.AUTHOR
    await village.rule(**ANOTHER, self_approval={"categories": ["water"], "minutes": 1, "a_day": 2})
    assert (await preview(village.leader, village.wish())).approval is Need.ANOTHER
    assert (await preview(village.operator, village.wish(category="water"))).approval is Need.ALONE


async def test_over_the_api_a_yes_is_asked_for_listened_to_and_given(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    wanted = village.wish().model_dump(mode="json", exclude={"start_at"}, exclude_defaults=True)
    said = wanted | {"start_at": (lite.clock() + timedelta(hours=1)).isoformat(), "category": "notice"}
    async with lite.client(who=village.people[village.operator]) as operator:
        sent = (await operator.post("/api/v1/broadcasts", json=said)).json()
        assert (sent["phase"], sent["approval"]["state"]) == ("awaiting_approval", "open")
        edited = (await operator.put(f"/api/v1/broadcasts/{sent['id']}", json=said | {"title": "Sửa"})).json()
        assert (edited["run_id"], edited["category"]) == (sent["id"], "notice")
        refused = await operator.post(f"/api/v1/approvals/{edited['approval']['id']}/approve")
        assert refused.status_code == 403
    path = f"/api/v1/approvals/{edited['approval']['id']}"
    async with lite.client(who=village.people[village.leader]) as leader:
        assert [each["title"] for each in (await leader.get("/api/v1/approvals")).json()] == ["Sửa"]
        refused = await leader.post(f"{path}/approve")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_listened")
        (file,) = (await leader.get(path)).json()["files"]
        heard = f"/api/v1/recordings/{file['recording_id']}/listening"
        assert not (await leader.post(heard, json={"spans": [[0, 24_000]]})).json()["whole"]
        lite.clock.step(seconds=24)
        assert (await leader.post(heard, json={"spans": [[0, 24_000]]})).json()["whole"]
        assert (await leader.post(f"{path}/approve")).json()["state"] == "approved"
        assert (await leader.post(f"{path}/return", json={"reason": "Sai"})).status_code == 409
        assert (await leader.get("/api/v1/approvals", params={"state": "approved"})).json() != []
    assert await village.told() == {edited["id"]}


async def test_a_paper_is_noted_and_its_scan_kept_by_what_it_is(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await village.say()
    (asked,) = await village.queue()
    path = f"/api/v1/approvals/{asked.id}"
    async with lite.client(who=village.people[village.operator]) as client:
        answer = await client.put(f"{path}/paper", json={"document_number": " 45/TB-UBND "})
        assert answer.json()["document_number"] == "45/TB-UBND"
        for content in (b"<html><script>", b"GIF89a", b"MZ"):
            refused = await client.put(f"{path}/scan", content=content, headers={"content-type": "application/pdf"})
            assert (refused.status_code, refused.json()["error"]["fields"]["problem"]) == (422, "kind")
        assert (await client.get(f"{path}/scan")).status_code == 404
        scan = b"%PDF-1.7\n" + bytes(2_000_000)
        assert (await client.put(f"{path}/scan", content=scan)).json()["scan_type"] == "application/pdf"
        found = await client.get(f"{path}/scan")
        assert found.content == scan
        assert found.headers["content-disposition"].startswith("attachment")
        assert found.headers["x-content-type-options"] == "nosniff"
        too_large = await client.put(f"{path}/scan", content=b"%PDF-" + bytes(10 * 1024 * 1024))
        assert too_large.status_code == 413
    assert [each.name for each in lite.services.config.scans.iterdir() if len(each.name) != 64] == []


async def test_every_decision_stands_in_the_audit(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    sent = await village.say()
    (asked,) = await village.queue()
    await village.approve(asked.id)
    async with lite.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.subject == f"approvals/{asked.id}")
        (entry,) = await session.scalars(query)
    assert (entry.action, entry.area_id) == ("approvals.give", village.area.id)
    assert (entry.detail["of"], entry.detail["state"]) == (f"broadcasts/{sent.id}", "approved")


async def test_a_play_that_began_before_the_edit_arrived_is_not_made_a_second_time(lite: Centre) -> None:
    """The node says that it sounds: whatever its clock, that version is not taken from it any more."""
    village = await commune(lite, second_person=[])
    sent = await village.say()
    async with lite.database.transaction() as tx:
        event = play_event(sent.id, 1, lite.clock(), state=PlayState.PLAYING, item=0)
        await plays.apply(tx, village.node.id, event, lite.clock())
    with pytest.raises(ConflictError):
        await lite.services.broadcasts.change(village.operator, sent.id, village.wish(title="Sửa"))
    assert (await row_of(lite, sent.id)).superseded_at is None


async def moved(here: Centre, who: Actor, area_id: str | None, role: Role = Role.OPERATOR) -> None:
    """Let somebody work elsewhere from now on."""
    async with here.database.transaction() as tx:
        where = Grant.person_id == who.person_id
        await tx.session.execute(update(Grant).where(where).values(area_id=area_id, role=role))


async def test_who_works_elsewhere_now_has_no_hand_in_what_they_asked_for(lite: Centre) -> None:
    village, other = await commune(lite, **ANOTHER), await commune(lite, "Xã Đoài")
    sent = await village.say()
    (asked,) = await village.queue()
    gone, sha256 = village.operator, await sha256_of(lite, village.recording)
    await moved(lite, gone, other.area.id)
    assert await village.queue(gone) == []
    for act in (
        lite.services.approvals.get(gone, asked.id),
        lite.services.approvals.withdraw(gone, asked.id),
        lite.services.papers.put_number(gone, asked.id, "45/TB-UBND"),
        lite.services.papers.scan(gone, asked.id),
        lite.services.media.recording(sha256, gone),
    ):
        with pytest.raises(NotFoundError):
            await act
    assert (await lite.services.broadcasts.get(village.leader, sent.id)).phase is Phase.AWAITING_APPROVAL


async def test_who_only_looks_on_by_now_sees_what_they_asked_for_and_changes_nothing(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await village.say()
    (asked,) = await village.queue()
    await moved(lite, village.operator, village.area.id, Role.OBSERVER)
    assert [each.id for each in await village.queue(village.operator)] == [asked.id]
    for act in (
        lite.services.approvals.withdraw(village.operator, asked.id),
        lite.services.papers.put_number(village.operator, asked.id, "45/TB-UBND"),
    ):
        with pytest.raises(ForbiddenError):
            await act


async def test_who_asked_for_two_communes_sees_it_from_one_and_withdraws_it_only_with_both(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    east = await commune(lite, "Xã Đông", province, **ANOTHER)
    west = await commune(lite, "Xã Đoài", province, **ANOTHER)
    operator = east.operator
    await moved(lite, operator, province.id)
    await east.say(targets=(east.area.scope, west.area.scope))
    (asked,) = await east.queue(operator)
    await moved(lite, operator, west.area.id)
    assert [each.id for each in await east.queue(operator)] == [asked.id]
    with pytest.raises(ForbiddenError):
        await lite.services.approvals.withdraw(operator, asked.id)
    await moved(lite, operator, province.id)
    await lite.services.approvals.withdraw(operator, asked.id)
    assert await east.queue(operator) == []


async def test_a_paper_is_noted_by_who_asked_or_may_approve(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await village.say()
    (asked,) = await village.queue()
    put = lite.services.papers.put_number
    assert (await put(village.leader, asked.id, "45/TB-UBND")).document_number == "45/TB-UBND"
    colleague = await lite.somebody("can.bo", Role.OPERATOR, village.area)
    key = Actor(village.leader.person_id, ADDRESS, frozenset([Act.BROADCASTS_CREATE]))
    for other in (Actor(colleague.id, ADDRESS), key):
        with pytest.raises(NotFoundError):
            await put(other, asked.id, "46/TB-UBND")
