"""A restored backup, or a second centre, rolls no node back: the epoch rises, all is silent until released."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from controller.audit.heads import HEAD_FILE, noted
from controller.audit.models import AuditEntry
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import BroadcastIn
from controller.cli import main
from controller.clock import system_clock
from controller.db import Database
from controller.events import EventBus
from controller.life_lock import Lease, StartError, alone
from controller.nodes.models import Node
from controller.people.models import ApiToken, Person, Session
from controller.renewals.models import NodeCertificate
from controller.renewals.void import VoidBook, Voided
from controller.restoring import KEPT, RESTORED, BackupError, check_copy, forget_older, next_epoch
from controller.signing.ring import begin
from controller.wire.keys import new_key
from edge_agent.protocol.documents import BY_WORD, Hold
from edge_agent.protocol.errors import StaleError
from edge_agent.protocol.signing import TrustStore, open_document
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.topics import Word
from edge_agent.protocol.versions import Version, check_newer
from tests.controller import factories
from tests.controller.test_migrations import STEPS
from tests.controller.test_renewals import pole
from tests.controller.wire.test_dispatcher import Desk, desk, make_desk

NEWEST = max(path.name for path in STEPS.glob("0*.py"))[:4]
"""The step that the rows of the tests are of: they are made without migrations."""


async def backed_up(made: Desk, folder: Path) -> tuple[str, Path]:
    """A centre with a node whose documents are out, and a copy of its rows."""
    area = await made.centre.area()
    await made.centre.node(area)
    await made.settle()
    await stamped(made)
    copy = folder / "copy.db"
    assert main(["backup", "--state", str(folder), str(copy)]) == 0
    return f"areas/{area.id}", copy


async def test_after_a_restore_everything_is_held_in_a_new_epoch(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        scope, copy = await backed_up(made, tmp_path)
        [hold] = await made.centre.services.holds.order(made.centre.actor, [scope])
        await made.settle()
        await made.centre.services.holds.release(made.centre.actor, hold.id)
        await made.settle()
        held = {word: _version(made, scope, word) for word in ("hold", "urgent", "plan")}
        trust = TrustStore(made.keys.trusted)
        person = made.centre.person
    assert await restore(tmp_path, copy, person.login) == 0
    async with factories.centre(tmp_path, known=person) as centre:
        centre.clock.step(days=400)  # the command goes by the machine's clock
        again = make_desk(centre, tmp_path)
        assert again.signer.epoch == 2
        await again.dispatcher._begin()
        await again.settle()
        for word, version in held.items():
            token = next(token for s, w, token in reversed(again.broker.published) if (s, w) == (scope, word))
            document = open_document(token, BY_WORD[Word(word)], audience=scope, trust=trust)
            assert check_newer(document, version) > version, "nodes take it, though the copy counted less far"
        now_held = again.last(scope, "hold")
        assert isinstance(now_held, Hold)
        assert len(now_held.active) == 1, "silence, until a person releases it"


async def test_after_a_restore_nobody_is_signed_in_and_nothing_urgent_comes_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area(quiet_hours=[])
        await made.centre.node(area)
        recording = await made.centre.recording()
        wanted = BroadcastIn(title="Nước tràn", recordings=(recording,), targets=(f"areas/{area.id}",))
        said = (await made.centre.services.broadcasts.create(made.centre.actor, wanted)).id
        async with made.centre.database.transaction() as tx:
            later = update(Broadcast).values(latest_end_at=made.centre.clock() + timedelta(days=10_000))
            await tx.session.execute(later)
        await made.centre.session_of(made.centre.person)
        await stamped(made)
        copy = tmp_path / "copy.db"
        assert main(["backup", "--state", str(tmp_path), str(copy)]) == 0
        person = made.centre.person
    assert await restore(tmp_path, copy, person.login) == 0
    async with factories.centre(tmp_path, known=person) as again, again.database.reading() as session:
        assert (await session.get_one(Broadcast, said)).cancelled_at is not None
        assert (await session.scalars(select(Session))).all() == []


async def test_an_older_folder_of_keys_is_noticed_before_anything_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows know of a policy key that the folder does not: nodes may believe that one alone."""
    old = tmp_path / "old"
    async with desk(tmp_path) as made:
        await asyncio.to_thread(shutil.copytree, tmp_path / "keys", old)
        keys, person = made.keys, made.centre.person
        made.centre.clock.now = system_clock()
        keys.change(begin(keys.ring, new_key(keys._folder, KeyUse.POLICY, made.centre.clock())))
        made.centre.clock.step(minutes=1)
        _, copy = await backed_up(made, tmp_path)
        rows = (tmp_path / "loa.db").stat().st_ino
    await asyncio.to_thread((tmp_path / "keys").rename, tmp_path / "right")
    await asyncio.to_thread(old.rename, tmp_path / "keys")
    assert await restore(tmp_path, copy, person.login) == 1
    assert keys.policy.kid in capsys.readouterr().err
    assert (tmp_path / "loa.db").stat().st_ino == rows
    assert await restore(tmp_path, copy, person.login, "--epoch", "5") == 0, "somebody knows, and says so"


async def test_rows_older_than_the_keys_are_what_a_backup_is(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        made.centre.clock.now = system_clock() - timedelta(days=60)
        _, copy = await backed_up(made, tmp_path)
        keys, person = made.keys, made.centre.person
        for _ in range(2):
            keys.change(begin(keys.ring, new_key(keys._folder, KeyUse.POLICY, system_clock()), leave_behind=True))
        (tmp_path / "loa.db").unlink()
    assert await restore(tmp_path, copy, person.login) == 0


def test_a_file_that_is_no_backup_replaces_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE alembic (x)")
    for file in (junk, tmp_path / "other.db", tmp_path / "none.db"):
        with pytest.raises(BackupError):
            check_copy(file)
        assert main(["restore", "--state", str(tmp_path), str(file), "--by", "lan"]) == 1
    assert not (tmp_path / "loa.db").exists()
    assert "backup" in capsys.readouterr().err


def test_nothing_is_restored_under_a_running_centre(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with alone(tmp_path):
        assert main(["restore", "--state", str(tmp_path), "copy.db", "--by", "lan"]) == 1
    assert "another" in capsys.readouterr().err


def test_an_epoch_rises_by_a_bounded_step() -> None:
    assert next_epoch(3, 5, None) == 6
    assert next_epoch(3, 5, 105) == 105
    for wanted in (5, 1, 106, 2**53):
        with pytest.raises(BackupError, match="above 5"):
            next_epoch(3, 5, wanted)


async def test_two_centres_on_one_database_do_not_both_begin(tmp_path: Path) -> None:
    """Each with a state folder of its own, so that the lock there does not see it."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'shared.db'}"
    first, second = Database(url, EventBus()), Database(url, EventBus())
    try:
        async with Lease(first).held():
            with pytest.raises(StartError, match="another"):
                async with Lease(second).held():
                    pass
        async with Lease(second).held():
            pass
    finally:
        await first.close()
        await second.close()


async def test_a_node_takes_nothing_of_a_centre_that_lives_in_an_older_epoch(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        await made.settle()
        old = made.last(f"areas/{area.id}", "hold")
        with pytest.raises(StaleError):
            check_newer(old, None, floor_epoch=2)
        with pytest.raises(StaleError):
            check_newer(old, Version(2, 1))


async def stamped(made: Desk) -> None:
    """Say of which version the rows are: those of unit tests are made without migrations."""
    async with made.centre.database.transaction() as tx:
        await tx.session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        await tx.session.execute(text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": NEWEST})


async def restore(folder: Path, copy: Path, login: str, *more: str) -> int:
    return await asyncio.to_thread(main, ["restore", "--state", str(folder), str(copy), "--by", login, *more])


def _version(made: Desk, scope: str, word: str) -> Version:
    found = made.last(scope, word)
    return Version(found.epoch, found.version)


@pytest.mark.postgres
async def test_on_postgresql_the_lease_dies_with_its_connection(postgres_url: str) -> None:
    """Two machines, one database: the second one waits outside, and the first ends when it is let go of."""
    first, second = Database(postgres_url, EventBus()), Database(postgres_url, EventBus())
    try:
        lease = Lease(first)
        async with lease.held():
            with pytest.raises(StartError, match="another"):
                async with Lease(second).held():
                    pass
            async with second.engine.connect() as other:
                query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                await other.execute(text(query))
                await other.commit()
            with pytest.raises(StartError, match="let go"):
                await lease.check()
            async with Lease(second).held():
                pass
    finally:
        await first.close()
        await second.close()


async def test_what_was_taken_away_since_the_copy_stays_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A theft, a dismissal and a machine's key are not forgotten with the rows that told of them."""
    async with desk(tmp_path) as made:
        made.centre.clock.now = system_clock()
        stolen = await pole(made.centre)
        left = await made.centre.somebody("dung", "operator")
        await stamped(made)
        copy, person = tmp_path / "copy.db", made.centre.person
        await _token(made, person.id)
        assert main(["backup", "--state", str(tmp_path), str(copy)]) == 0
        await made.centre.services.revocations.revoke(made.centre.actor, stolen.id, "bị lấy trộm")
        async with made.centre.database.transaction() as tx:
            await tx.session.execute(update(Person).where(Person.id == left.id).values(disabled_at=made.centre.clock()))
            rows = (await tx.session.scalars(select(NodeCertificate))).all()
            voided = [Voided(row.node_id, row.serial, row.revoked_at or row.issued_at, row.expires_at) for row in rows]
        VoidBook(tmp_path / "keys").add(voided, made.centre.clock())
    assert await restore(tmp_path, copy, person.login) == 0
    said = capsys.readouterr().err
    assert "Cụm 1" in said
    assert "1 machines' keys" in said
    async with factories.centre(tmp_path, known=person) as again, again.database.reading() as session:
        node = await session.get_one(Node, stolen.id)
        assert node.revoked_at is not None
        assert node.removed_at is not None
        assert all(row.revoked_at for row in await session.scalars(select(NodeCertificate)))
        assert (await session.get_one(Person, left.id)).disabled_at is not None
        assert (await session.get_one(Person, person.id)).disabled_at is None
        assert all(row.revoked_at for row in await session.scalars(select(ApiToken)))


async def _token(made: Desk, person_id: str) -> None:
    now = made.centre.clock()
    async with made.centre.database.transaction() as tx:
        key = ApiToken(id="token-1", token_sha256="0" * 64, person_id=person_id, name="Sensor", acts=[])
        key.created_at, key.expires_at = now, now + timedelta(days=90)
        tx.session.add(key)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"lock"}


async def test_a_restore_that_fails_has_changed_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt login once left the old rows in place: nothing held, nobody disabled again."""
    async with desk(tmp_path) as made:
        _, copy = await backed_up(made, tmp_path)
        left, person = await made.centre.somebody("dung", "operator"), made.centre.person
        async with made.centre.database.transaction() as tx:
            await tx.session.execute(update(Person).where(Person.id == left.id).values(disabled_at=made.centre.clock()))
        assert main(["backup", "--state", str(tmp_path), str(tmp_path / "late.db")]) == 0
    before = names_in(tmp_path)
    rows = (tmp_path / "loa.db").stat().st_ino
    assert await restore(tmp_path, copy, "lann") == 1
    assert "lann" in capsys.readouterr().err
    assert (tmp_path / "loa.db").stat().st_ino == rows
    assert names_in(tmp_path) == before
    assert await restore(tmp_path, tmp_path / "late.db", person.login) == 0
    async with factories.centre(tmp_path, known=person) as again, again.database.reading() as session:
        assert (await session.get_one(Person, left.id)).disabled_at is not None


async def test_the_audit_goes_on_from_a_restore_and_says_how_far_it_had_reached(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        scope, copy = await backed_up(made, tmp_path)
        person = made.centre.person
        await made.centre.services.holds.order(made.centre.actor, [scope])
        await made.centre.services.audit.note_head()
        reached = noted(tmp_path / "keys" / HEAD_FILE)
    assert await restore(tmp_path, copy, person.login) == 0
    async with factories.centre(tmp_path, known=person) as again:
        verdict = await again.services.audit.verify()
        assert verdict.broken_at is None
        assert noted(tmp_path / "keys" / HEAD_FILE) == verdict.head
        async with again.database.reading() as session:
            entry = (await session.scalars(select(AuditEntry).where(AuditEntry.action == RESTORED))).one()
        assert entry.detail["audit_reached"] == str(reached)


@pytest.mark.parametrize("holds", [0, 1])
async def test_a_restored_centre_says_whether_anything_is_held(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], holds: int
) -> None:
    async with desk(tmp_path) as made:
        person = made.centre.person
        if holds:
            await made.centre.area()
        await stamped(made)
        assert main(["backup", "--state", str(tmp_path), str(tmp_path / "copy.db")]) == 0
    assert await restore(tmp_path, tmp_path / "copy.db", person.login) == 0
    out, err = capsys.readouterr()
    assert f"\t{holds} holds\n" in out
    assert ("Everything is held" in err, "nothing is held" in err) == (holds == 1, holds == 0)


def test_rows_that_are_back_are_those_of_postgresql(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "--state", str(tmp_path), "--rows-are-back", "--by", "lan"]) == 1
    assert "PostgreSQL" in capsys.readouterr().err


async def test_rows_of_before_are_kept_for_a_month_and_never_those_that_are_put_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They take room, and hold names and password hashes."""
    async with desk(tmp_path) as made:
        _, copy = await backed_up(made, tmp_path)
        person = made.centre.person
    older = [tmp_path / f"loa.db.before-2026010{day}T000000" for day in range(1, 6)]
    for each in older:
        shutil.copy(copy, each)
    (tmp_path / "loa.db.before-the-move").touch()
    assert await restore(tmp_path, older[0], person.login) == 0
    there = {name for name in names_in(tmp_path) if name.startswith("loa.db.before-")}
    kept = {each.name for each in (older[0], *older[3:])}
    newest = there - kept - {"loa.db.before-the-move"}
    assert there > kept | {"loa.db.before-the-move"}
    assert len(newest) == 1, "what was just replaced"
    assert f"older than 30 days: {older[2].name}, {older[1].name}\n" in capsys.readouterr().err


async def test_rows_that_are_replaced_twice_within_a_second_are_kept_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk(tmp_path) as made:
        _, copy = await backed_up(made, tmp_path)
        person = made.centre.person
    monkeypatch.setattr("controller.commands.restore.system_clock", lambda: factories.MORNING)
    place, first = tmp_path / "loa.db", f"loa.db.before-{factories.MORNING:%Y%m%dT%H%M%S}"
    names = (first, f"{first}-2", f"{first}-3")
    for name in names:
        rows = place.read_bytes()
        assert await restore(tmp_path, copy, person.login) == 0
        assert f"The rows of before, with names and password hashes: {tmp_path / name}\n" in capsys.readouterr().err
        assert (tmp_path / name).read_bytes() == rows
    tenth = tmp_path / f"{first}-10"
    shutil.copy(copy, tenth)
    later = factories.MORNING + timedelta(days=60)
    assert forget_older(place, now=later) == [tmp_path / first], "the last of a second is the newest of it"
    assert tenth.exists()


def test_who_tries_one_copy_after_the_other_loses_no_rows_of_before(tmp_path: Path) -> None:
    place = tmp_path / "loa.db"
    tried = [tmp_path / f"loa.db.before-20260309T0{hour}0000" for hour in range(9)]
    for each in tried:
        each.touch()
        each.with_name(f"{each.name}-wal").touch()
    assert forget_older(place, now=factories.MORNING) == []
    assert forget_older(place, now=factories.MORNING + timedelta(days=60)) == tried[-1 - KEPT :: -1]
