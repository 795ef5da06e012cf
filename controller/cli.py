"""``loa``: what people type. Progress and errors go to standard error, results to standard output."""

import argparse
import errno
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.errors import LoaError
from edge_agent.version import __version__

COMMANDS = {
    "serve": ("controller.commands.serve", "run the centre: broker, API, pages"),
    "demo": ("controller.demo.command", "a small commune on this machine, with sound"),
    "person": ("controller.commands.person", "manage who may sign in"),
    "openapi": ("controller.commands.openapi", "print the API's description (OpenAPI, JSON)"),
    "audit": ("controller.commands.audit", "check the audit"),
    "policy": ("controller.commands.policy", "what a place may say when, and who must agree"),
    "schedules": ("controller.commands.schedules", "what is planned; iCalendar files in and out"),
    "emergencies": ("controller.commands.emergencies", "what had to be heard at once"),
    "fleet": (
        "controller.commands.fleet",
        "all nodes: heard from or not, version, release, faults, end of the certificate",
    ),
    "nodes": ("controller.commands.nodes", "give up a node that was stolen"),
    "places": ("controller.commands.places", "areas, nodes and accounts by id; what a signer apart is shown"),
    "signer": ("controller.commands.signer", "sign apart, under a user of its own"),
    "backup": ("controller.commands.backup", "copy the rows, beside a running centre"),
    "restore": ("controller.commands.restore", "put rows back; all is silent until released"),
    "updates": ("controller.commands.updates", "releases of the agent, and their way to the nodes"),
    "keys": ("controller.commands.keys", "which keys nodes believe; replace one"),
}
"""Module and help of each command. Modules are imported when they are needed: ``--help`` starts no framework."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS}

_log = logging.getLogger(__name__)


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
    except OSError as error:
        _log.debug("the machine is at fault", exc_info=True)
        sys.stderr.write(f"loa: {_said(error, options)}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _said(error: OSError, options: argparse.Namespace) -> str:
    """Say in one line what the machine did not do, and what would help."""
    what = error.strerror or str(error) or type(error).__name__
    if error.errno in NO_ROOM:
        return f"{what}; make room on the disk and start again"
    return what if error.filename is None else _said_of(Path(os.fsdecode(error.filename)).absolute(), error, options)


def _said_of(path: Path, error: OSError, options: argparse.Namespace) -> str:
    what, (option, folder) = error.strerror, _own_folder(options)
    if path == folder or folder in path.parents:
        return f"{path}: {what}; give a folder that can be made and written to ({option})"
    if not path.parent.is_dir():
        return f"{path.parent}: there is no such folder"
    if isinstance(error, IsADirectoryError):
        return f"{path}: is a folder; give a file"
    if error.errno in NOT_OURS:
        found = path if path.exists() else path.parent  # it was to be made there, under a name of its own
        return f"{found}: {what}; give one that this user may use, or type this as one who may"
    return f"{path}: {what}"


def _own_folder(options: argparse.Namespace) -> tuple[str, Path]:
    """Say where a command keeps things, and which option says so."""
    if hasattr(options, "folder"):
        return "--folder", options.folder.absolute()
    typed = getattr(options, "state", None) or os.environ.get("LOA_STATE") or "/var/lib/loa"
    return "--state or LOA_STATE", Path(typed).absolute()


def _start_log(level: str) -> None:
    if level not in logging.getLevelNamesMapping():
        raise LoaError(f"LOA_LOG is {level!r}; use debug, info, warning or error")
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _parser(typed: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loa", description="Runs the public loudspeakers of communes.")
    parser.add_argument("--version", action="version", version=f"loa {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, words) in COMMANDS.items():
        command = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        if name == next((word for word in typed if not word.startswith("-")), None):
            importlib.import_module(module).add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
