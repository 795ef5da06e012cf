"""What is committed is on the disk; what is damaged is put aside; nothing is half done. With real kills."""

import contextlib
import errno
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from edge_agent.errors import StoreError
from edge_agent.store import RESERVE_BYTES, SCHEMA_VERSION, Store

_WRITER = """
from pathlib import Path
from edge_agent.store import Store
store = Store.open(Path({path!r}))
print("open", flush=True)
number = 0
while True:
    number += 1
    with store.writing():
        store.put_meta("a", str(number).encode())
        store.run("INSERT OR REPLACE INTO commands VALUES (?, ?)", f"c-{{number}}", number)
        store.put_meta("b", str(number).encode())
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_leaves_whole_transactions_and_all_that_were_told(tmp_path: Path) -> None:
    path, told = tmp_path / "agent.db", 0
    for length in (1, 7, 40, 160):
        script = _WRITER.format(path=str(path))
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(length):
                told = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
        store = Store.open(path)
        first, last = int(store.meta("a") or 0), int(store.meta("b") or 0)
        assert not store.was_reset
        assert first == last >= told
        assert store.rows("SELECT count(*) FROM commands WHERE seen_s = ?", last) == [(1,)]
        store.close()


def test_a_power_cut_is_provided_for(tmp_path: Path) -> None:
    """Each commit waits for the disk: without this a kill loses nothing, but a power cut does."""
    store = Store.open(tmp_path / "agent.db")
    assert store.rows("PRAGMA synchronous") == [(2,)]
    assert store.rows("PRAGMA journal_mode") == [("wal",)]
    store.close()


def test_an_error_undoes_the_whole_transaction(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "agent.db")
    with contextlib.suppress(ZeroDivisionError), store.writing():
        store.put_meta("a", b"1")
        with store.writing():
            store.put_meta("b", b"2")
        raise ZeroDivisionError
    assert store.meta("a") is None
    assert store.meta("b") is None
    with store.writing():
        store.put_meta("a", b"3")
    assert store.meta("a") == b"3"
    store.close()


def test_a_store_keeps_its_name_until_it_is_lost(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        store = Store.open(tmp_path / "agent.db")
        names.append(store.store_id)
        store.begin()
        store.close()
    (tmp_path / "agent.db").unlink()
    fresh = Store.open(tmp_path / "agent.db")
    assert names[0] == names[1] != fresh.store_id
    assert not fresh.is_begun
    fresh.close()


@pytest.mark.parametrize("damage", ["rubbish", "middle", "cut"])
def test_a_damaged_store_is_put_aside_and_begun_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "agent.db"
    store = Store.open(path)
    name = store.store_id
    for number in range(300):
        store.run("INSERT INTO events VALUES (?, 1, ?)", number + 1, bytes(200))
    store.close()
    data = bytearray(path.read_bytes())
    if damage == "rubbish":
        data = bytearray(b"not a database at all" * 300)
    elif damage == "middle":
        data[4096 : len(data) // 2] = b"\xff" * (len(data) // 2 - 4096)
    else:
        del data[len(data) // 2 :]
    path.write_bytes(data)
    again = Store.open(path)
    assert again.was_reset
    assert again.store_id != name
    assert [one.read_bytes() for one in tmp_path.glob("agent.db.damaged-*") if not one.name.endswith(("wal", "shm"))]
    again.close()
    last = Store.open(path)
    assert not last.was_reset
    last.close()


def test_a_store_of_a_newer_agent_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    Store.open(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="newer agent"):
        Store.open(path)


class _Refusing:
    """A connection whose card takes nothing more from a certain word on."""

    def __init__(self, connection: sqlite3.Connection, word: str) -> None:
        self._connection, self._word = connection, word

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        if sql.startswith(self._word):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = 4874  # SQLITE_IOERR_SHMSIZE, as of a card that was mounted read-only
            raise error
        return self._connection.execute(sql, values)


@pytest.mark.parametrize("word", ["BEGIN", "INSERT OR REPLACE INTO commands", "COMMIT"])
def test_a_card_that_takes_no_more_loses_nothing_that_was_told(tmp_path: Path, word: str) -> None:
    """The transaction in which that shows is whole too, and the next ones are said in memory."""
    store, told = Store.open(tmp_path / "agent.db"), list[str | None]()
    name = store.store_id
    store.put_meta("a", b"1")
    store.on_unwritable = lambda: told.append(store.unwritable)
    store._connection = cast("sqlite3.Connection", _Refusing(store._connection, word))
    with store.writing():
        store.put_meta("a", b"2")
        store.run("INSERT OR REPLACE INTO commands VALUES (?, ?)", "c-1", 1)
        assert store.run("INSERT OR IGNORE INTO commands VALUES (?, ?)", "c-1", 1).rowcount == 0
        store.put_meta("b", b"2")
    assert [store.meta("a"), store.meta("b")] == [b"2", b"2"]
    assert told == ["disk I/O error"]
    with contextlib.suppress(ZeroDivisionError), store.writing():
        store.put_meta("a", b"3")
        raise ZeroDivisionError
    assert store.meta("a") == b"2"
    assert store.rows("SELECT * FROM commands") == [("c-1", 1)]
    assert store.store_id == name, "receipts go on where they were"
    store.close()
    card = Store.open(tmp_path / "agent.db")
    assert card.meta("a") == b"1"
    card.close()


def test_what_was_said_in_memory_outlives_the_agent_and_returns_to_a_card_that_takes_it(tmp_path: Path) -> None:
    path, spare = tmp_path / "agent.db", tmp_path / "run.db"
    store = Store.open(path, spare=spare)
    store.run("PRAGMA query_only = ON")
    store.put_meta("begun-item", b"1")
    assert store.unwritable is not None
    store.close()
    assert spare.exists()
    card = Store.open(path, spare=spare)
    assert (card.unwritable, card.meta("begun-item"), spare.exists()) == (None, b"1", False)
    card.close()
    assert Store.open(path).meta("begun-item") == b"1"


@pytest.mark.parametrize("left", [b"", b"not whole"])
def test_a_spare_that_was_never_whole_decides_nothing(tmp_path: Path, left: bytes) -> None:
    """An agent that was killed while it went into memory: what the card has counts, holds before all."""
    path, spare = tmp_path / "agent.db", tmp_path / "run.db"
    store = Store.open(path)
    store.run("INSERT INTO holds VALUES (?, ?, ?)", "hold-1", "areas/a", "2026-01-01T00:00:00Z")
    name = store.store_id
    store.close()
    spare.write_bytes(left)
    again = Store.open(path, spare=spare)
    assert again.rows("SELECT hold_id FROM holds") == [("hold-1",)]
    assert (again.store_id, again.was_reset) == (name, False)
    again.close()


class _Unreadable(_Refusing):
    """Nor can it be read."""

    def backup(self, _: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error


def test_a_card_that_can_neither_be_written_nor_read_leaves_no_empty_spare(tmp_path: Path) -> None:
    path, spare = tmp_path / "agent.db", tmp_path / "run.db"
    store = Store.open(path, spare=spare)
    store.put_meta("a", b"1")
    store._connection = cast("sqlite3.Connection", _Unreadable(store._connection, "INSERT"))
    with pytest.raises(StoreError, match="neither"):
        store.put_meta("a", b"2")
    store.close()
    assert not spare.exists()
    again = Store.open(path, spare=spare)
    assert again.meta("a") == b"1"
    again.close()


def test_a_damaged_store_that_cannot_be_moved_aside_is_begun_anew_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, spare = tmp_path / "agent.db", tmp_path / "run.db"
    Store.open(path).close()
    path.write_bytes(b"\xff" * path.stat().st_size)

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("edge_agent.store._move_aside", refuse)
    store = Store.open(path, spare=spare)
    assert store.was_reset
    assert store.unwritable is not None
    assert not store.is_begun, "so that what may have begun is not begun again"
    store.put_meta("a", b"1")
    store.close()


def test_a_directory_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "nowhere" / "agent.db")


def test_a_full_disk_frees_the_reserve_and_changes_nothing(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "agent.db")
    store.keep_reserve()
    reserve = tmp_path / "agent.db.reserve"
    assert reserve.stat().st_size == RESERVE_BYTES
    pages = store.rows("PRAGMA page_count")[0][0]
    store.run(f"PRAGMA max_page_count = {pages + 2}")

    def write_too_much() -> None:
        with store.writing():
            store.put_meta("a", b"1")
            store.put_meta("big", bytes(200_000))

    with pytest.raises(StoreError, match="is full"):
        write_too_much()
    assert not reserve.exists()
    assert store.meta("a") is None
    with store.writing():
        store.put_meta("a", b"2")
    assert store.meta("a") == b"2"
    store.close()
