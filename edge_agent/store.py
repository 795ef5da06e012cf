"""SQLite that decides whether to speak: what was begun, holds, versions, receipts. Every commit reaches the disk.

Used from the event loop's thread alone, on purpose: nothing may run between a decision and its record. Audio does not
wait for it; the output has a thread of its own.

A card that takes no more writes does not silence the node: the store goes on in memory (``spare``), where it lasts as
long as the machine is on.
"""

import contextlib
import logging
import os
import secrets
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from edge_agent import failpoints
from edge_agent.errors import StoreError

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    scope TEXT NOT NULL, word TEXT NOT NULL, slot TEXT NOT NULL,
    epoch INTEGER NOT NULL, version INTEGER NOT NULL, token BLOB NOT NULL,
    PRIMARY KEY (scope, word, slot)
) WITHOUT ROWID;
CREATE TABLE bodies (sha256 TEXT PRIMARY KEY, packed BLOB NOT NULL);
CREATE TABLE holds (hold_id TEXT PRIMARY KEY, scope TEXT NOT NULL, ordered_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE releases (hold_id TEXT PRIMARY KEY, seen_s INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE stops (broadcast_id TEXT PRIMARY KEY, seen_s INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE commands (command_id TEXT PRIMARY KEY, seen_s INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE plays (broadcast_id TEXT PRIMARY KEY, latest_end_s INTEGER NOT NULL, play BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, written_s INTEGER NOT NULL, event BLOB NOT NULL);
"""


RESERVE_BYTES = 4 * 1024 * 1024
"""Kept beside the store, and freed when the disk is full: even a DELETE needs room (trust.md M16)."""


_UNWRITABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
"""Primary result codes after which a file takes nothing more: mounted read-only, or the card is failing."""


class Store:
    """One open database."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, was_reset: bool, spare: Path | None = None
    ) -> None:
        self._connection, self._depth, self._spare = connection, 0, spare
        self._said: list[tuple[str, tuple[Any, ...]]] = []
        """The statements of this transaction, for the store in memory that might have to take them over."""
        self._reserve = path.with_name(f"{path.name}.reserve")
        self.was_reset = was_reset
        """A damaged store was moved aside: what had been begun is not known any more."""
        self.unwritable: str | None = None
        """Why the card takes no more, since the store goes on in memory; None while it does not have to."""
        self.on_unwritable: Callable[[], None] = lambda: None
        self.store_id = self._name()

    @classmethod
    def open(cls, path: Path, *, spare: Path | None = None) -> Self:
        """Open or make the store; a damaged one is moved aside and begun anew.

        ``spare``: a file in memory for when the card takes no more writes. One that is there holds what happened since,
        earlier in this boot. None: the memory of this process.

        Raises:
            StoreError: the directory is not there, or the store is of a newer agent.
        """
        if spare is not None and spare.exists():
            return cls._resume(path, spare)
        try:
            return cls(_connect(path), path, was_reset=False, spare=spare)
        except sqlite3.OperationalError as error:
            if not (_is_unwritable(error) and path.exists()):
                raise StoreError(f"{path} cannot be opened: {error}") from None
            return cls._open_aside(path, spare, error)
        except sqlite3.DatabaseError as error:
            log.exception("store %s is damaged, starting anew", path)
            try:
                _move_aside(path)
            except OSError:
                return cls._open_aside(path, spare, error)
            store = cls(_connect(path), path, was_reset=True, spare=spare)
            store.put_meta("reset_reason", str(error).encode())
            return store

    @classmethod
    def _open_aside(cls, path: Path, spare: Path | None, why: sqlite3.Error) -> Self:
        """Start from what can be read of a store that cannot be written."""
        log.critical("%s cannot be written (%s): going on in memory", path, why)
        was_reset = False
        try:
            with tempfile.TemporaryDirectory() as folder:
                for each in (path, path.with_name(f"{path.name}-wal")):
                    if each.exists():
                        shutil.copyfile(each, Path(folder, each.name))
                with contextlib.closing(_connect(Path(folder, path.name))) as readable:
                    connection = _new_spare(spare, readable)
        except (OSError, sqlite3.DatabaseError):
            log.exception("nor can %s be read: nothing is known of before", path)
            was_reset, connection = True, _new_spare(spare, None)
        store = cls(connection, path, was_reset=was_reset, spare=spare)
        store.unwritable = str(why)
        return store

    @classmethod
    def _resume(cls, path: Path, spare: Path) -> Self:
        """Go on with what an agent kept in memory since the card took no more; back onto the card, if it takes it."""
        kept = sqlite3.connect(spare, isolation_level=None)
        try:
            _check_whole(kept)
            _check_schema(kept, spare)
        except (sqlite3.DatabaseError, StoreError):
            log.exception("what was kept in memory cannot be read: going on with what the card has")
            kept.close()
            spare.unlink()
            return cls.open(path, spare=spare)
        try:
            with contextlib.closing(_connect(path)) as card:
                kept.backup(card)
        except sqlite3.DatabaseError as error:
            store = cls(kept, path, was_reset=False, spare=spare)
            store.unwritable = str(error)
            return store
        kept.close()
        spare.unlink()
        return cls.open(path, spare=spare)

    @property
    def is_begun(self) -> bool:
        """Whether enrolment has begun it, or the agent after a loss: one that is not stands for one that was lost."""
        return self.meta("begun") is not None

    def begin(self) -> None:
        """From now on its absence is a loss."""
        self.put_meta("begun", b"1")

    def close(self) -> None:
        """Close it; what was committed stays."""
        self._connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, on the disk when the outermost block ends; nothing of it if an error leaves the block.

        Raises:
            StoreError: the disk is full. The reserve is freed, so that a restarted agent can work on.
        """
        if self._depth == 0:
            self._said = []
            self._execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                failpoints.reach("store.before_commit")
                self._execute("COMMIT")
                failpoints.reach("store.after_commit")
        except BaseException as error:
            if self._depth == 1:
                self._undo()
            if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                raise self._out_of_room() from error
            raise
        finally:
            self._depth -= 1

    def run(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Change something, inside the caller's transaction or in one of its own."""
        with self.writing():
            return self._execute(sql, *values)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Read all rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def meta(self, key: str) -> bytes | None:
        """Read a small thing by name."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put_meta(self, key: str, value: bytes) -> None:
        """Write a small thing by name."""
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    def keep_reserve(self) -> None:
        """Set the reserve aside, if it is not and there is plenty of room."""
        if (
            self.unwritable is None
            and not self._reserve.exists()
            and shutil.disk_usage(self._reserve.parent).free > 16 * RESERVE_BYTES
        ):
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def _execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._said.append((sql, values))
        try:
            return self._connection.execute(sql, values)
        except sqlite3.OperationalError as error:
            if self.unwritable is not None or not _is_unwritable(error):
                raise
            return self._go_aside(error)

    def _go_aside(self, why: sqlite3.OperationalError) -> sqlite3.Cursor:
        """Copy what was committed into memory, and say this transaction there again; gives what the last word gave."""
        log.critical("the store cannot be written (%s): going on in memory", why)
        self._undo()
        try:
            spare = _new_spare(self._spare, self._connection)
        except sqlite3.Error as error:  # nor can it be read: the agent starts anew, with what can be
            raise StoreError(f"the store can neither be written nor read: {error}") from why
        self._connection.close()
        self._connection, self.unwritable = spare, str(why)
        cursors = [spare.execute(sql, values) for sql, values in self._said]
        self.on_unwritable()
        return cursors[-1]

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _out_of_room(self) -> StoreError:
        self._reserve.unlink(missing_ok=True)
        return StoreError(f"the disk of {self._reserve.parent} is full: free some space; a reserve has been released")

    def _name(self) -> str:
        found = self.meta("store_id")
        if found is None:
            found = f"s{secrets.token_hex(8)}".encode()
            self.put_meta("store_id", found)
        return found.decode()


def _is_unwritable(error: sqlite3.OperationalError) -> bool:
    """Whether the disk takes nothing more, or not this file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNWRITABLE


def _new_spare(path: Path | None, source: sqlite3.Connection | None) -> sqlite3.Connection:
    """Copy a store into memory, or begin one there; a file outlives the process, and has its name only when whole."""
    unfinished = None if path is None else path.with_name(f"{path.name}.part")
    if unfinished is not None:
        unfinished.unlink(missing_ok=True)
    spare = sqlite3.connect(":memory:" if unfinished is None else unfinished, isolation_level=None)
    try:
        if source is not None:
            source.backup(spare)
        _migrate(spare, path or Path(":memory:"))
    except BaseException:
        spare.close()
        raise
    if path is None or unfinished is None:
        return spare
    spare.close()
    failpoints.reach("store.before_spare")
    unfinished.replace(path)
    failpoints.reach("store.after_spare")
    return sqlite3.connect(path, isolation_level=None)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _check_whole(connection)
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_whole(connection: sqlite3.Connection) -> None:
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(problem)


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found != SCHEMA_VERSION:
        raise StoreError(f"{path} is no store of this agent (schema {found})")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA_VERSION:
        raise StoreError(f"{path} is of a newer agent (schema {found}): install that one, or enrol again")
    if found == 0:
        failpoints.reach("store.before_schema")
        connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        failpoints.reach("store.after_schema")


def _move_aside(path: Path) -> None:
    """Keep the damaged files for whoever wants to look; their names tell when."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            failpoints.reach("store.before_moving_aside")
            part.replace(path.with_name(f"{path.name}.damaged-{stamp}{suffix}"))
            failpoints.reach("store.after_moving_aside")
