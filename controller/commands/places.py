"""``loa places``: areas, nodes and accounts by their ids, for a signer apart and for whoever needs an id."""

import argparse
import asyncio
import sys

import msgspec
from sqlalchemy import select

from controller.areas.repository import read_tree
from controller.config import Config
from controller.nodes.models import Node
from controller.people.models import Person
from controller.signing.places import KnownArea, KnownNode, KnownPerson, Places, described

from .rows import opened
from .settings import add_state, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_state(parser)
    parser.add_argument("--json", action="store_true", help="for `loa signer places`")


def run(options: argparse.Namespace) -> int:
    """Print them.

    Raises:
        LoaError: there is no database.
    """
    found = asyncio.run(_read(read_config(options)))
    if options.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in described(found))
    return 0


async def _read(config: Config) -> Places:
    async with opened(config) as services, services.database.reading() as session:
        nodes = select(Node.id, Node.name, Node.area_id).where(Node.removed_at.is_(None)).order_by(Node.id)
        people = select(Person.id, Person.login, Person.name).where(Person.disabled_at.is_(None)).order_by(Person.login)
        return Places(
            areas=tuple(KnownArea(each.id, each.name, each.parent_id) for each in (await read_tree(session)).walk()),
            nodes=tuple(KnownNode(*row) for row in await session.execute(nodes)),
            people=tuple(KnownPerson(*row) for row in await session.execute(people)),
        )
