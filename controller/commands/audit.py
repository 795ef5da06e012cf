"""``loa audit verify``: walks along the hash chain."""

import argparse
import asyncio
import sys

from controller.audit.heads import Head
from controller.audit.service import Verdict
from controller.config import Config
from controller.errors import LoaError

from .rows import opened
from .settings import add_state, read_config


class AuditBrokenError(LoaError):
    """An entry was changed, removed or added."""

    code = "audit_broken"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    verify = acts.add_parser(
        "verify",
        help="walk along the hash chain",
        description="Walk along the hash chain, to the last entry that the centre noted beside the database at least.",
    )
    add_state(verify)
    verify.add_argument(
        "--head", metavar="SEQ:HASH", help="the last entry as an earlier run printed it: it has to be there still"
    )


def run(options: argparse.Namespace) -> int:
    """Verify.

    Raises:
        AuditBrokenError: the chain does not hold.
        NothingThereError: there is nothing to verify.
        HeadError: what was typed, or noted beside the database, is no head of an audit.
    """
    config = read_config(options)
    known = Head.read(options.head) if options.head is not None else None
    verdict = asyncio.run(_verify(config, known))
    if verdict.broken_at is not None:
        raise AuditBrokenError(
            f"the audit is broken or cut off at entry {verdict.broken_at}; the first {verdict.entries} fit together"
        )
    sys.stderr.write(f"{verdict.entries} entries, all hold.\n")
    if verdict.head is not None:
        sys.stdout.write(f"{verdict.head}\n")
    return 0


async def _verify(config: Config, known: Head | None) -> Verdict:
    async with opened(config) as services:
        return await services.audit.verify(known)
