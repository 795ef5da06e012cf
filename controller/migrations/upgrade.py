"""Brings a database to the shape that this version knows. Done at every start; a newer shape is refused."""

from contextlib import AsyncExitStack
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from controller.db import Base, Database
from controller.errors import LoaError


class SchemaError(LoaError):
    """The database was made by a version that this one does not know."""

    code = "schema"


class UnreachableError(LoaError):
    """The database does not answer or cannot be written."""

    code = "database_unreachable"

    @classmethod
    def of(cls, database: Database, error: OperationalError) -> "UnreachableError":
        """Say which database, what it said, and what to look at."""
        said = " ".join(str(error.orig).split())
        return cls(
            f"the database {database.engine.url.render_as_string()} cannot be used: {said}; "
            "see that it runs and is writable, and look at LOA_DATABASE_URL"
        )


async def upgrade(database: Database) -> None:
    """Run the steps that are missing.

    Raises:
        SchemaError: the database is newer than this program.
        UnreachableError: it does not answer, or its disk is full or gone.
    """
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(database.engine.connect())
            await connection.run_sync(_upgrade)
            await connection.commit()
        except CommandError as error:
            raise SchemaError(
                f"the database cannot be used: {error}; install the version of Loa that wrote it"
            ) from None
        except OperationalError as error:
            raise UnreachableError.of(database, error) from error


async def check(database: Database) -> list[Any]:
    """Give the differences between the tables that are and those that the code wants; none after ``upgrade``."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: list(compare_metadata(MigrationContext.configure(sync), Base.metadata))
        )


def settings(connection: Connection) -> AlembicConfig:
    """Give Alembic's settings, with the connection that it is to use."""
    found = AlembicConfig()
    found.set_main_option("script_location", "controller:migrations")
    found.set_main_option("path_separator", "os")
    found.attributes["connection"] = connection
    return found


def _upgrade(connection: Connection) -> None:
    command.upgrade(settings(connection), "head")
