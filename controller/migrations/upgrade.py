"""Brings a database to the shape that this version knows. Done at every start; a newer shape is refused."""

from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection

from controller.db import Base, Database
from controller.errors import LoaError


class SchemaError(LoaError):
    """The database was made by a version that this one does not know."""

    code = "schema"


async def upgrade(database: Database) -> None:
    """Run the steps that are missing.

    Raises:
        SchemaError: the database is newer than this program.
    """
    async with database.engine.connect() as connection:
        try:
            await connection.run_sync(_upgrade)
        except CommandError as error:
            raise SchemaError(
                f"the database cannot be used: {error}; install the version of Loa that wrote it"
            ) from None
        await connection.commit()


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
