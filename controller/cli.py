"""``loa``: what people type. Progress and errors go to standard error, results to standard output."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from controller.errors import LoaError
from edge_agent.version import __version__

COMMANDS = {
    "serve": ("controller.commands.serve", "run the centre: broker, API, pages"),
    "demo": ("controller.demo.command", "a small commune on this machine, with sound"),
    "person": ("controller.commands.person", "manage who may sign in"),
    "openapi": ("controller.commands.openapi", "print the API's description (OpenAPI, JSON)"),
    "audit": ("controller.commands.audit", "check the audit"),
}
"""Module and help of each command. Modules are imported when they are needed: ``--help`` starts no framework."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was typed; give the exit status."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(typed).parse_args(typed)
    try:
        _start_log(os.environ.get("LOA_LOG", "warning").upper())
        return int(importlib.import_module(COMMANDS[options.command][0]).run(options))
    except LoaError as error:
        sys.stderr.write(f"loa: {error.message}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _start_log(level: str) -> None:
    if level not in logging.getLevelNamesMapping():
        raise LoaError(f"LOA_LOG is {level!r}; use debug, info, warning or error")
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _parser(typed: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loa", description="Runs the public loudspeakers of communes.")
    parser.add_argument("--version", action="version", version=f"loa {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, words) in COMMANDS.items():
        command = commands.add_parser(name, help=words, description=words.capitalize() + ".")
        if name == next((word for word in typed if not word.startswith("-")), None):
            importlib.import_module(module).add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
