"""``loa restore``: puts rows back. A new life of the centre begins: the epoch rises, all is silent until released."""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from controller.audit.heads import HEAD_FILE, note, noted
from controller.clock import system_clock
from controller.config import Config
from controller.db import Database
from controller.events import EventBus
from controller.life_lock import alone
from controller.migrations.upgrade import upgrade
from controller.renewals.void import VoidBook
from controller.restoring import (
    KEPT_FOR,
    Anew,
    BackupError,
    begin_anew,
    disabled_in,
    forget_older,
    highest_epoch,
    last_settings,
    last_settings_in,
    next_epoch,
    put_back,
    refuse_older_keys,
    staged,
)
from controller.signing.remote import RemoteKeys, Wire
from controller.signing.ring import Ring
from controller.wire.keys import load_keys, write_epoch

from .rows import person_named
from .settings import add_state, read_config

HELD = "Everything is held. Look at the plans, then release the holds in the pages.\n"
NOTHING_TO_HOLD = (
    "There are no places in these rows, so nothing is held. Start the centre and sign in: its pages lead on.\n"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_state(parser)
    parser.add_argument("file", type=Path, nargs="?", help="made by loa backup; left out with --rows-are-back")
    parser.add_argument("--by", required=True, metavar="LOGIN", help="who orders the silence, and answers for it")
    parser.add_argument("--rows-are-back", action="store_true", help="PostgreSQL: pg_restore has put them back")
    parser.add_argument("--epoch", type=int, help="only if nodes were told a higher one than anybody here knows")


def run(options: argparse.Namespace) -> int:
    """Put them back, with no centre running.

    Raises:
        LoaError: a centre runs, the file is no backup, or nobody has that login.
    """
    config = read_config(options)
    if options.rows_are_back == (options.file is not None):
        raise BackupError("give a file that loa backup made, or --rows-are-back")
    if options.rows_are_back and config.database_url is None:
        raise BackupError("--rows-are-back is for PostgreSQL (LOA_DATABASE_URL); give the file that loa backup made")
    if options.file is not None and config.database_url is not None:
        raise BackupError("LOA_DATABASE_URL is set: put the rows back with pg_restore, then --rows-are-back")
    with alone(config.state):
        if options.file is not None and not options.file.is_file():
            raise BackupError(f"{options.file}: there is no such file, or it is a folder")
        asyncio.run(_restore(config, options))
    return 0


async def _restore(config: Config, options: argparse.Namespace) -> None:
    now, place, kept = system_clock(), config.state / "loa.db", None
    known, ring = _known(config)
    if options.file is None:
        anew, epoch = await _make_ready(config, options, config.database, known=known, ring=ring, now=now)
    else:
        olds = [last_settings_in(options.file)]
        if place.is_file():
            told, last = await _told(config)
            known, olds = max(known, told), [*olds, last]
        _refuse_older(options, ring, olds)
        with staged(options.file, place) as new:
            rows = f"sqlite+aiosqlite:///{new}"
            anew, epoch = await _make_ready(config, options, rows, known=known, ring=ring, now=now)
            kept = put_back(new, place, now=now)
    note(config.keys / HEAD_FILE, anew.head)
    sys.stdout.write(f"epoch {epoch}\t{len(anew.holds)} holds\n")
    older = forget_older(place, options.file, now=now) if kept is not None else []
    sys.stderr.write(_said(anew, kept, older))
    if config.signer is not None:
        sys.stderr.write(
            f"Before the centre starts, as the signer's user: loa signer --folder FOLDER raise-epoch {epoch}\n"
        )
    sys.stderr.write(HELD if anew.holds else NOTHING_TO_HOLD)


async def _make_ready(
    config: Config, options: argparse.Namespace, rows: str, *, known: int, ring: Ring, now: datetime
) -> tuple[Anew, int]:
    """Begin anew in rows that were put back, or are about to be; gives what was done, and the epoch."""
    database, place = Database(rows, EventBus()), config.state / "loa.db"
    try:
        await upgrade(database)
        person_id = await person_named(database, options.by)
        epoch = next_epoch(known, await highest_epoch(database), options.epoch)
        _refuse_older(options, ring, [await last_settings(database)] if options.rows_are_back else ())
        reached = noted(config.keys / HEAD_FILE)
        anew = await begin_anew(
            database,
            person_id,
            epoch,
            now=now,
            voided=VoidBook(config.keys).at(now),
            disabled=disabled_in(place) if options.file is not None and place.is_file() else {},
            reached=None if reached is None else str(reached),
        )
    finally:
        await database.close()
    if config.signer is None:
        write_epoch(config.keys, epoch)  # before the rows are in place: those of an older life are signed by nobody
    return anew, epoch


def _said(anew: Anew, kept: Path | None, older: Sequence[Path]) -> str:
    """Say what stays taken away, and what a person has to look at."""
    lines = [] if kept is None else [f"The rows of before, with names and password hashes: {kept}"]
    if older:
        lines.append(f"Removed, older than {KEPT_FOR.days} days: {', '.join(each.name for each in older)}")
    lines += [f"Revoked since the copy, and again: {', '.join(anew.cut_off)}"] if anew.cut_off else []
    if anew.tokens:
        lines.append(f"{anew.tokens} machines' keys (API tokens) are void: give out new ones")
    if anew.disabled:
        lines.append(f"{anew.disabled} accounts were ended since the copy, and are again")
    if kept is None:
        lines.append("Accounts and passwords are as in the copy: look through them before people sign in")
    return "".join(f"{line}\n" for line in lines)


def _known(config: Config) -> tuple[int, Ring]:
    """Give the epoch of now and the keys, from whoever has them.

    Raises:
        LoaError: they cannot be read, or the signer does not answer.
    """
    if config.signer is None:
        keys = load_keys(config.keys)
        return keys.epoch, keys.ring
    wire = Wire(config.signer)
    try:
        apart = RemoteKeys(wire)
        return apart.epoch, apart.ring
    finally:
        wire.close()


def _refuse_older(options: argparse.Namespace, ring: Ring, told: Iterable[tuple[bytes, datetime] | None]) -> None:
    """Refuse an older folder of keys, unless somebody has said from which epoch on to go."""
    if options.epoch is None:
        for last in told:
            refuse_older_keys(ring, last)


async def _told(config: Config) -> tuple[int, tuple[bytes, datetime] | None]:
    """Give the highest epoch of the rows that are there, and the last settings that were signed."""
    database = Database(config.database, EventBus())
    try:
        await upgrade(database)
        return await highest_epoch(database), await last_settings(database)
    finally:
        await database.close()
