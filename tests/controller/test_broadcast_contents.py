"""What a broadcast says: bulletins and programmes are laid out for the languages of its places, or refused by name."""

from typing import Any

import pytest
from sqlalchemy import select

from controller.areas.schemas import AreaOut
from controller.broadcasts.models import Broadcast, BroadcastItem
from controller.broadcasts.schemas import BroadcastIn
from controller.broadcasts.wire_form import wire_forms
from controller.bulletins.schemas import BulletinChange, OfferIn
from controller.people.rights import Role
from controller.policies.schemas import PolicyIn, PolicyRules, SecondPerson
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn
from tests.controller.factories import Centre
from tests.controller.test_bulletins import places
from tests.controller.test_programmes import programme, says, sound
from tests.controller.words import approved, draft, person, voice

API = "/api/v1/broadcasts"


def wish(area: AreaOut, **said: Any) -> dict[str, Any]:
    return {"title": "Nói ngay", "targets": [area.scope], **said}


async def rows_of(here: Centre, broadcast_id: str) -> list[BroadcastItem]:
    query = select(BroadcastItem).where(BroadcastItem.broadcast_id == broadcast_id)
    async with here.database.reading() as session:
        return list(await session.scalars(query.order_by(BroadcastItem.position, BroadcastItem.voice)))


async def test_a_bulletin_is_said_now_in_the_languages_of_the_place(here: Centre) -> None:
    area = await here.area(languages=["hmn", "vi"])
    await here.node(area)
    spoken = [await voice(here, area, language, length_ms=ms) for language, ms in (("vi", 9_000), ("hmn", 12_000))]
    bulletin = await approved(here, area, "Cắt nước", *spoken, category="warning")
    async with here.client() as client:
        preview = (await client.post(f"{API}/preview", json=wish(area, bulletins=[bulletin.id]))).json()
        assert (preview["length_ms"], preview["played_count"]) == (24_000, 1)  # two turns, each as long as its longest
        sent = await client.post(API, json=wish(area, bulletins=[bulletin.id]))
        assert (sent.status_code, sent.json()["length_ms"]) == (201, 24_000)
    rows = await rows_of(here, sent.json()["id"])
    assert [(row.position, row.choice, row.language) for row in rows] == [
        (0, 0, "vi"),
        (0, 0, "hmn"),
        (1, 1, "vi"),
        (1, 1, "hmn"),
    ]
    assert {(row.bulletin_id, row.bulletin_version) for row in rows} == {(bulletin.id, 1)}
    async with here.database.reading() as session:
        broadcast = await session.get_one(Broadcast, sent.json()["id"])
        [wire] = (await wire_forms(session, [broadcast])).values()
    assert [item.choice for item in wire.items] == [0, 1]
    assert [voice.language for voice in wire.items[0].voices] == ["vi", "hmn"]


async def test_a_programme_is_said_with_its_gaps_and_begins_after_its_lead_in(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    bulletin = await approved(lite, area, "Cắt nước", await voice(lite, area, length_ms=10_000))
    tune = await sound(lite, area, length_ms=5_000)
    made = await programme(lite, area, tune, says(bulletin.id), lead_in_ms=3_000, gap_ms=500)
    async with lite.client() as client:
        start_at = lite.clock().replace(hour=9)
        wanted = wish(area, programme_id=made.id, start_at=start_at.isoformat())
        sent = (await client.post(API, json=wanted)).json()
        assert sent["start_at"] == start_at.replace(second=3).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert [each["offset_ms"] for each in sent["items"]] == [0, 5_500]
    rows = await rows_of(lite, sent["id"])
    assert [row.bulletin_id for row in rows] == [None, bulletin.id]


@pytest.mark.parametrize(
    ("said", "field", "problem"),
    [
        ({}, "recordings", "empty"),
        ({"recordings": ["r"], "bulletins": ["b"]}, "recordings", "several"),
        ({"bulletins": ["b"], "programme_id": "p"}, "recordings", "several"),
        ({"bulletins": ["0" * 32]}, "bulletins", "unknown"),
        ({"programme_id": "0" * 32}, "programme_id", "unknown"),
        ({"bulletins": ["b"] * 51}, "bulletins", "too_long"),
    ],
)
async def test_what_is_not_one_thing_that_is_there_is_refused(
    lite: Centre, said: dict[str, Any], field: str, problem: str
) -> None:
    area = await lite.area()
    await lite.node(area)
    async with lite.client() as client:
        for path in (API, f"{API}/preview"):
            answer = await client.post(path, json=wish(area, **said))
            fields = answer.json()["error"]["fields"]
            assert (answer.status_code, fields["field"], fields["problem"]) == (422, field, problem)


async def test_only_what_is_approved_and_spoken_is_said_and_the_refusal_names_it(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    unapproved = await draft(lite, area, "Còn sửa", await voice(lite, area))
    edited = await approved(lite, area, "Đã sửa", await voice(lite, area))
    change = BulletinChange(version=1, title="Đã sửa rồi")
    await lite.services.bulletins.change(lite.actor, edited.id, change)
    open_slot = await programme(lite, area, ItemIn(kind=ItemKind.SLOT, category="news"), is_template=True)
    async with lite.client() as client:
        for said, problem, title in (
            ({"bulletins": [unapproved.id]}, "not_approved", "Còn sửa"),
            ({"bulletins": [edited.id]}, "not_approved", "Đã sửa rồi"),
            ({"programme_id": open_slot.id}, "archived", None),
        ):
            answer = await client.post(API, json=wish(area, **said))
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (422, "not_airable")
            assert (error["fields"]["problem"], error["fields"].get("title")) == (problem, title)


async def test_below_one_says_ones_own_and_what_is_on_offer_and_nothing_else(lite: Centre) -> None:
    province, commune, sibling = await places(lite)
    await lite.node(commune)
    leader = await person(lite, "Hùng", Role.APPROVER, commune)
    offered, kept = [await approved(lite, province, title) for title in ("Bão số 3", "Nội bộ")]
    theirs = await approved(lite, sibling, "Của xã Đoài")
    their_programme = await programme(lite, sibling, says(theirs.id))
    await lite.services.bulletins.offer(lite.actor, offered.id, OfferIn(version=1))
    own = await approved(lite, commune, "Của xã Đông")
    who = await lite.services.accounts.get(lite.actor, leader.person_id or "")
    async with lite.client(who=who) as client:
        for said, status in (
            ({"bulletins": [own.id, offered.id]}, 201),
            ({"bulletins": [kept.id]}, 422),
            ({"bulletins": [theirs.id]}, 422),
            ({"programme_id": their_programme.id}, 422),
        ):
            answer = await client.post(API, json=wish(commune, **said))
            assert answer.status_code == status, answer.text
            if status == 422:
                assert answer.json()["error"]["fields"]["problem"] == "unknown"


async def test_the_category_of_a_bulletin_decides_who_must_agree(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    rules = PolicyRules(second_person=(SecondPerson(category="warning"),))
    await lite.services.policies.put(lite.actor, area.id, PolicyIn(version=0, rules=rules))
    other = await person(lite, "Bình", Role.APPROVER, area)
    awaits = {}
    for category in ("warning", "notice"):
        spoken = await voice(lite, area)
        made = await approved(lite, area, "Lũ", spoken, category=category, by=other)
        wanted = BroadcastIn.checked(**wish(area, bulletins=(made.id,)))
        sent = await lite.services.broadcasts.create(lite.actor, wanted)
        async with lite.database.reading() as session:
            awaits[category] = (await session.get_one(Broadcast, sent.id)).awaits_approval
    assert awaits == {"warning": True, "notice": False}
