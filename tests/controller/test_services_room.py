"""A full document reaches nobody: what would not fit is refused before anything is written."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, insert, select, update

from controller import db
from controller.approvals.models import Approval
from controller.broadcasts import room
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.repository import as_sent
from controller.broadcasts.room import Listed, Room, fits
from controller.plans.build import Stamp, build_plan, build_urgent
from controller.plays.models import Play
from edge_agent.protocol import content
from edge_agent.protocol.content import content_hash, unpack_body
from edge_agent.protocol.documents import MAX_INLINE_BYTES, Stop
from edge_agent.protocol.signing import MAX_TOKEN_BYTES, SigningKey
from edge_agent.protocol.states import Level
from tests.controller.factories import MORNING, Centre
from tests.controller.test_services_areas import dirty
from tests.controller.test_services_broadcasts import asked, commune

DAY = timedelta(days=1)


def listed(start: float, until: float, size: int = 100) -> Listed:
    return Listed(MORNING + timedelta(hours=start), MORNING + timedelta(hours=until), size)


@pytest.mark.parametrize(
    ("others", "fitting"),
    [
        ([], True),
        ([listed(0, 9)], True),
        ([listed(0, 9), listed(0, 9)], False),
        ([listed(0, 2), listed(2, 9)], True),  # one ends as the other comes
        ([listed(0, 4), listed(3, 9)], False),
        ([listed(0, 1), listed(0, 1), listed(8, 9), listed(8, 9)], True),  # gone, or not there yet
        ([listed(0, 9, 801)], False),
        ([listed(0, 9, 800)], True),
        ([listed(0, 3, 700), listed(3, 9, 800)], True),
    ],
)
def test_what_counts_is_what_is_listed_at_one_moment(others: list[Listed], *, fitting: bool) -> None:
    assert fits(listed(1, 8, 200), others, Room(broadcasts=2, bytes=1000)) is fitting


async def crowd(here: Centre, scope: str, start_at: datetime, many: int, size: int = 700, **changed: Any) -> None:
    """Many broadcasts of a scope, as somebody else sent them; every second one with other sound."""
    async with here.database.transaction() as tx:
        first = {
            "urgent": False,
            "level": "normal",
            "start_at": start_at,
            "latest_start_at": start_at,
            "latest_end_at": start_at + timedelta(minutes=10),
            "length_ms": 1000,
            "created_by": here.person.id,
            "created_at": here.clock(),
            "wire_bytes": size,
            **changed,
        }
        ids = [f"{changed.get('urgent', False):d}{start_at:%d}{number:029x}" for number in range(many)]
        await tx.session.execute(insert(Broadcast), [{"id": key, "title": key, **first} for key in ids])
        await tx.session.execute(insert(BroadcastTarget), [{"broadcast_id": key, "scope": scope} for key in ids])


async def nothing_written(here: Centre, before: int) -> bool:
    async with here.database.reading() as session:
        broadcasts = await session.scalar(select(func.count()).select_from(Broadcast))
        rest = [await session.scalar(select(func.count()).select_from(table)) for table in (Play, Approval)]
    return broadcasts == before and rest == [0, 0] and await dirty(here) == set()


async def test_a_broadcast_for_which_the_plan_has_no_room_is_refused_and_the_preview_says_so(here: Centre) -> None:
    place = await commune(here)
    await dirty(here)
    most, at = room.PLAN_ROOM.broadcasts, here.clock() + DAY
    await crowd(here, place["west"].scope, at, most)
    late = {"targets": [place["east"].scope, place["west"].scope], "start_at": at + timedelta(hours=1)}
    wanted = asked(place, **late)
    preview = await here.services.broadcasts.preview(here.actor, wanted)
    assert (preview.refusal, preview.refusal_fields) == ("plan_full", {"place": "Xóm Tây", "most": most})
    async with here.client() as client:
        answer = await client.post("/api/v1/broadcasts", json=wanted.model_dump(mode="json"))
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "plan_full"
    assert "Xóm Tây" in answer.json()["error"]["message"]
    assert await nothing_written(here, most)
    # There is room in another plan, on a day that is never listed with these, and once one of them is cancelled.
    for sent in (
        asked(place, targets=[place["east"].scope], start_at=at),
        asked(place, targets=[place["west"].scope], start_at=at + 8 * DAY),
    ):
        await here.services.broadcasts.create(here.actor, sent)
    async with here.database.transaction() as tx:
        await tx.session.execute(
            update(Broadcast).where(Broadcast.title.like("%0")).values(cancelled_at=here.clock(), cancelled_by=None)
        )
    await here.services.broadcasts.create(here.actor, wanted)


async def test_a_plan_is_full_by_its_size_too(lite: Centre) -> None:
    place = await commune(lite)
    at = lite.clock() + DAY
    await crowd(lite, place["area"].scope, at, 24, size=room.PLAN_ROOM.bytes // 24)
    wanted = asked(place, start_at=at, confirm_conflicts=True)
    with pytest.raises(room.PlanFullError):
        await lite.services.broadcasts.create(lite.actor, wanted)
    elsewhere = asked(place, targets=[place["first"].scope], start_at=at, confirm_conflicts=True)
    await lite.services.broadcasts.create(lite.actor, elsewhere)


async def test_only_so_much_can_be_said_at_once(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "URGENT_ROOM", Room(broadcasts=3, bytes=10_000))
    place = await commune(lite)
    for _ in range(3):
        await lite.services.broadcasts.create(lite.actor, asked(place))
    with pytest.raises(room.UrgentFullError) as refused:
        await lite.services.broadcasts.create(lite.actor, asked(place))
    assert refused.value.fields == {"place": "Xã Nga My", "most": 3}
    await lite.services.broadcasts.create(lite.actor, asked(place, targets=[place["first"].scope]))


async def test_every_one_of_thousands_of_targets_is_looked_at(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "URGENT_ROOM", Room(broadcasts=1, bytes=500_000))
    monkeypatch.setattr(db, "IN_LIST", 2)
    area = await lite.area("Xã Nga My", kind="commune")
    nodes = [await lite.node(area, f"Cụm {number}") for number in range(5)]
    recording = await lite.recording()
    every = sorted(node.scope for node in nodes)
    await lite.services.broadcasts.create(lite.actor, asked({"recording": recording}, targets=every[-1:]))
    with pytest.raises(room.UrgentFullError):
        await lite.services.broadcasts.create(lite.actor, asked({"recording": recording}, targets=every))


async def test_the_size_that_is_reckoned_with_is_not_below_the_size_on_the_wire(lite: Centre) -> None:
    place = await commune(lite)
    recordings = [await lite.recording(language="hmn") for _ in range(7)]
    scopes = [place["first"].scope, place["second"].scope]
    for wanted in (asked(place), asked(place, recordings=recordings, targets=scopes, level="priority")):
        sent = await lite.services.broadcasts.create(lite.actor, wanted)
        async with lite.database.reading() as session:
            wire = (await as_sent(session, [sent.id]))[sent.id]
            reckoned = (await session.get_one(Broadcast, sent.id)).wire_bytes
        assert 0 <= reckoned - len(msgspec.json.encode(wire)) - 1 <= room.IDS_BYTES


def largest(approved: int, many: int, each: Room) -> list[content.Broadcast]:
    """As many broadcasts as a document takes by our reckoning, as large as they then may be."""
    scopes = tuple(f"areas/{number:032x}" for number in range(approved))
    voice = content.Voice(language="vi", sha256="a" * 64, bytes=MAX_INLINE_BYTES, length_ms=9)
    items = (content.Item(offset_ms=0, voices=(voice,)),)
    at = MORNING + timedelta(hours=1)
    made = [
        content.Broadcast(
            broadcast_id=f"{number:032x}",
            level=Level.NORMAL,
            start_at=at,
            latest_start_at=at,
            latest_end_at=at + timedelta(minutes=5),
            approvals=(
                content.Approval(
                    approval_id=f"{number:032x}",
                    content_sha256=content_hash(items),
                    scopes=scopes,
                    not_before_at=at,
                    not_after_at=at + timedelta(minutes=5),
                ),
            ),
            items=items,
        )
        for number in range(many)
    ]
    assert len(made) <= each.broadcasts
    return made


def test_a_plan_that_is_just_not_full_can_be_read_by_nodes() -> None:
    size = len(msgspec.json.encode(largest(1, 1, room.PLAN_ROOM)[0])) + 1
    many = min(room.PLAN_ROOM.broadcasts, room.PLAN_ROOM.bytes // size)
    plan, body = build_plan(
        Stamp("areas/a", 1, 1, MORNING),
        largest(1, many, room.PLAN_ROOM),
        covers_until=MORNING + 7 * DAY,
        lease_until=MORNING + 7 * DAY,
    )
    assert len(unpack_body(body.packed, sha256=plan.body_sha256, scope="areas/a").broadcasts) == many


def test_an_urgent_that_is_just_not_full_can_be_signed_with_all_that_rides_along() -> None:
    one = len(msgspec.json.encode(largest(300, 1, room.URGENT_ROOM)[0])) + 1
    waiting = largest(300, min(room.URGENT_ROOM.broadcasts, room.URGENT_ROOM.bytes // one), room.URGENT_ROOM)
    end = MORNING + timedelta(hours=2)
    stops = [(Stop(broadcast_id=f"{number:032x}", stopped_at=MORNING), end) for number in range(256)]
    emergency = largest(300, room.EMERGENCY_ROOM.bytes // one, room.EMERGENCY_ROOM)  # beside them, with room of its own
    both = [*waiting, *emergency]
    urgent = build_urgent(Stamp("areas/a", 1, 1, MORNING), both, stops, {"a" * 64: bytes(MAX_INLINE_BYTES)})
    assert (len(urgent.broadcasts), len(urgent.stops), len(urgent.inline)) == (len(both), 256, 1)
    assert len(SigningKey(Ed25519PrivateKey.generate()).sign(urgent)) <= MAX_TOKEN_BYTES
