"""``loa fleet``: all nodes at a glance, from the rows beside a running centre."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from controller.config import Config
from controller.names import on_a_terminal
from controller.nodes.schemas import NodeOut
from controller.people.actor import Actor

from .rows import opened
from .settings import add_state, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_state(parser)
    parser.add_argument("--json", action="store_true", help="for machines: one list of objects")


def run(options: argparse.Namespace) -> int:
    """List the nodes, area by area.

    Raises:
        LoaError: there is no database.
    """
    lines = asyncio.run(_read(read_config(options)))
    if options.json:
        sys.stdout.write(json.dumps(lines, ensure_ascii=False) + "\n")
        return 0
    for line in lines:
        sys.stdout.write("\t".join(_plain(value) for value in line.values()) + "\n")
    return 0


async def _read(config: Config) -> list[dict[str, Any]]:
    async with opened(config) as services:
        return _lines(await services.nodes.all(Actor(None, "loa fleet")))


def _lines(nodes: Sequence[NodeOut]) -> list[dict[str, Any]]:
    return [
        {
            "node": node.id,
            "name": node.name,
            "area": " / ".join(node.area_path),
            "status": str(node.status),
            "software": node.software,
            "release": None if node.release is None else str(node.release),
            "faults": [each.code for each in node.faults],
            "certificate_ends": node.certificate_expires_at and node.certificate_expires_at.date().isoformat(),
        }
        for node in nodes
    ]


def _plain(value: object) -> str:
    return on_a_terminal(",".join(value) if isinstance(value, list) else str(value or "-"))
