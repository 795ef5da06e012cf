"""``loa emergencies list``: what was ordered to be heard at once, drills among it."""

import argparse
import asyncio
import sys

from controller.config import Config
from controller.people.actor import Actor

from .rows import area_names, opened
from .settings import add_state, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="the latest, one a line")
    add_state(listing)
    listing.add_argument("--limit", type=int, default=50, help="so many at most (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """List them.

    Raises:
        LoaError: there is no database.
    """
    asyncio.run(_list(read_config(options), options.limit))
    return 0


async def _list(config: Config, limit: int) -> None:
    async with opened(config) as services:
        names = await area_names(services.database)
        for each in await services.emergencies.list(Actor(None, "loa emergencies list"), limit=limit):
            kind = f"drill ({each.drill})" if each.drill else str(each.kind)
            answering = each.break_glass_by or each.confirmed_by
            people = f"{each.proposed_by.name}, {answering.name}" if answering else each.proposed_by.name
            at = each.proposed_at.isoformat(timespec="seconds")
            sys.stdout.write("\t".join((at, kind, each.title, names[each.area_id], each.state, people, each.id)) + "\n")
