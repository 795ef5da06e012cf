"""``loa policy show``: the rules that hold in a place, and who says them."""

import argparse
import asyncio
import json
import sys

from pydantic import TypeAdapter

from controller.config import Config
from controller.people.actor import Actor

from .rows import area_named, opened
from .settings import add_state, read_config

_ANY: TypeAdapter[object] = TypeAdapter(object)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    show = acts.add_parser(
        "show", help="the rules of a place", description="One rule a line: name, value, who says it, who locked it."
    )
    add_state(show)
    show.add_argument("area", help="name or id of the area")


def run(options: argparse.Namespace) -> int:
    """Show them.

    Raises:
        LoaError: there is no such area, or no database.
    """
    asyncio.run(_show(read_config(options), options.area))
    return 0


async def _show(config: Config, area: str) -> None:
    async with opened(config) as services:
        area_id = await area_named(services.database, area)
        found = await services.policies.get(Actor(None, "loa policy show"), area_id)
    for each in found.effective:
        said = _ANY.dump_python(each.value, mode="json")
        value = "no limit" if said is None else json.dumps(said, ensure_ascii=False)
        locked = f"locked by {each.locked_by_name}" if each.locked_by_name else ""
        sys.stdout.write("\t".join((each.rule, value, each.from_name or "by default", locked)).rstrip() + "\n")
