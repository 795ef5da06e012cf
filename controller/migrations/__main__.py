"""Drafts the next step by comparing the tables of the code with those that all steps so far make."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import Connection

from controller.db import Database
from controller.events import EventBus

from .upgrade import settings, upgrade


def main() -> None:
    """Write the draft into ``versions/``. Read it before committing."""
    parser = argparse.ArgumentParser(prog="python -m controller.migrations", description=__doc__)
    parser.add_argument("words", help="what changes, in a few words")
    parser.add_argument("--rev-id", help="number of the step, such as 0002")
    arguments = parser.parse_args()
    asyncio.run(_draft(arguments.words, arguments.rev_id))


async def _draft(words: str, number: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite+aiosqlite:///{Path(folder) / 'draft.db'}", EventBus())
        await upgrade(database)

        def draft(connection: Connection) -> None:
            command.revision(settings(connection), words, autogenerate=True, rev_id=number)

        async with database.engine.connect() as connection:
            await connection.run_sync(draft)
        await database.close()


if __name__ == "__main__":
    main()
