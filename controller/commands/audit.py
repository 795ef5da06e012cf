"""``loa audit verify``: walks along the hash chain."""

import argparse
import asyncio
import sys

from controller.audit.service import Audit, Verdict
from controller.db import Database
from controller.errors import LoaError
from controller.events import EventBus
from controller.migrations.upgrade import upgrade

from .settings import add_state, read_config


class AuditBrokenError(LoaError):
    """An entry was changed, removed or added."""

    code = "audit_broken"


class NothingThereError(LoaError):
    """There is no database in the state folder."""

    code = "nothing_there"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    add_state(acts.add_parser("verify", help="walk along the hash chain"))


def run(options: argparse.Namespace) -> int:
    """Verify.

    Raises:
        AuditBrokenError: the chain does not hold.
        NothingThereError: there is nothing to verify.
    """
    config = read_config(options)
    if config.database_url is None and not (config.state / "loa.db").is_file():
        raise NothingThereError(f"{config.state} holds no database; give --state")
    verdict = asyncio.run(_verify(config.database))
    if verdict.broken_at is not None:
        raise AuditBrokenError(f"the audit is broken at entry {verdict.broken_at}; {verdict.entries} before it hold")
    sys.stderr.write(f"{verdict.entries} entries, all hold.\n")
    return 0


async def _verify(url: str) -> Verdict:
    database = Database(url, EventBus())
    try:
        await upgrade(database)
        return await Audit(database).verify()
    finally:
        await database.close()
