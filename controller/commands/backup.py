"""``loa backup``: a copy of the rows beside a running centre. Without keys, media and scans: those are folders."""

import argparse
import sys
from pathlib import Path

from controller.restoring import BackupError, copy_rows

from .settings import add_state, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_state(parser)
    parser.add_argument("file", type=Path, help="where the copy goes; nothing is overwritten")


def run(options: argparse.Namespace) -> int:
    """Copy.

    Raises:
        BackupError: it cannot be copied.
    """
    config = read_config(options)
    if config.database_url is not None:
        raise BackupError("LOA_DATABASE_URL is set: copy that database with its own tools (pg_dump --format=custom)")
    size = copy_rows(config.state / "loa.db", options.file)
    sys.stdout.write(f"{options.file}\t{size} bytes\n")
    sys.stderr.write(f"Not in it: {config.keys} (keep a copy of it elsewhere, sealed), {config.media}.\n")
    return 0
