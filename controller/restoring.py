"""A copy of the rows, and the way back: a new life of the centre, in which all is silent until a person says otherwise.

Keys, media and scans stand in folders of their own and are no part of it. PostgreSQL has tools of its own for the copy;
what has to be done to the rows after they were put back is the same.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy import delete, func, select, update

from controller.areas.repository import read_tree
from controller.audit import service as audit
from controller.audit.heads import Head
from controller.audit.models import AuditEntry
from controller.broadcasts.models import Broadcast
from controller.db import Database, Transaction
from controller.errors import LoaError
from controller.files import settle
from controller.holds.models import Hold
from controller.ids import new_id
from controller.nodes.models import Node
from controller.nodes.revoking import cut_off
from controller.people.actor import Actor
from controller.people.models import ApiToken, Person, Session
from controller.plans.models import Document
from controller.renewals.void import Voided
from controller.signing.ring import Ring
from controller.updates.models import Rollout
from controller.updates.states import RolloutState
from controller.wire.signer import own_document
from edge_agent.protocol.documents import Settings
from edge_agent.protocol.topics import Word

EPOCH_STEP = 100
"""No restore goes further: an epoch is never spent by a slip, and a node takes any that is higher."""
RESTORED = "centre.restored"
"""In the audit."""
_BESIDE = ("-wal", "-shm")
KEPT = 3
KEPT_FOR = timedelta(days=30)
"""Of the rows of before stay the newest, and all that are no older: who tries one copy after the other loses nothing.
Those beyond both go: they take room, and hold names and password hashes."""
_BEFORE = ".before-"
_WHEN = "%Y%m%dT%H%M%S"
PAGES_AT_ONCE = 1_000
"""Of the copy: 4 MB, then writers get a turn."""


class BackupError(LoaError):
    """A copy cannot be made, or is none."""

    code = "backup"


def copy_rows(source: Path, target: Path) -> int:
    """Copy a SQLite database beside whoever writes to it; gives the bytes.

    Raises:
        BackupError: there is nothing to copy, or something at the target already, or the copy is damaged.
    """
    if not source.is_file():
        raise BackupError(f"{source}: no database there; give --state")
    if target.exists():
        raise BackupError(f"{target}: is there already; a backup is never overwritten")
    written = target.with_name(f".{target.name}.part")
    written.unlink(missing_ok=True)
    written.touch(mode=0o600)
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as here,
            closing(sqlite3.connect(written)) as there,
        ):
            here.backup(there, pages=PAGES_AT_ONCE)
            there.execute("PRAGMA journal_mode=DELETE")
        check_copy(written)
        settle(written, target)
    finally:
        written.unlink(missing_ok=True)
    return target.stat().st_size


def check_copy(path: Path) -> None:
    """Let a file pass that is a whole copy of a centre's rows.

    Raises:
        BackupError: it is not.
    """
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as copy:
            [(said,)] = copy.execute("PRAGMA integrity_check(1)").fetchall()
            copy.execute("SELECT version_num FROM alembic_version").fetchall()
    except (sqlite3.Error, ValueError) as error:
        raise BackupError(f"{path}: no backup of a centre ({error})") from None
    if said != "ok":
        raise BackupError(f"{path}: damaged ({said})")


@contextmanager
def staged(copy: Path, place: Path) -> Iterator[Path]:
    """Lay a checked copy beside the place of the rows, to be made ready there; gone at the end, unless it was put back.

    So what fails on the way has changed nothing.
    """
    check_copy(copy)
    new = place.with_name(f".{place.name}.restoring")
    _forget(new)
    try:
        copy_rows(copy, new)
        yield new
    finally:
        _forget(new)


def put_back(new: Path, place: Path, *, now: datetime) -> Path | None:
    """Give what was made ready the place of the rows; gives where those of before are kept, None if there were none.

    Whoever calls keeps every centre out of that folder.
    """
    _close_up(new)
    kept = None
    if place.exists():
        _close_up(place)
        kept = _keep(place, now)  # the place is never empty: a centre would begin anew there
    settle(new, place)
    return kept


def _keep(place: Path, now: datetime) -> Path:
    """Give the rows a second name, by the time; what was kept in the same second has a number behind that."""
    name = f"{place.name}{_BEFORE}{now:{_WHEN}}"
    for number in count(1):
        kept = place.with_name(name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            kept.hardlink_to(place)
            break
    return kept


def forget_older(place: Path, *needed: Path, now: datetime) -> list[Path]:
    """Remove rows of before but the ``KEPT`` newest, those of ``KEPT_FOR``, and what is ``needed``; gives those."""
    found = {each: at for each in place.parent.glob(f"{place.name}{_BEFORE}*") if (at := _kept_at(each, place))}
    newest = sorted(found, key=lambda each: found[each], reverse=True)
    older = [each for each in newest[KEPT:] if now - found[each][0] > KEPT_FOR]
    older = [each for each in older if not any(each.samefile(other) for other in needed)]
    for each in older:
        _forget(each)
    return older


def _kept_at(rows: Path, place: Path) -> tuple[datetime, int] | None:
    """Say when rows of before were replaced, and as which in that second; None for other names, as a person gives."""
    when, _, number = rows.name.removeprefix(place.name + _BEFORE).partition("-")
    try:
        return datetime.strptime(when, _WHEN).replace(tzinfo=UTC), int(number or 1)
    except ValueError:
        return None


def _close_up(rows: Path) -> None:
    """Bring all that was committed into the one file."""
    with closing(sqlite3.connect(rows)) as open_rows:
        open_rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for beside in _BESIDE:
        rows.with_name(rows.name + beside).unlink(missing_ok=True)


def _forget(rows: Path) -> None:
    for beside in ("", *_BESIDE):
        rows.with_name(rows.name + beside).unlink(missing_ok=True)


async def highest_epoch(database: Database) -> int:
    """Give the highest epoch that rows tell of."""
    async with database.reading() as session:
        return await session.scalar(select(func.max(Document.epoch))) or 1


async def last_settings(database: Database) -> tuple[bytes, datetime] | None:
    """Give the settings that were signed last, and when; None: none were."""
    signed = (Document.word == Word.SETTINGS) & Document.token.is_not(None) & Document.signed_at.is_not(None)
    query = select(Document.token, Document.signed_at).where(signed).order_by(Document.signed_at.desc()).limit(1)
    async with database.reading() as session:
        found = (await session.execute(query)).first()
    return None if found is None else (found.token, found.signed_at)


def last_settings_in(copy: Path) -> tuple[bytes, datetime] | None:
    """Give the same of a copy, which stays untouched; None also where it is no copy, which ``put_back`` says better."""
    query = "SELECT token, signed_at FROM documents WHERE word = 'settings' AND token IS NOT NULL ORDER BY signed_at"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(copy.absolute()))}?mode=ro", uri=True)) as rows:
            found = rows.execute(f"{query} DESC LIMIT 1").fetchone()
    except sqlite3.Error:
        return None
    return None if found is None else (found[0], datetime.fromisoformat(found[1]).replace(tzinfo=UTC))


def refuse_older_keys(ring: Ring, last: tuple[bytes, datetime] | None) -> None:
    """Refuse to go on with a folder of keys that is older than the rows: nodes may believe newer ones alone.

    Raises:
        BackupError: the last settings that were signed name keys that the folder does not know yet.
    """
    if last is None:
        return
    token, signed_at = last
    if ring.changed_at is not None and ring.changed_at >= signed_at:
        return  # it is the newer of the two: what it does not know any more was replaced
    told = {key.kid for key in own_document(token, Settings).trusted_keys}
    if unknown := told - {key.kid for key in ring.keys} - set(ring.revoked):
        raise BackupError(
            f"the folder of keys is older than the rows: nodes were told of {', '.join(sorted(unknown))}, which it "
            "does not know. Put back the folder of that day; if there is none, say --epoch, and adopt the nodes anew"
        )


def next_epoch(own: int, in_rows: int, wanted: int | None) -> int:
    """Give the epoch after a restore.

    Raises:
        BackupError: the one that is wanted is not above all that are known, or too far above.
    """
    known = max(own, in_rows)
    found = known + 1 if wanted is None else wanted
    if not known < found <= known + EPOCH_STEP:
        raise BackupError(f"epoch {found}: it has to be above {known}, by at most {EPOCH_STEP}")
    return found


def disabled_in(rows: Path) -> dict[str, datetime]:
    """Give whose accounts were ended by rows that are replaced: person → when. Nothing where they cannot be read."""
    query = "SELECT id, disabled_at FROM people WHERE disabled_at IS NOT NULL"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(rows.absolute()))}?mode=ro", uri=True)) as old:
            return {key: datetime.fromisoformat(at).replace(tzinfo=UTC) for key, at in old.execute(query)}
    except sqlite3.Error:
        return {}


class Anew(NamedTuple):
    """What a restore did besides."""

    holds: list[str]
    cut_off: list[str]
    """Names of nodes that were revoked since the copy was made, and are again."""
    disabled: int
    """People whose account was ended since, and is again."""
    tokens: int
    """Machines' keys that were voided: nobody knows which of them were since."""
    head: Head
    """How far the audit reaches now; entries that followed the copy are in the rows of before."""


async def begin_anew(
    database: Database,
    person_id: str,
    epoch: int,
    *,
    now: datetime,
    voided: Collection[Voided] = (),
    disabled: Mapping[str, datetime] = MappingProxyType({}),
    reached: str | None = None,
) -> Anew:
    """Have everything held, nothing old said again and everybody sign in again; what was taken away stays so.

    ``reached``: how far the audit was seen to reach before, for the record.
    The documents are signed in the new epoch when the centre starts.
    """
    async with database.transaction() as tx:
        cut = await _cut_off_again(tx, voided, now)
        ended_people = await _disable_again(tx, disabled)
        tokens = update(ApiToken).where(ApiToken.revoked_at.is_(None)).values(revoked_at=now)
        revoked = (await tx.session.scalars(tokens.returning(ApiToken.id))).all()
        scopes = (await read_tree(tx.session)).everywhere()
        holds = [Hold(id=new_id(), scope=scope, ordered_by=person_id, ordered_at=now) for scope in scopes]
        tx.session.add_all(holds)
        # What was to be said "now" was then, not now; and it may have been cancelled since the copy was made.
        old = Broadcast.urgent.is_(True) & Broadcast.cancelled_at.is_(None) & (Broadcast.latest_end_at > now)
        ended = update(Broadcast).where(old).values(cancelled_at=now, cancelled_by=person_id)
        stopped = (await tx.session.scalars(ended.returning(Broadcast.id))).all()
        await tx.session.execute(delete(Session))
        await tx.session.execute(update(Document).values(dirty_since=now))
        paused = update(Rollout).where(Rollout.state == RolloutState.RUNNING).values(state=RolloutState.PAUSED)
        await tx.session.execute(paused)
        await tx.session.flush()
        held = [hold.id for hold in holds]
        detail = {"epoch": epoch, "stopped": len(stopped), "holds": held, "cut_off": cut, "disabled": ended_people}
        detail |= {"tokens": len(revoked), "audit_reached": reached}
        await audit.write(tx, Actor(person_id, "loa restore"), RESTORED, "centre/rows", detail, at=now)
        last = (await tx.session.scalars(select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(1))).one()
        return Anew(held, cut, ended_people, len(revoked), Head(last.seq, last.hash))


async def _cut_off_again(tx: Transaction, voided: Collection[Voided], now: datetime) -> list[str]:
    """Cut off the nodes whose certificates were voided since; give their names."""
    names = []
    for node_id in sorted({each.node_id for each in voided}):
        row = await tx.session.get(Node, node_id)
        if row is not None and row.revoked_at is None:
            await cut_off(tx, row, now)
            names.append(row.name)
    return names


async def _disable_again(tx: Transaction, disabled: Mapping[str, datetime]) -> int:
    done = 0
    for person_id, at in sorted(disabled.items()):
        change = update(Person).where(Person.id == person_id, Person.disabled_at.is_(None)).values(disabled_at=at)
        done += len((await tx.session.scalars(change.returning(Person.id))).all())
    return done
