"""Bulletins: written, found, submitted, decided, offered downwards; every version stays."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from controller.approvals.errors import NotListenedError, OwnWorkError
from controller.areas.schemas import AreaOut
from controller.audit.models import AuditEntry
from controller.bulletins.repository import offers_recording
from controller.bulletins.rules import Step, advance, differences
from controller.bulletins.schemas import BulletinChange, BulletinIn, OfferIn, ReturnIn, VersionSeen, VoiceIn
from controller.bulletins.states import BulletinState
from controller.errors import ConflictError, ForbiddenError, InvalidError, LoaError, NotFoundError
from controller.people import rights
from controller.people.rights import Role
from controller.policies.schemas import PolicyIn, PolicyRules, SecondPerson
from tests.controller.factories import Centre
from tests.controller.words import approved, draft, listened, person, voice

API = "/api/v1/bulletins"
V1, V2 = VersionSeen(version=1), VersionSeen(version=2)


async def places(here: Centre) -> tuple[AreaOut, AreaOut, AreaOut]:
    """A province with two communes."""
    province = await here.area("Tỉnh Sơn La", kind="province")
    east, west = [await here.area(name, province, kind="commune") for name in ("Xã Đông", "Xã Đoài")]
    return province, east, west


async def test_a_bulletin_goes_from_draft_to_archive_over_the_api(here: Centre) -> None:
    area = await here.area()
    recording = await here.recording(area_id=area.id)
    async with here.client() as client:
        wanted: dict[str, Any] = {
            "area_id": area.id,
            "title": "  Cắt   nước ",
            "voices": [
                {"language": "vi", "text": "Ngày mai cắt nước.\n\nTừ 8 giờ.", "recording_id": recording},
                {"language": "hmn", "text": "Tag kis tsis muaj dej."},
            ],
        }
        made = (await client.post(API, json=wanted)).json()
        assert (made["state"], made["version"], made["title"]) == ("draft", 1, "Cắt nước")
        assert (made["author"], made["created_by"]) == ("Nguyễn Thị Lan", "Nguyễn Thị Lan")
        assert [each["language"] for each in made["voices"]] == ["vi", "hmn"]
        assert made["voices"][0]["text"] == "Ngày mai cắt nước.\n\nTừ 8 giờ."
        assert made["voices"][0]["media_url"].startswith("/media/")
        url = f"{API}/{made['id']}"
        assert (await client.post(f"{url}/approve", json={"version": 1})).status_code == 409
        assert (await client.post(f"{url}/submit", json={"version": 1})).json()["state"] == "submitted"
        returned = (await client.post(f"{url}/return", json={"version": 1, "reason": "Thiếu giờ kết thúc"})).json()
        assert (returned["state"], returned["returned_reason"]) == ("returned", "Thiếu giờ kết thúc")
        changed = (await client.patch(url, json={"version": 1, "title": "Cắt nước đến 11 giờ"})).json()
        assert (changed["state"], changed["version"], changed["returned_reason"]) == ("draft", 2, None)
        await client.post(f"{url}/submit", json={"version": 2})
        assert (await client.post(f"{url}/approve", json={"version": 1})).json()["error"]["fields"] == {
            "problem": "changed",
            "version": 2,
        }
        yes = (await client.post(f"{url}/approve", json={"version": 2})).json()
        assert (yes["state"], yes["decided_by"]) == ("approved", "Nguyễn Thị Lan")
        assert [each["title"] for each in (await client.get(f"{url}/versions")).json()] == [
            "Cắt nước",
            "Cắt nước đến 11 giờ",
        ]
        found = (await client.get(f"{url}/differences", params={"before": 1, "after": 2})).json()
        assert found == [{"field": "title", "before": "Cắt nước", "after": "Cắt nước đến 11 giờ"}]
        assert (await client.get(f"{url}/differences", params={"before": 1, "after": 9})).status_code == 404
        assert (await client.post(f"{url}/archive")).json()["state"] == "archived"
        assert (await client.post(f"{url}/archive")).status_code == 409
        assert (await client.get(API)).json() == []
        assert len((await client.get(API, params={"state": "archived"})).json()) == 1
        assert (await client.patch(url, json={"version": 2, "title": "Thôi"})).status_code == 409


async def test_any_edit_of_what_was_approved_makes_it_a_draft_and_ends_its_offer(lite: Centre) -> None:
    province, commune, _ = await places(lite)
    made = await approved(lite, province)
    await lite.services.bulletins.offer(lite.actor, made.id, OfferIn(version=1))
    reader = await person(lite, "Hoa", Role.OPERATOR, commune)
    assert (await lite.services.bulletins.get(reader, made.id)).from_above
    voices = [await voice(lite, province)]
    edited = await lite.services.bulletins.change(lite.actor, made.id, BulletinChange(version=1, voices=voices))
    assert (edited.state, edited.decided_by, edited.offered_at) == ("draft", None, None)
    with pytest.raises(NotFoundError):
        await lite.services.bulletins.get(reader, made.id)


async def test_a_change_that_changes_nothing_keeps_the_version_and_the_yes(lite: Centre) -> None:
    made = await approved(lite, await lite.area(), category="news", source="VOV")
    same = [VoiceIn(language=each.language, recording_id=each.recording_id) for each in made.voices]
    wanted = BulletinChange(version=1, title=" Cắt nước", category="news", voices=same)
    kept = await lite.services.bulletins.change(lite.actor, made.id, wanted)
    assert (kept.version, kept.state) == (1, "approved")
    assert len(await lite.services.bulletins.versions(lite.actor, made.id)) == 1


async def test_two_versions_that_say_the_same_have_the_same_hash(lite: Centre) -> None:
    area = await lite.area()
    made = await draft(lite, area)
    other = await lite.services.bulletins.change(lite.actor, made.id, BulletinChange(version=1, title="Mất nước"))
    back = await lite.services.bulletins.change(lite.actor, made.id, BulletinChange(version=2, title="Cắt nước"))
    assert back.content_sha256 == made.content_sha256 != other.content_sha256
    assert back.version == 3


async def test_who_may_write_who_may_approve_and_who_may_offer(lite: Centre) -> None:
    province, commune, sibling = await places(lite)
    operator = await person(lite, "Hoa", Role.OPERATOR, commune)
    leader = await person(lite, "Hùng", Role.APPROVER, commune)
    stranger = await person(lite, "Mai", Role.APPROVER, sibling)
    above = await person(lite, "Minh", Role.APPROVER, province)
    observer = await person(lite, "Sơn", Role.OBSERVER, commune)
    bulletins = lite.services.bulletins
    made = await draft(lite, commune)
    refused: dict[type[LoaError], list[Any]] = {
        ForbiddenError: [
            bulletins.approve(operator, made.id, V1),
            bulletins.offer(operator, made.id, OfferIn(version=1)),
            bulletins.submit(observer, made.id, V1),
        ],
        NotFoundError: [
            bulletins.get(stranger, made.id),
            bulletins.approve(stranger, made.id, V1),
            bulletins.change(stranger, made.id, BulletinChange(version=1, title="x")),
            bulletins.versions(stranger, made.id),
            bulletins.differences(stranger, made.id, 1, 1),
        ],
    }
    for kind, calls in refused.items():
        for call in calls:
            with pytest.raises(kind):
                await call
    assert await bulletins.list(stranger) == []
    assert [each.id for each in await bulletins.list(observer)] == [made.id]
    await bulletins.submit(operator, made.id, V1)
    await listened(lite, leader, made)
    assert (await bulletins.approve(leader, made.id, V1)).decided_by == "Hùng"
    assert (await bulletins.return_(above, made.id, ReturnIn(version=1, reason="Sai ngày"))).state == "returned"


async def test_an_offer_is_read_below_while_it_stands_and_nowhere_else(lite: Centre) -> None:
    province, commune, sibling = await places(lite)
    bulletins, clock = lite.services.bulletins, lite.clock
    made = await approved(lite, province, "Bão số 3", level="priority")
    inner = await approved(lite, province, "Nội bộ")
    of_sibling = await approved(lite, sibling, "Của xã Đoài")
    reader = await person(lite, "Hoa", Role.OPERATOR, commune)
    assert await bulletins.list(reader) == []
    until_at = clock() + timedelta(days=2)
    await bulletins.offer(lite.actor, made.id, OfferIn(version=1, until_at=until_at))
    await bulletins.offer(lite.actor, of_sibling.id, OfferIn(version=1))
    [found] = await bulletins.list(reader, on_offer=True)
    assert (found.id, found.level, found.from_above, found.area_name) == (made.id, "priority", True, "Tỉnh Sơn La")
    assert (found.created_by, found.decided_by) == ("", None)  # names of the province stay there
    recording_id = found.voices[0].recording_id or ""
    async with lite.database.reading() as session:
        seen = await rights.sight(session, reader)
        assert await offers_recording(session, seen, recording_id, clock())
        assert not await offers_recording(session, seen, inner.voices[0].recording_id or "", clock())
        assert not await offers_recording(session, seen, recording_id, until_at)
    for call in (
        bulletins.versions(reader, made.id),
        bulletins.get(reader, inner.id),
        bulletins.get(reader, of_sibling.id),
    ):
        with pytest.raises(NotFoundError):
            await call
    with pytest.raises(ForbiddenError):
        await bulletins.archive(reader, made.id)
    clock.step(days=2)
    assert await bulletins.list(reader) == []
    with pytest.raises(InvalidError):
        await bulletins.offer(lite.actor, made.id, OfferIn(version=1, until_at=until_at))
    await bulletins.offer(lite.actor, made.id, OfferIn(version=1))
    assert len(await bulletins.list(reader)) == 1
    await bulletins.end_offer(lite.actor, made.id)
    assert await bulletins.list(reader) == []
    with pytest.raises(ConflictError):
        await bulletins.end_offer(lite.actor, made.id)


async def test_only_what_is_approved_can_be_offered(lite: Centre) -> None:
    made = await draft(lite, await lite.area())
    with pytest.raises(ConflictError):
        await lite.services.bulletins.offer(lite.actor, made.id, OfferIn(version=1))


@pytest.mark.parametrize(
    ("given", "field", "problem"),
    [
        ({"title": " "}, "title", "empty"),
        ({"title": "Tin\u202e"}, "title", "control_characters"),
        ({"category": "Tin tức"}, "category", "string_pattern_mismatch"),
        ({"level": "emergency"}, "level", "literal_error"),
        ({"voices": []}, "voices", "too_short"),
        ({"voices": [{"language": "vi", "text": " \n "}]}, "voices", "empty"),
        ({"voices": [{"language": "vi", "text": "a"}, {"language": "vi", "text": "b"}]}, "voices", "taken"),
        ({"voices": [{"language": "vi", "recording_id": "0" * 32}]}, "recordings", "unknown"),
        ({"voices": [{"language": "vi", "text": "a\x07"}]}, "text", "control_characters"),
        ({"area_id": "0" * 32}, "area_id", "unknown"),
        ({"document_number": "4" * 81}, "document_number", "too_long"),
    ],
)
async def test_what_is_wrong_is_refused_at_its_field(
    lite: Centre, given: dict[str, Any], field: str, problem: str
) -> None:
    area = await lite.area()
    wanted = {"area_id": area.id, "title": "Tin", "voices": [{"language": "vi", "text": "Lời"}], **given}
    async with lite.client() as client:
        answer = await client.post(API, json=wanted)
        assert answer.status_code == 422
        assert (answer.json()["error"]["fields"]["field"], answer.json()["error"]["fields"]["problem"]) == (
            field,
            problem,
        )
        assert (await client.get(API)).json() == []


async def test_recordings_of_another_commune_cannot_be_used(lite: Centre) -> None:
    _, commune, sibling = await places(lite)
    operator = await person(lite, "Hoa", Role.OPERATOR, commune)
    foreign = await voice(lite, sibling)
    made = await draft(lite, commune)
    with pytest.raises(InvalidError, match="no such recording"):
        await lite.services.bulletins.change(operator, made.id, BulletinChange(version=1, voices=[foreign]))


async def test_withdrawn_and_rejected_recordings_cannot_be_used(lite: Centre) -> None:
    area = await lite.area()
    for state in ({"withdrawn_at": lite.clock()}, {"state": "rejected", "sha256": None}):
        recording_id = await lite.recording(area_id=area.id, **state)
        with pytest.raises(InvalidError):
            await draft(lite, area, "Tin", VoiceIn(language="vi", recording_id=recording_id))


async def test_words_are_found_with_and_without_accents(here: Centre) -> None:
    area = await here.area()
    flood = await draft(here, area, "Cảnh báo lũ quét ở Đà Bắc", category="warning", document_number="45/TB-UBND")
    text = VoiceIn(language="vi", text="Lịch tiêm phòng 100% trẻ em")
    shots = await draft(here, area, "Y tế", text, source="Trạm y tế")
    expected = {
        "lũ": [flood.id],
        "LU QUET": [flood.id],
        "đà bắc": [flood.id],
        "da bac": [flood.id],
        "lu\u0303": [flood.id],  # the same letter, typed as two
        "lủ": [],
        "45/tb": [flood.id],
        "tiem phong": [shots.id],
        "y te lich": [shots.id],
        "100%": [shots.id],
        "1%0": [],  # not a pattern
        "_": [],
        "bao lich": [],
        "": [shots.id, flood.id],
    }
    for query, ids in expected.items():
        found = await here.services.bulletins.list(here.actor, query=query)
        assert {each.id for each in found} == set(ids), query
    assert [each.id for each in await here.services.bulletins.list(here.actor, category="warning")] == [flood.id]
    async with here.client() as client:
        assert [each["id"] for each in (await client.get(API, params={"q": "lu quet"})).json()] == [flood.id]


async def test_a_search_sees_what_it_says_now_not_what_it_said(lite: Centre) -> None:
    made = await draft(lite, await lite.area(), "Cắt nước")
    await lite.services.bulletins.change(lite.actor, made.id, BulletinChange(version=1, title="Cắt điện"))
    assert await lite.services.bulletins.list(lite.actor, query="nước") == []
    assert len(await lite.services.bulletins.list(lite.actor, query="điện")) == 1


async def test_the_list_goes_back_page_by_page(lite: Centre) -> None:
    area = await lite.area()
    ids = []
    for number in range(5):
        ids.append((await draft(lite, area, f"Tin {number}")).id)
        lite.clock.step(seconds=number % 2)
    pages, before = [], None
    while page := await lite.services.bulletins.list(lite.actor, limit=2, before=before):
        pages += [each.id for each in page]
        before = page[-1].id
    assert sorted(pages) == sorted(ids)
    with pytest.raises(NotFoundError):
        await lite.services.bulletins.list(lite.actor, before="none")


async def test_every_step_is_in_the_audit_of_its_area(lite: Centre) -> None:
    area = await lite.area()
    made = await approved(lite, area)
    async with lite.database.reading() as session:
        entries = (await session.scalars(select(AuditEntry).where(AuditEntry.subject == f"bulletins/{made.id}"))).all()
    assert [(each.action, each.detail["state"], each.area_id) for each in entries] == [
        ("bulletins.write", "draft", area.id),
        ("bulletins.write", "submitted", area.id),
        ("approvals.give", "approved", area.id),
    ]


def test_the_states_have_no_way_round_a_yes() -> None:
    """Only a submitted bulletin becomes approved, and an edit always leads back to a draft."""
    ways = {}
    for state in BulletinState:
        for step in Step:
            try:
                ways[state, step] = advance(state, step)
            except ConflictError:
                continue
    assert [key for key, after in ways.items() if after is BulletinState.APPROVED] == [
        (BulletinState.SUBMITTED, Step.APPROVE)
    ]
    assert {after for (_, step), after in ways.items() if step is Step.EDIT} == {BulletinState.DRAFT}
    assert not [key for key in ways if key[0] is BulletinState.ARCHIVED]


def test_differences_name_only_what_changed() -> None:
    before, after = {"title": "a", "x": 1, "voices.vi.text": "b"}, {"title": "a", "x": 2, "voices.hmn.text": "c"}
    assert [(each.field, each.before, each.after) for each in differences(before, after)] == [
        ("x", 1, 2),
        ("voices.vi.text", "b", None),
        ("voices.hmn.text", None, "c"),
    ]


async def test_where_the_policy_asks_for_two_nobody_approves_their_own_words(lite: Centre) -> None:
    area = await lite.area()
    leader, other = [await person(lite, name, Role.APPROVER, area) for name in ("Hùng", "Bình")]
    rules = PolicyRules(second_person=(SecondPerson(category="warning"),))
    await lite.services.policies.put(lite.actor, area.id, PolicyIn(version=0, rules=rules))
    bulletins, spoken = lite.services.bulletins, [await voice(lite, area)]
    for category, refused in (("warning", True), ("notice", False)):
        wanted = BulletinIn(area_id=area.id, title="Lũ", category=category, voices=spoken)
        made = await bulletins.create(leader, wanted)
        await bulletins.submit(leader, made.id, V1)
        if refused:
            with pytest.raises(OwnWorkError):
                await bulletins.approve(leader, made.id, V1)
            await listened(lite, other, made)
        assert (await bulletins.approve(other if refused else leader, made.id, V1)).state == "approved"


async def test_whoever_edits_last_is_an_author_too(lite: Centre) -> None:
    area = await lite.area()
    leader = await person(lite, "Hùng", Role.APPROVER, area)
    rules = PolicyRules(second_person=(SecondPerson(category="*"),))
    await lite.services.policies.put(lite.actor, area.id, PolicyIn(version=0, rules=rules))
    made = await draft(lite, area)
    await lite.services.bulletins.change(leader, made.id, BulletinChange(version=1, title="Của tôi"))
    await lite.services.bulletins.submit(lite.actor, made.id, V2)
    with pytest.raises(OwnWorkError):
        await lite.services.bulletins.approve(leader, made.id, V2)


async def test_below_an_offer_is_listened_to_and_a_draft_is_not(lite: Centre) -> None:
    province, commune, _ = await places(lite)
    reader = await person(lite, "Hoa", Role.OPERATOR, commune)
    made, inner = await approved(lite, province), await approved(lite, province)
    await lite.services.bulletins.offer(lite.actor, made.id, OfferIn(version=1))
    offered, draft_ = (each.voices[0] for each in (made, inner))
    assert (await lite.services.recordings.get(reader, offered.recording_id or "")).uploaded_by == ""
    assert (await lite.services.recordings.waveform(reader, offered.recording_id or "")).length_ms == 10_000
    sha256 = (offered.media_url or "").removeprefix("/media/").removesuffix(".opus")
    assert not (await lite.services.media.recording(sha256, reader)).public
    for call in (
        lite.services.recordings.get(reader, draft_.recording_id or ""),
        lite.services.media.recording(sha256),
        lite.services.media.recording((draft_.media_url or "")[7:-5], reader),
    ):
        with pytest.raises(NotFoundError):
            await call
    assert await lite.services.recordings.list(reader) == []
    with pytest.raises(NotFoundError):
        await lite.services.recordings.withdraw(reader, offered.recording_id or "")


async def test_who_did_not_write_it_hears_it_before_approving_and_again_when_it_sounds_otherwise(here: Centre) -> None:
    area = await here.area()
    first, second = [await voice(here, area, language, length_ms=20_000) for language in ("vi", "hmn")]
    leader = await here.somebody("hung", Role.APPROVER, area)
    made = await draft(here, area, "Cắt nước", first, second)
    await here.services.bulletins.submit(here.actor, made.id, V1)
    url = f"{API}/{made.id}"
    async with here.client(who=leader) as client:

        async def left(version: int) -> list[str] | None:
            """What approving it still takes; None: it was approved."""
            answer = await client.post(f"{url}/approve", json={"version": version})
            if answer.status_code == 200:
                return None
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (409, "not_listened")
            return [each["recording_id"] for each in error["fields"]["files"]]

        async def hear(recording_id: str | None, *spans: tuple[int, int]) -> None:
            path = f"/api/v1/recordings/{recording_id}/listening"
            for told in ((), spans):
                assert (await client.post(path, json={"spans": told})).status_code == 200
                here.clock.step(seconds=20)

        assert await left(1) == [first.recording_id, second.recording_id]
        await hear(first.recording_id, (0, 20_000))
        await hear(second.recording_id, (0, 9_000), (11_000, 20_000))
        assert await left(1) == [second.recording_id]
        await hear(second.recording_id, (9_000, 11_000))
        assert await left(1) is None
        other = await voice(here, area, "hmn")
        change = BulletinChange(version=1, voices=[first, other])
        await here.services.bulletins.change(here.actor, made.id, change)
        await here.services.bulletins.submit(here.actor, made.id, V2)
        assert await left(2) == [other.recording_id]  # what was approved before is known


async def test_sound_that_nobody_could_hear_yet_is_approved_by_nobody_else(lite: Centre) -> None:
    area = await lite.area()
    leader = await person(lite, "Hùng", Role.APPROVER, area)
    recording_id = await lite.recording(area_id=area.id, state="processing", sha256=None)
    made = await draft(lite, area, "Cắt nước", VoiceIn(language="vi", recording_id=recording_id))
    await lite.services.bulletins.submit(lite.actor, made.id, V1)
    with pytest.raises(NotListenedError):
        await lite.services.bulletins.approve(leader, made.id, V1)
    only_words = await draft(lite, area, "Lời", VoiceIn(language="vi", text="Ngày mai cắt nước."))
    await lite.services.bulletins.submit(lite.actor, only_words.id, V1)
    assert (await lite.services.bulletins.approve(leader, only_words.id, V1)).state == "approved"
