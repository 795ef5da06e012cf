"""Connections to SQLite as the rows want them: what each is told when it opens, begins and ends.

That ``stop`` of aiosqlite may be replaced, and is what its ``close`` ends with, is nowhere promised: see
``sqlite_cursors``.
"""

import functools
import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy.engine import Connection as Begun

from . import sqlite_cursors


class Connection(sqlite3.Connection):
    """Lets the lock go when it closes, though somebody may still hold what a statement gave.

    SQLite closes a connection with such a statement only once that is forgotten. Of who was cancelled the garbage
    collector forgets it, at some time; until then nobody could write.
    """

    def close(self) -> None:
        """Undo what was begun, and close; twice does no harm."""
        with suppress(sqlite3.ProgrammingError):  # it is closed
            self.rollback()
        super().close()


def open_with(_dialect: Any, _record: Any, _where: Any, settings: dict[str, Any]) -> None:
    """Have SQLAlchemy open it as ``sqlite_cursors`` does: as with ``async_creator``, and with the address."""
    settings["async_creator_fn"] = sqlite_cursors.connect


def configure(connection: Any, _record: Any) -> None:
    """Prepare a connection that SQLAlchemy has opened."""
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    # FULL: what the API acknowledged survives a power cut (promise P5).
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    # Who leaves a page is cancelled again and again (by anyio), and SQLAlchemy then stops what it is closing already.
    # aiosqlite's thread ends with the first stop; the closing, which stops it last, would wait for it for ever.
    driver = connection.driver_connection
    driver.stop = functools.cache(driver.stop)


def begin(connection: Begun) -> None:
    """Begin as what is to be done wants it: who will write takes the lock at once."""
    write = connection.get_execution_options().get("loa_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
