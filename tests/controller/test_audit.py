"""The audit: nothing is done without an entry, nothing refused leaves one, and whatever is done to it shows."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from controller.audit.heads import HEAD_FILE, Head, HeadError, noted
from controller.audit.models import AuditEntry
from controller.audit.service import entry_hash
from controller.db import Transaction
from tests.controller.factories import Centre
from tests.controller.matrix import ROUTES
from tests.controller.test_matrix import ask
from tests.controller.two_communes import Kept, World, asking, keep

CHANGING = sorted(name for name in ROUTES if not name.startswith("GET "))
"""Every route that may change something; ``test_matrix`` sees to it that none is forgotten."""

SAYS_NOTHING = {
    "POST /api/v1/areas/{area_id}/moves/preview": "looks only",
    "POST /api/v1/areas/{area_id}/policy/preview": "looks only",
    "POST /api/v1/areas/{area_id}/what-if": "looks only",
    "POST /api/v1/broadcasts/preview": "looks only",
    "POST /api/v1/emergencies/preview": "looks only",
    "POST /api/v1/rollouts/preview": "looks only",
    "POST /api/v1/schedules/preview": "looks only",
    "POST /api/v1/calendars/what-if": "looks only",
    "POST /api/v1/calendars/{calendar_id}/end/what-if": "looks only",
    "POST /api/v1/programmes/{programme_id}/what-if": "looks only",
    "POST /api/v1/schedules/what-if": "looks only",
    "POST /api/v1/schedules/{schedule_id}/dates/{recurrence_local}/what-if": "looks only",
    "POST /api/v1/schedules/{schedule_id}/end/what-if": "looks only",
    "POST /api/v1/schedules/copies/preview": "looks only",
    "POST /api/v1/schedules/copies": "the week of the matrix has nothing to copy",
    "POST /api/v1/schedules/from-template/preview": "looks only",
    "POST /api/v1/recordings/reading": "says how a text would be read",
    "POST /api/v1/uploads": "nothing came yet; the recording that it becomes has its entry",
    "POST /api/v1/schedules/import": "the file of the matrix is empty",
    "PATCH /api/v1/people/me": "the language of one's own pages",
    "POST /api/v1/people/me/factor": "a secret that counts only once it is confirmed, which has its entry",
    "POST /api/v1/recordings/{recording_id}/listening": "what one heard; the yes that rests on it has its entry",
}
"""Acts that leave no entry, and why."""

WITH_MORE = {
    "POST /api/v1/emergencies": ["recordings.upload", "emergencies.propose"],
    "POST /api/v1/emergencies/{emergency_id}/confirm": [
        "broadcasts.create",
        "emergencies.send",
        "emergencies.confirm",
    ],
    "POST /api/v1/messages": ["recordings.upload", "messages.write"],
    "POST /api/v1/schedules/from-template": ["programmes.write", "schedules.write"],
}
"""Acts that do others on the way, each with its entry: the first of a place makes its attention signal a recording."""

NOT_DONE = frozenset(
    {
        "DELETE /api/v1/areas/{area_id}",
        "DELETE /api/v1/schedules/{schedule_id}/dates/{recurrence_local}",
        "DELETE /api/v1/uploads/{upload_id}",
        "PATCH /api/v1/uploads/{upload_id}",
        "POST /api/v1/approvals/{request_id}/approve",
        "POST /api/v1/approvals/{request_id}/withdraw",
        "POST /api/v1/areas/{area_id}/moves",
        "POST /api/v1/broadcasts/{broadcast_id}/replays",
        "POST /api/v1/broadcasts/{broadcast_id}/replays/preview",
        "POST /api/v1/bulletins/{bulletin_id}/approve",
        "POST /api/v1/bulletins/{bulletin_id}/end-offer",
        "POST /api/v1/bulletins/{bulletin_id}/offer",
        "POST /api/v1/bulletins/{bulletin_id}/submit",
        "POST /api/v1/emergencies/{emergency_id}/all-clear",
        "POST /api/v1/emergencies/{emergency_id}/false-alarm",
        "POST /api/v1/enrolments",
        "POST /api/v1/enrolments/adopt",
        "POST /api/v1/nodes/{node_id}/identify",
        "POST /api/v1/nodes/{node_id}/reference",
        "POST /api/v1/nodes/{node_id}/renewal",
        "POST /api/v1/nodes/{node_id}/restart",
        "POST /api/v1/nodes/{node_id}/self-test",
        "POST /api/v1/nodes/{node_id}/send-log",
        "POST /api/v1/people/me/factor/confirmation",
        "POST /api/v1/programmes/{programme_id}/archive",
        "POST /api/v1/recordings/{recording_id}/cuts",
        "POST /api/v1/sessions/factor",
        "POST /api/v1/updates",
    }
)
"""What is refused as the matrix asks it, also of those who may: not the hour, the state or the code for it."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return asyncio.run(keep(tmp_path_factory.mktemp("audit")))


async def entries(here: Centre) -> list[AuditEntry]:
    async with here.database.reading() as session:
        return list(await session.scalars(select(AuditEntry).order_by(AuditEntry.seq)))


async def person_of(world: World, who: str) -> str:
    async with asking(world, who) as client:
        found: str = (await client.get("/api/v1/people/me")).json()["id"]
    return found


@pytest.mark.parametrize("name", CHANGING)
async def test_every_act_leaves_its_entry_and_every_refusal_none(name: str, kept: Kept, tmp_path: Path) -> None:
    route = ROUTES[name]
    async with kept.opened(tmp_path / "world") as world:
        here = world.centre
        for who in ("sibling", "own"):
            actor, before = await person_of(world, who), len(await entries(here))
            async with asking(world, who) as client:
                answer = await ask(client, name, route, world.east)
            left = (await entries(here))[before:]
            mine = [entry for entry in left if entry.person_id == actor]
            if who == "own":
                assert (answer.status_code >= 400) == (name in NOT_DONE), (name, answer.text)
            if answer.status_code >= 400:
                assert left == [], (name, who, answer.text)
            elif name in SAYS_NOTHING:
                assert left == [], (name, SAYS_NOTHING[name])
            elif "/sessions" in name and route.kind == "open":
                assert [entry.action for entry in left] == ["people.sign_in"]
            else:
                acts = [entry.action for entry in mine]
                assert acts == WITH_MORE.get(name, acts[:1] or ["one"]), (name, acts)
                assert {entry.person_id for entry in left} <= {actor, None}  # what follows from it is the system's
                assert all(entry.origin for entry in left)
        assert (await here.services.audit.verify()).broken_at is None


Change = Callable[[Transaction], Awaitable[Any]]


def columns(of: int, /, **said: Any) -> Change:
    return lambda tx: tx.session.execute(update(AuditEntry).where(AuditEntry.seq == of).values(**said))


def values(row: AuditEntry) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in AuditEntry.__table__.columns}


async def rehashed(tx: Transaction) -> None:
    """A change by somebody who knows how an entry's hash is made."""
    row = await tx.session.get_one(AuditEntry, 3)
    row.origin = "nobody"
    row.hash = entry_hash(row)


async def put_in(tx: Transaction) -> None:
    """An act that never was, with the ones after it moved on."""
    for row in (await tx.session.scalars(select(AuditEntry).order_by(AuditEntry.seq.desc()))).all():
        if row.seq >= 3:
            await tx.session.execute(update(AuditEntry).where(AuditEntry.seq == row.seq).values(seq=row.seq + 1))
    second = await tx.session.get_one(AuditEntry, 2)
    row = AuditEntry(**values(second) | {"seq": 3, "previous_hash": second.hash})
    row.hash = entry_hash(row)
    tx.session.add(row)


async def exchanged(tx: Transaction) -> None:
    for old, new in ((3, 100), (4, 3), (100, 4)):
        await columns(old, seq=new)(tx)


async def cut_off(tx: Transaction) -> None:
    await tx.session.execute(delete(AuditEntry).where(AuditEntry.seq >= 4))


async def emptied(tx: Transaction) -> None:
    await tx.session.execute(delete(AuditEntry))


async def begun_anew(tx: Transaction) -> None:
    """Cut off, and continued with entries that fit each other."""
    await cut_off(tx)
    last = await tx.session.get_one(AuditEntry, 3)
    for seq in (4, 5, 6):
        row = AuditEntry(**values(last) | {"seq": seq, "previous_hash": last.hash})
        row.hash = entry_hash(row)
        tx.session.add(row)
        last = row


@pytest.mark.parametrize(
    ("change", "found_at"),
    [
        (columns(3, action="nodes.change"), 3),
        (columns(3, subject="areas/other"), 3),
        (columns(3, detail={}), 3),
        (columns(3, person_id=None), 3),
        (columns(3, area_id=None), 3),
        (columns(3, origin="192.0.2.99"), 3),
        (columns(3, previous_hash="0" * 64), 3),
        (columns(3, hash="0" * 64), 3),
        (columns(3, seq=9), 4),
        (rehashed, 4),
        (lambda tx: tx.session.execute(delete(AuditEntry).where(AuditEntry.seq == 3)), 4),
        (lambda tx: tx.session.execute(delete(AuditEntry).where(AuditEntry.seq == 1)), 2),
        (put_in, 4),
        (exchanged, 3),
        (cut_off, 5),
        (begun_anew, 5),
        (emptied, 5),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
async def test_whatever_is_done_to_the_audit_shows(lite: Centre, change: Change, found_at: int) -> None:
    for number in range(4):
        await lite.area(f"Thôn {number}")
    await lite.services.audit.note_head()
    assert (await lite.services.audit.verify()).broken_at is None
    async with lite.database.transaction() as tx:
        await change(tx)
    assert (await lite.services.audit.verify()).broken_at == found_at


async def test_a_head_that_was_written_down_has_to_be_there_still(lite: Centre) -> None:
    await lite.area()
    head = (await lite.services.audit.verify()).head
    assert head is not None
    assert Head.read(str(head)) == head
    await lite.area("Thôn Tây")
    assert (await lite.services.audit.verify(head)).broken_at is None
    assert (await lite.services.audit.verify(Head(head.seq, "0" * 64))).broken_at == head.seq
    assert (await lite.services.audit.verify(Head(99, head.hash))).broken_at == 99


async def test_what_was_noted_goes_on_with_the_audit_and_never_back(
    lite: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    path = lite.services.config.keys / HEAD_FILE
    await lite.area()
    for _ in range(2):
        await lite.services.audit.note_head()
    first = noted(path)
    await lite.area("Thôn Tây")
    await lite.services.audit.note_head()
    second = noted(path)
    assert first is not None
    assert second is not None
    assert second.seq == first.seq + 1
    async with lite.database.transaction() as tx:
        await tx.session.execute(delete(AuditEntry).where(AuditEntry.seq == second.seq))
    await lite.services.audit.note_head()
    assert noted(path) == second
    assert "missing or changed" in caplog.text


@pytest.mark.parametrize("text", ["", "1", "x:" + "0" * 64, "1:" + "0" * 63, "1:" + "g" * 64, "²:" + "0" * 64])
async def test_a_damaged_note_is_told_and_stays(lite: Centre, text: str, caplog: pytest.LogCaptureFixture) -> None:
    path = lite.services.config.keys / HEAD_FILE
    path.write_text(text)
    await lite.services.audit.note_head()
    assert HEAD_FILE in caplog.text
    with pytest.raises(HeadError, match=HEAD_FILE):
        await lite.services.audit.verify()
    assert path.read_text() == text
