"""Programmes: put together, timed, made from templates, and laid out for nodes or refused by name."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from controller.areas.schemas import AreaOut
from controller.broadcasts.items import item_rows
from controller.broadcasts.models import Broadcast, BroadcastItem
from controller.broadcasts.wire_form import wire_forms
from controller.bulletins.schemas import BulletinChange, OfferIn, ReturnIn, VersionSeen
from controller.errors import ConflictError, ForbiddenError, InvalidError, LoaError, NotFoundError
from controller.people.rights import Role
from controller.plans.repository import broadcasts_of
from controller.programmes.layout import LaidOut, NotAirableError
from controller.programmes.models import ItemKind
from controller.programmes.repository import lay_out
from controller.programmes.schemas import CopyIn, FillIn, ItemIn, OrderIn, ProgrammeChange, ProgrammeIn, ProgrammeOut
from controller.schedules.models import Calendar, Schedule, ScheduleException
from controller.schedules.schemas import ScheduleIn
from edge_agent.protocol import content
from tests.controller.factories import Centre
from tests.controller.schedules.village import wish
from tests.controller.test_bulletins import places
from tests.controller.words import approved, draft, person, voice

API = "/api/v1/programmes"
VI = frozenset([("vi",)])


async def sound(
    here: Centre, area: AreaOut, kind: ItemKind = ItemKind.TUNE, *, length_ms: int = 5_000, **given: Any
) -> ItemIn:
    recording_id = await here.recording("Nhạc hiệu", length_ms=length_ms, area_id=area.id)
    return ItemIn(kind=kind, recording_id=recording_id, **given)


def says(bulletin_id: str) -> ItemIn:
    return ItemIn(kind=ItemKind.BULLETIN, bulletin_id=bulletin_id)


async def programme(here: Centre, area: AreaOut, *items: ItemIn, **given: Any) -> ProgrammeOut:
    wanted = ProgrammeIn(area_id=area.id, title="Sáng 5:00", items=list(items), **given)
    return await here.services.programmes.create(here.actor, wanted)


async def laid(here: Centre, programme_id: str, languages: frozenset[tuple[str, ...]] = VI, **given: Any) -> LaidOut:
    async with here.database.reading() as session:
        return await lay_out(session, programme_id, languages, **given)


async def refusal(here: Centre, programme_id: str, **given: Any) -> tuple[str, int | None, str]:
    """Why it cannot be laid out: problem, position, title."""
    with pytest.raises(NotAirableError) as refused:
        await laid(here, programme_id, **given)
    fields = refused.value.fields
    return fields["problem"], fields.get("position"), fields.get("title", "")


async def test_a_programme_over_the_api_says_its_length_and_where_each_item_lies(here: Centre) -> None:
    area = await here.area(languages=["hmn", "vi"])
    tune = await here.recording("Nhạc hiệu", length_ms=5_000, area_id=area.id)
    spoken = [await voice(here, area, "vi", length_ms=10_000), await voice(here, area, "hmn", length_ms=12_000)]
    bulletin = await approved(here, area, "Cắt nước", *spoken)
    wanted: dict[str, Any] = {
        "area_id": area.id,
        "title": "Sáng 5:00",
        "lead_in_ms": 3_000,
        "gap_ms": 500,
        "items": [
            {"kind": "tune", "recording_id": tune, "gain_mb": -300},
            {"kind": "pause", "pause_ms": 2_000},
            {"kind": "bulletin", "bulletin_id": bulletin.id},
            {"kind": "recording", "recording_id": tune},
        ],
    }
    async with here.client() as client:
        made = await client.post(API, json=wanted)
        assert made.status_code == 201
        found = (await client.get(f"{API}/{made.json()['id']}")).json()
        assert found == made.json()
        assert [(each["offset_ms"], each["length_ms"]) for each in found["items"]] == [
            (3_000, 5_000),
            (None, 2_000),
            (10_000, 24_500),  # both languages, one after the other
            (35_000, 5_000),
        ]
        assert found["items"][2]["languages"] == ["vi", "hmn"]
        assert [each["title"] for each in found["items"]] == ["Nhạc hiệu", "", "Cắt nước", "Nhạc hiệu"]
        assert (found["session_ms"], found["why_not"], found["missing"]) == (40_000, None, [])
        assert [each["item_count"] for each in (await client.get(API)).json()] == [4]
        url = f"{API}/{found['id']}"
        order = {"version": 1, "order": [2, 1, 0, 3]}
        moved = (await client.post(f"{url}/order", json=order)).json()
        assert [each["kind"] for each in moved["items"]] == ["bulletin", "pause", "tune", "recording"]
        assert (moved["version"], moved["items"][2]["gain_mb"]) == (2, -300)
        assert moved["content_sha256"] != found["content_sha256"]
        assert (await client.post(f"{url}/order", json=order)).status_code == 409
        assert (await client.post(f"{url}/order", json={"version": 2, "order": [0, 1, 1, 3]})).status_code == 422
        kept = (await client.patch(url, json={"version": 2, "title": "Sáng", "gap_ms": 0})).json()
        assert (kept["title"], kept["gap_ms"], len(kept["items"])) == ("Sáng", 0, 4)
        cut = (await client.patch(url, json={"version": 3, "items": wanted["items"][:1]})).json()
        assert cut["session_ms"] == 8_000
        assert (await client.post(f"{url}/archive")).json()["archived_at"] is not None
        assert (await client.post(f"{url}/archive")).status_code == 409
        assert (await client.get(API)).json() == []
        assert len((await client.get(API, params={"archived": True})).json()) == 1
    assert await refusal(here, found["id"]) == ("archived", None, "")


async def test_what_is_laid_out_is_what_the_rows_of_a_broadcast_say_on_the_wire(here: Centre) -> None:
    area = await here.area()
    spoken = [await voice(here, area, "vi"), await voice(here, area, "hmn", length_ms=14_000)]
    bulletin = await approved(here, area, "Cắt nước", *spoken)
    made = await programme(here, area, await sound(here, area), says(bulletin.id), gap_ms=1_000)
    found = await laid(here, made.id, frozenset([("hmn", "vi"), ("vi",)]))
    now = here.clock()
    row = Broadcast(
        id="0123",
        title="Sáng",
        level="normal",
        urgent=False,
        start_at=now,
        latest_start_at=now,
        latest_end_at=now + timedelta(milliseconds=found.length_ms),
        length_ms=found.length_ms,
        created_by=here.person.id,
        created_at=now,
    )
    async with here.database.transaction() as tx:
        tx.session.add(row)
        await tx.session.flush()
        tx.session.add_all(item_rows("0123", found.slots))
        await tx.session.flush()
        wire = (await wire_forms(tx.session, [row]))["0123"]
    assert wire.items == found.items
    assert [item.choice for item in wire.items] == [0, 0, 1]
    assert len(found.recordings) == 3
    assert found.categories == {"notice", None}  # the tune is about nothing that anybody named
    rows = item_rows("0123", found.slots)
    assert {(each.bulletin_id, each.bulletin_version) for each in rows} == {(None, None), (bulletin.id, 1)}


async def test_a_programme_is_refused_by_the_name_of_what_may_not_be_heard(lite: Centre) -> None:
    area = await lite.area()
    bulletins = lite.services.bulletins
    tune, good = await sound(lite, area), await approved(lite, area, "Tốt")
    bad = await approved(lite, area, "Lũ quét")
    made = await programme(lite, area, tune, says(good.id), says(bad.id))
    assert len((await laid(lite, made.id)).slots) == 3
    await bulletins.return_(lite.actor, bad.id, ReturnIn(version=1, reason="Sai"))
    assert await refusal(lite, made.id) == ("not_approved", 2, "Lũ quét")
    shown = await lite.services.programmes.get(lite.actor, made.id)
    assert shown.why_not is not None
    assert (shown.why_not.problem, shown.why_not.position, shown.session_ms) == ("not_approved", 2, None)
    await bulletins.archive(lite.actor, bad.id)
    assert await refusal(lite, made.id) == ("archived", 2, "Lũ quét")
    await lite.services.programmes.change(lite.actor, made.id, ProgrammeChange(version=1, items=[tune, says(good.id)]))
    await lite.services.recordings.withdraw(lite.actor, good.voices[0].recording_id or "")
    assert await refusal(lite, made.id) == ("withdrawn", 1, "Tốt")
    with pytest.raises(NotFoundError):
        await laid(lite, "none")


async def test_words_without_a_recording_and_a_recording_not_ready_are_refused(lite: Centre) -> None:
    area = await lite.area()
    silent = await programme(lite, area, says((await draft(lite, area)).id))
    assert (await refusal(lite, silent.id))[0] == "not_approved"
    only_words = await approved(
        lite, area, "Chỉ có lời", (await voice(lite, area)).model_copy(update={"recording_id": None, "text": "Lời"})
    )
    assert await refusal(lite, (await programme(lite, area, says(only_words.id))).id) == ("no_voice", 0, "Chỉ có lời")
    waiting = await lite.recording("Đang xử lý", area_id=area.id, state="processing", sha256=None)
    made = await programme(lite, area, ItemIn(kind=ItemKind.RECORDING, recording_id=waiting))
    assert await refusal(lite, made.id) == ("not_ready", 0, "Đang xử lý")
    empty = await programme(lite, area, ItemIn(kind=ItemKind.PAUSE, pause_ms=1_000))
    assert await refusal(lite, empty.id) == ("empty", None, "")


async def test_what_an_area_above_offers_is_placed_below_while_the_offer_stands(lite: Centre) -> None:
    province, commune, sibling = await places(lite)
    bulletins, programmes = lite.services.bulletins, lite.services.programmes
    storm = await approved(lite, province, "Bão số 3", level="priority")
    with pytest.raises(InvalidError, match="no such bulletin"):
        await programme(lite, commune, says(storm.id))
    until_at = lite.clock() + timedelta(days=2)
    await bulletins.offer(lite.actor, storm.id, OfferIn(version=1, until_at=until_at))
    without = await programme(lite, commune, await sound(lite, commune))
    assert [(each.title, each.level) for each in without.owed] == [("Bão số 3", "priority")]
    made = await programme(lite, commune, await sound(lite, commune), says(storm.id))
    assert made.owed == ()
    assert len((await laid(lite, made.id, at=until_at - timedelta(hours=1))).slots) == 2
    assert await refusal(lite, made.id, at=until_at) == ("not_offered", 1, "Bão số 3")
    await bulletins.end_offer(lite.actor, storm.id)
    assert (await refusal(lite, made.id))[0] == "not_offered"
    assert (await programmes.get(lite.actor, without.id)).owed == ()
    of_sibling = await approved(lite, sibling)
    await bulletins.offer(lite.actor, of_sibling.id, OfferIn(version=1))
    with pytest.raises(InvalidError, match="no such bulletin"):
        await programme(lite, commune, says(of_sibling.id))


async def test_a_schedule_names_the_priority_bulletins_that_its_programme_lacks(lite: Centre) -> None:
    province, commune, _ = await places(lite)
    schedules = lite.services.schedules
    storm = await approved(lite, province, "Bão số 3", level="priority")
    without = await programme(lite, commune, await sound(lite, commune))
    wanted = wish(commune, without.id)
    made = await schedules.create(lite.actor, wanted)
    assert made.owed == ()
    await lite.services.bulletins.offer(lite.actor, storm.id, OfferIn(version=1))
    for found in (await schedules.get(lite.actor, made.id), await schedules.preview(lite.actor, wanted, made.id)):
        assert [each.bulletin_id for each in found.owed or ()] == [storm.id]
    items = [await sound(lite, commune), says(storm.id)]
    await lite.services.programmes.change(lite.actor, without.id, ProgrammeChange(version=1, items=items))
    assert (await schedules.get(lite.actor, made.id)).owed == ()
    assert (await schedules.preview(lite.actor, wanted, made.id)).owed == ()


async def test_a_template_of_the_province_becomes_a_programme_of_the_commune(lite: Centre) -> None:
    province, commune, _ = await places(lite)
    operator = await person(lite, "Hoa", Role.OPERATOR, commune)
    programmes = lite.services.programmes
    items = [ItemIn(kind=ItemKind.SLOT, category="weather", gain_mb=-200), ItemIn(kind=ItemKind.PAUSE, pause_ms=500)]
    items += [ItemIn(kind=ItemKind.SLOT, category="notice"), ItemIn(kind=ItemKind.SLOT, category="news")]
    template = await programme(lite, province, *items, is_template=True, lead_in_ms=2_000, gap_ms=300)
    assert (template.session_ms, template.why_not, template.owed) == (None, None, ())
    assert await refusal(lite, template.id) == ("archived", None, "")
    rain = await approved(lite, commune, "Mưa", category="weather")
    lite.clock.step(seconds=1)
    sun = await approved(lite, commune, "Nắng", category="weather")
    await draft(lite, commune, "Nháp", category="weather")
    storm = await approved(lite, province, "Bão", category="weather", level="priority")
    await lite.services.bulletins.offer(lite.actor, storm.id, OfferIn(version=1))
    assert [each.id for each in await programmes.list(operator, templates=True)] == [template.id]
    slots = await programmes.slots(operator, template.id, commune.id)
    assert [(each.position, [ref.title for ref in each.candidates]) for each in slots] == [
        (0, ["Bão", "Nắng", "Mưa"]),
        (2, []),
        (3, []),
    ]
    wanted = CopyIn(title="Sáng thứ hai", area_id=commune.id, fill=[FillIn(position=0, bulletins=[storm.id, sun.id])])
    made = await programmes.copy(operator, template.id, wanted)
    assert [(each.kind, each.bulletin_id, each.gain_mb) for each in made.items] == [
        ("bulletin", storm.id, -200),
        ("bulletin", sun.id, -200),
        ("pause", None, 0),
    ]
    assert (made.area_id, made.is_template, made.lead_in_ms, made.gap_ms) == (commune.id, False, 2_000, 300)
    assert (made.session_ms, made.owed) == (2_000 + 10_000 + 300 + 10_000 + 500, ())
    with pytest.raises(InvalidError):
        await programmes.copy(
            operator, template.id, CopyIn(title="x", area_id=commune.id, fill=[FillIn(position=1, bulletins=[rain.id])])
        )
    with pytest.raises(ForbiddenError):
        await programmes.change(operator, template.id, ProgrammeChange(version=1, title="x"))
    assert (await programmes.get(operator, template.id)).created_by == ""
    with pytest.raises(InvalidError, match="no such area"):
        await programmes.copy(operator, template.id, CopyIn(title="x"))  # would be the province's


async def test_nobody_sees_or_touches_programmes_of_another_commune(lite: Centre) -> None:
    _, commune, sibling = await places(lite)
    operator, observer = [
        await person(lite, name, role, commune) for name, role in (("Hoa", Role.OPERATOR), ("Sơn", Role.OBSERVER))
    ]
    stranger = await person(lite, "Mai", Role.OPERATOR, sibling)
    programmes, tune = lite.services.programmes, await sound(lite, commune)
    made = await programme(lite, commune, tune)
    refused: dict[type[LoaError], list[Any]] = {
        NotFoundError: [
            programmes.get(stranger, made.id),
            programmes.slots(stranger, made.id),
            programmes.slots(operator, made.id, sibling.id),
            programmes.change(stranger, made.id, ProgrammeChange(version=1, title="x")),
            programmes.copy(stranger, made.id, CopyIn(title="x", area_id=sibling.id)),
            programmes.archive(stranger, made.id),
        ],
        InvalidError: [
            programmes.create(stranger, ProgrammeIn(area_id=commune.id, title="x")),
            programmes.create(stranger, ProgrammeIn(area_id=sibling.id, title="x", items=[tune])),
        ],
        ForbiddenError: [
            programmes.reorder(observer, made.id, OrderIn(version=1, order=[0])),
            programmes.create(observer, ProgrammeIn(area_id=commune.id, title="x")),
        ],
    }
    for kind, calls in refused.items():
        for call in calls:
            with pytest.raises(kind):
                await call
    assert await programmes.list(stranger) == []
    assert [each.id for each in await programmes.list(operator)] == [made.id]


@pytest.mark.parametrize(
    "item",
    [
        {"kind": "tune"},
        {"kind": "tune", "bulletin_id": "x"},
        {"kind": "tune", "recording_id": "x", "pause_ms": 5},
        {"kind": "bulletin", "recording_id": "x"},
        {"kind": "pause", "pause_ms": 0},
        {"kind": "pause", "pause_ms": 600_001},
        {"kind": "slot", "category": "notice"},
        {"kind": "relay", "recording_id": "x"},
        {"kind": "recording", "recording_id": "x"},
        {"kind": "bulletin", "bulletin_id": "x"},
        {"kind": "pause", "pause_ms": 5, "gain_mb": 601},
    ],
)
async def test_an_item_that_makes_no_sense_is_refused(lite: Centre, item: dict[str, Any]) -> None:
    area = await lite.area()
    async with lite.client() as client:
        answer = await client.post(API, json={"area_id": area.id, "title": "Sáng", "items": [item]})
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"]["fields"]["field"].startswith("items.0")
        assert (await client.get(API)).json() == []


async def test_withdrawn_rejected_and_archived_things_cannot_be_placed(lite: Centre) -> None:
    area = await lite.area()
    gone = await lite.recording(area_id=area.id, withdrawn_at=lite.clock())
    broken = await lite.recording(area_id=area.id, state="rejected", sha256=None)
    old = await draft(lite, area)
    await lite.services.bulletins.archive(lite.actor, old.id)
    for item in (
        ItemIn(kind=ItemKind.TUNE, recording_id=gone),
        ItemIn(kind=ItemKind.TUNE, recording_id=broken),
        says(old.id),
    ):
        with pytest.raises(InvalidError):
            await programme(lite, area, item)


async def schedule(here: Centre, area: AreaOut, programme_id: str) -> str:
    """A schedule whose dates are broadcasts up to a day ahead."""
    now = here.clock()
    row = Schedule(
        id=f"s-{programme_id[:8]}",
        area_id=area.id,
        title="Sáng hằng ngày",
        programme_id=programme_id,
        scopes=[area.scope],
        level="normal",
        zone="Asia/Ho_Chi_Minh",
        starts_at_local="2026-03-10T05:00:00",
        version=1,
        created_by=here.person.id,
        created_at=now,
        changed_by=here.person.id,
        changed_at=now,
        rolled_until=now + timedelta(days=1),
    )
    async with here.database.transaction() as tx:
        tx.session.add(row)
    return row.id


async def rolled(here: Centre, schedule_id: str) -> bool:
    """Whether its dates still stand; afterwards they do."""
    async with here.database.transaction() as tx:
        row = await tx.session.get_one(Schedule, schedule_id)
        now = here.clock()
        stands, row.rolled_until = row.rolled_until is not None and row.rolled_until > now, now + timedelta(days=1)
    return stands


async def test_schedules_are_rolled_anew_when_what_they_would_air_changes_and_only_then(lite: Centre) -> None:
    area = await lite.area()
    bulletin, elsewhere = await approved(lite, area), await approved(lite, area, "Khác")
    made = await programme(lite, area, says(bulletin.id))
    schedule_id = await schedule(lite, area, made.id)
    bulletins, programmes = lite.services.bulletins, lite.services.programmes
    await bulletins.change(lite.actor, elsewhere.id, BulletinChange(version=1, title="Khác hẳn"))
    assert await rolled(lite, schedule_id)
    await bulletins.change(lite.actor, bulletin.id, BulletinChange(version=1, title="Mới"))
    assert not await rolled(lite, schedule_id)
    await programmes.change(lite.actor, made.id, ProgrammeChange(version=1, lead_in_ms=500))
    assert not await rolled(lite, schedule_id)
    with pytest.raises(ConflictError, match="Sáng hằng ngày"):
        await programmes.archive(lite.actor, made.id)
    assert await rolled(lite, schedule_id)


async def test_schedules_are_rolled_anew_when_a_recording_that_they_would_air_is_ready_or_gone(lite: Centre) -> None:
    area = await lite.area()
    tune, bulletin = await sound(lite, area), await approved(lite, area)
    made = await programme(lite, area, tune, says(bulletin.id))
    schedule_id = await schedule(lite, area, made.id)
    for recording_id in (await lite.recording(area_id=area.id), tune.recording_id, bulletin.voices[0].recording_id):
        stands = recording_id not in {tune.recording_id, bulletin.voices[0].recording_id}
        await lite.services.recordings.withdraw(lite.actor, recording_id or "")
        assert await rolled(lite, schedule_id) is stands


async def test_what_a_date_or_a_calendar_puts_in_its_place_counts_too(lite: Centre) -> None:
    province, commune, sibling = await places(lite)
    tune = await sound(lite, commune)
    daily, special = await programme(lite, commune, tune), await programme(lite, commune, tune)
    holiday = await programme(lite, province, await sound(lite, province))
    here, there = await schedule(lite, commune, daily.id), await schedule(lite, sibling, special.id)
    now, by = lite.clock(), lite.person.id
    exception = ScheduleException(
        schedule_id=here,
        recurrence_local="2026-03-12T05:00:00",
        kind="moved",
        programme_id=special.id,
        made_by=by,
        made_at=now,
    )
    calendar = Calendar(
        id="c",
        area_id=commune.id,
        title="Ngày lễ",
        days=[],
        effect="replace",
        programme_id=holiday.id,
        version=1,
        created_by=by,
        created_at=now,
    )
    async with lite.database.transaction() as tx:
        tx.session.add_all([exception, calendar])
    await lite.services.programmes.change(lite.actor, special.id, ProgrammeChange(version=1, gap_ms=5))
    assert (await rolled(lite, here), await rolled(lite, there)) == (False, False)
    await lite.services.programmes.change(lite.actor, holiday.id, ProgrammeChange(version=1, gap_ms=5))
    assert (await rolled(lite, here), await rolled(lite, there)) == (False, True)
    with pytest.raises(ConflictError, match="Ngày lễ"):
        await lite.services.programmes.archive(lite.actor, holiday.id)


async def test_an_edited_bulletin_leaves_the_plan_until_it_is_approved_again(here: Centre) -> None:
    """From words to a node's plan: both languages in their order, and nothing that lost its yes."""
    area = await here.area(languages=["vi", "hmn"])
    await here.node(area)
    spoken = [await voice(here, area, "vi"), await voice(here, area, "hmn")]
    bulletin = await approved(here, area, "Cắt nước", *spoken)
    made = await programme(here, area, await sound(here, area), says(bulletin.id), lead_in_ms=3_000)
    wanted = ScheduleIn(
        title="Chiều hằng ngày",
        programme_id=made.id,
        targets=(area.scope,),
        starts_at_local=datetime(2026, 3, 9, 17, 0),  # noqa: DTZ001  wall time is naive: the zone is the schedule's
        rule="FREQ=DAILY",
        confirm_unusual=True,
    )
    await here.services.schedules.create(here.actor, wanted)
    first = (await planned(here, area))[0]
    assert first.start_at == datetime(2026, 3, 9, 10, 0, 3, tzinfo=UTC)  # the silence before shifts the start
    heard = [item.voice_for(("vi", "hmn")) for item in first.items]
    assert [each.language for each in heard if each is not None] == ["vi", "vi", "hmn"]
    edited = BulletinChange(version=1, title="Cắt nước đến trưa")
    await here.services.bulletins.change(here.actor, bulletin.id, edited)
    await here.services.schedules.roll_due()
    assert await planned(here, area) == []
    await here.services.bulletins.submit(here.actor, bulletin.id, VersionSeen(version=2))
    await here.services.bulletins.approve(here.actor, bulletin.id, VersionSeen(version=2))
    await here.services.schedules.roll_due()
    assert await planned(here, area) == []  # what was agreed to was aired no more: somebody is asked again
    [asked] = await here.services.approvals.list(here.actor)
    await here.services.approvals.approve(here.actor, asked.id)
    again = (await planned(here, area))[0]
    assert (again.start_at, again.items) == (first.start_at, first.items)
    assert again.broadcast_id != first.broadcast_id
    async with here.database.reading() as session:
        rows = await session.scalars(
            select(BroadcastItem.bulletin_version).where(BroadcastItem.broadcast_id == again.broadcast_id)
        )
        assert set(rows) == {None, 2}


async def planned(here: Centre, area: AreaOut) -> list[content.Broadcast]:
    """What the area's plan lists now."""
    async with here.database.reading() as session:
        return list(await broadcasts_of(session, area.scope, urgent=False, now=here.clock()))


async def test_the_provinces_tune_comes_with_its_template_and_is_heard_below(lite: Centre) -> None:
    province, commune, _ = await places(lite)
    operator = await person(lite, "Hoa", Role.OPERATOR, commune)
    programmes, tune, inner = lite.services.programmes, await sound(lite, province), await sound(lite, province)
    template = await programme(lite, province, tune, is_template=True)
    made = await programmes.copy(operator, template.id, CopyIn(title="Sáng", area_id=commune.id))
    assert made.session_ms == 5_000
    kept = await programmes.change(operator, made.id, ProgrammeChange(version=1, items=[tune, tune]))
    assert kept.session_ms == 10_000
    with pytest.raises(InvalidError, match="no such recording"):
        await programmes.change(operator, made.id, ProgrammeChange(version=2, items=[inner]))
    assert (await lite.services.recordings.get(operator, tune.recording_id or "")).length_ms == 5_000
    with pytest.raises(NotFoundError):
        await lite.services.recordings.get(operator, inner.recording_id or "")
