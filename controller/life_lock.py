"""One centre at a time: on a state folder, and on a database that several machines reach."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from .db import Database
from .errors import LoaError
from .migrations.upgrade import UnreachableError

LOCK = 0x6C6F61
"""Of PostgreSQL's advisory locks, the one that a centre holds as long as it lives."""
EVERY_S = 5.0


class StartError(LoaError):
    """The centre cannot start."""

    code = "start"


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Keep a second centre out of the same state folder.

    Raises:
        StartError: there is one.
    """
    with _locked(state / "lock", f"another `loa serve` uses {state}; stop it or give another --state"):
        yield


class Lease:
    """Holds a database for this centre. It dies with the connection, and the centre with it: no two ever dispatch.

    A member, after ``held``; runs until cancelled.
    """

    name = "lease"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: AsyncConnection | None = None
        self.ready = asyncio.Event()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold it for the length of the block.

        Raises:
            StartError: another centre does.
            UnreachableError: the database does not answer.
        """
        if not self._database.url.startswith("postgresql"):
            with _file_of(self._database.url):
                yield
            return
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._database.engine.connect())
                got = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK})
                await connection.commit()
            except OperationalError as error:
                raise UnreachableError.of(self._database, error) from error
            if not got:
                raise StartError("another centre uses this database; stop it first")
            self._connection = connection
            yield

    async def run(self) -> None:
        """Look every few seconds whether it still is.

        Raises:
            StartError: it is not.
        """
        self.ready.set()
        while True:
            await asyncio.sleep(EVERY_S)
            await self.check()

    async def check(self) -> None:
        """Look whether the connection is still there that holds it.

        Raises:
            StartError: it is gone, and another centre may have begun.
        """
        if self._connection is None:
            return
        try:
            await self._connection.execute(text("SELECT 1"))
            await self._connection.commit()
        except SQLAlchemyError as error:
            raise StartError(f"the database let go of this centre ({type(error).__name__})") from error


@contextlib.contextmanager
def _file_of(url: str) -> Iterator[None]:
    """Lock a file beside a SQLite database, which another state folder may name too."""
    path = url.partition("///")[2].partition("?")[0]
    if not path or path == ":memory:":
        yield
        return
    with _locked(Path(f"{path}.lock"), f"another centre uses {path}; stop it first"):
        yield


@contextlib.contextmanager
def _locked(path: Path, refusal: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StartError(refusal) from None
    try:
        yield
    finally:
        os.close(descriptor)
