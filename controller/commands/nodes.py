"""``loa nodes revoke``: give up a stolen node from the machine of the centre, whether it runs or not."""

import argparse
import asyncio
import sys

from controller.config import Config
from controller.people.actor import Actor

from .rows import node_named, opened
from .settings import add_state, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    revoke = acts.add_parser("revoke", help="void the certificates of a node that was stolen, for good")
    add_state(revoke)
    revoke.add_argument("node", help="its id, or its name where no other node has it")
    revoke.add_argument("--reason", required=True, help="for the audit and for whoever looks after the place")


def run(options: argparse.Namespace) -> int:
    """Revoke it; a centre that runs notices by itself.

    Raises:
        LoaError: there is no database, no such node, or it was revoked before.
    """
    asyncio.run(_revoke(read_config(options), options.node, options.reason))
    return 0


async def _revoke(config: Config, named: str, reason: str) -> None:
    async with opened(config) as services:
        node_id = await node_named(services.database, named)
        done = await services.revocations.revoke(Actor(None, "loa nodes revoke"), node_id, reason)
        sys.stdout.write(f"{done.id}\t{done.name}\t{len(done.certificates)} certificates void\n")
