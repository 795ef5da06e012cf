"""Rows: the engine, the base class of tables, and the transaction in which every request or job does its work."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Dialect,
    MetaData,
    TableValuedAlias,
    Text,
    TypeDecorator,
    bindparam,
    event,
    select,
)
from sqlalchemy import column as sql_column
from sqlalchemy.exc import ArgumentError, InvalidRequestError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from . import sqlite_connections
from .errors import BusyError, LoaError
from .events import Event, EventBus

BUSY_TIMEOUT_S = 5
"""How long a writer waits for another process before it gives up with ``BusyError``."""


ORDINARY_AT_ONCE = 8
"""Of the fifteen connections of the pool, for what people ask. The others are for STOP, emergencies and our own loops:
these wait for no crowd."""

IN_LIST = 500
"""Values in one query: SQLite takes a limited number."""

PASSING = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another process",
    sqlite3.SQLITE_READONLY: "may not be written",
    sqlite3.SQLITE_IOERR: "has a disk that does not answer",
    sqlite3.SQLITE_FULL: "has a full disk",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
}
"""What the machine may get over, and whoever works with rows has to outlive (https://sqlite.org/rescode.html)."""
PASSING_STATES = {
    "08": "does not answer",
    "40": "had two transactions wait for each other's rows",
    "53": "has no room",
    "57P": "is shutting down",
}
"""The same for PostgreSQL, by the first letters of its codes (its documentation, appendix A)."""

ONE_SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""Of what reads on PostgreSQL, where each statement would see its own moment. SQLite reads so anyway."""

_Value = TypeVar("_Value")


def in_pieces(values: Sequence[_Value], size: int | None = None) -> Iterator[Sequence[_Value]]:
    """Cut a list into pieces that fit into one query each."""
    step = size or IN_LIST
    return (values[at : at + step] for at in range(0, len(values), step))


class _elements(FunctionElement[Any]):  # noqa: N801  a function, named as those of SQLAlchemy are
    """The elements of a JSON array as rows."""

    inherit_cache = True


@compiles(_elements, "sqlite")
def _elements_sqlite(element: _elements, compiler: SQLCompiler, **given: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **given)})"


@compiles(_elements, "postgresql")
def _elements_postgresql(element: _elements, compiler: SQLCompiler, **given: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **given)} AS JSON))"


def among(column: ColumnElement[Any] | InstrumentedAttribute[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """Give the condition that a column of text is one of these, which may be thousands: they are one parameter."""
    rows = elements(bindparam(None, json.dumps(list(values)), Text))
    return column.in_(select(rows.c.value))


def elements(column: ColumnElement[Any] | InstrumentedAttribute[Any]) -> TableValuedAlias:
    """Give the elements of a row's JSON array as rows with one column of text, ``value``."""
    return _elements(column).table_valued(sql_column("value", Text))


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant. SQLite keeps it without its zone; naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        """Refuse what has no zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value.isoformat()}: instants are aware")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        """Give back the zone that SQLite forgot."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables; constraint names come from one convention."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class DatabaseUrlError(LoaError):
    """The address of the database cannot be one."""

    code = "database_url"


class Ordinary:
    """A request that waits behind others of its kind."""

    def __init__(self) -> None:
        self.has_turn = False
        """Whether it has its turn: whatever it does besides is part of that."""


ORDINARY: ContextVar[Ordinary | None] = ContextVar("ordinary", default=None)
"""None: what goes first, and all that no person asked for."""


class Transaction:
    """One unit of work: a session, and the events to tell once it is committed."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.events: list[Event] = []
        self.last: list[Callable[[], Awaitable[None]]] = []

    def tell(self, happened: Event) -> None:
        """Publish after the commit; forgotten on rollback."""
        self.events.append(happened)

    def lastly(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do this right before the commit: what takes a lock that all wait for, whoever calls in between."""
        self.last.append(act)


KEPT = "kept"
"""In ``AsyncSession.info`` of what is read together: answers that cannot change within one snapshot, by question."""


def kept(session: AsyncSession) -> dict[Any, Any]:
    """Give the answers kept of what is read together, by question; of anything else nothing is kept."""
    found: dict[Any, Any] = session.info.get(KEPT, {})
    return found


_READS = "reads"
"""In ``AsyncSession.info``: this one changes nothing."""


def locks(session: AsyncSession) -> bool:
    """Say whether rows are locked against others as they are looked for: not by what only reads, as a preview does."""
    return _READS not in session.info


class _Together(NamedTuple):
    database: "Database"
    task: asyncio.Task[Any] | None
    session: AsyncSession


_TOGETHER: ContextVar[_Together | None] = ContextVar("together", default=None)


class Database:
    """Hands out transactions. Opened once in ``main.py`` and handed down."""

    def __init__(self, url: str, bus: EventBus) -> None:
        self.url, self._bus = url, bus
        sqlite = url.startswith("sqlite")
        self.engine = _engine(
            url, {"timeout": BUSY_TIMEOUT_S, "factory": sqlite_connections.Connection} if sqlite else {}
        )
        self.before_write: Callable[[], None] = lambda: None
        """Called before each transaction that writes; where the disk has no room, it makes some."""
        # SQLite takes one writer at a time: waiting here is fairer than its busy loop.
        self._writers = asyncio.Lock() if sqlite else None
        self._snapshot: dict[str, Any] = {} if sqlite else ONE_SNAPSHOT
        self._ordinary = asyncio.Semaphore(ORDINARY_AT_ONCE)
        self._ordinary_writer = asyncio.Lock() if sqlite else None
        if sqlite:
            event.listen(self.engine.sync_engine, "do_connect", sqlite_connections.open_with)
            event.listen(self.engine.sync_engine, "connect", sqlite_connections.configure)
            event.listen(self.engine.sync_engine, "begin", sqlite_connections.begin)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Write: commit at the end of the block, roll back on any error.

        Raises:
            BusyError: another process kept the database locked, or its disk is full or gone; nothing was changed.
        """
        async with (
            self._turn(self._ordinary_writer),
            self._writers or nullcontext(),
            AsyncSession(self.engine, expire_on_commit=False) as session,
        ):
            work = Transaction(session)
            self.before_write()
            with _named():
                await session.connection(execution_options={"loa_write": True})
                yield work
                for act in work.last:
                    await act()
                await session.commit()
        for happened in work.events:
            self._bus.publish(happened)

    @asynccontextmanager
    async def reading(self, *, afresh: bool = False) -> AsyncIterator[AsyncSession]:
        """Read one consistent snapshot; nothing is changed.

        ``afresh``: one that begins now, also within ``together``.

        Raises:
            BusyError: the database's disk is gone for a while.
        """
        shared = None if afresh else _TOGETHER.get()
        if shared is not None and shared.database is self and shared.task is asyncio.current_task():
            yield shared.session
            return
        async with self._turn(None), AsyncSession(self.engine, expire_on_commit=False) as session:
            session.info[_READS] = True
            with _named():
                if self._snapshot:
                    await session.connection(execution_options=self._snapshot)
                yield session

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Have all that this task reads in the block be one snapshot, and what is in sight be asked once.

        What is read side by side has sessions of its own, and so has what writes. Within another it is part of that.
        """
        async with self.reading() as session:
            session.info.setdefault(KEPT, {})
            token = _TOGETHER.set(_Together(self, asyncio.current_task(), session))
            try:
                yield
            finally:
                _TOGETHER.reset(token)

    @asynccontextmanager
    async def _turn(self, writer: asyncio.Lock | None) -> AsyncIterator[None]:
        """Have ordinary requests wait for each other: what goes first waits for one of their writers at most."""
        request = ORDINARY.get()
        if request is None or request.has_turn:
            yield
            return
        async with writer or nullcontext(), self._ordinary:
            request.has_turn = True
            try:
                yield
            finally:
                request.has_turn = False

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def _engine(url: str, settings: dict[str, Any]) -> AsyncEngine:
    try:
        return create_async_engine(url, connect_args=settings)
    except (ArgumentError, InvalidRequestError, ImportError, ValueError):
        # Without its words and without the address: a password may stand in both.
        raise DatabaseUrlError(
            "LOA_DATABASE_URL: no address of a database, or of a kind that is not installed; "
            "use postgresql+psycopg://USER@HOST/NAME, or leave it out for SQLite"
        ) from None


@contextmanager
def _named() -> Iterator[None]:
    """Turn what passes by itself into ``BusyError``; what is a mistake of ours stays what it is."""
    try:
        yield
    except OperationalError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        what = PASSING.get(code & 0xFF) if code is not None else None
        state = str(getattr(error.orig, "sqlstate", ""))
        what = what or next((said for begins, said in PASSING_STATES.items() if state.startswith(begins)), None)
        if what is None:
            raise
        raise BusyError(f"the database {what}; nothing was changed, try again") from error
    except NoConnectionError as error:  # all wait for a disk or server that hangs
        raise BusyError("the database keeps all connections waiting; nothing was changed, try again") from error
