"""``loa schedules``: what is planned, as lines or as an iCalendar file, and such a file taken in."""

import argparse
import asyncio
import sys
from pathlib import Path

from controller.config import Config
from controller.errors import LoaError
from controller.people.actor import Actor
from controller.schedules.schemas import CalendarFileIn
from controller.services import Services

from .rows import area_named, area_names, opened, person_named
from .settings import add_state, read_config


class NotTakenError(LoaError):
    """Some events of the file could not be taken in."""

    code = "not_taken"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser("list", help="what is planned, one schedule a line")
    export = acts.add_parser("export", help="write an iCalendar file to standard output")
    taking = acts.add_parser(
        "import",
        help="take an iCalendar file in",
        description="Take an iCalendar file in, in somebody's name and with his rights. "
        "An event that this centre wrote changes the schedule it came from; what is against a rule is named and left.",
    )
    for command in (listing, export, taking):
        add_state(command)
    for command in (listing, export):
        command.add_argument("--area", help="only this area and what lies below it, by name or id")
    taking.add_argument("file", type=Path, help="the file")
    taking.add_argument("--login", required=True, help="in whose name")
    taking.add_argument("--programme", required=True, metavar="ID", help="what airs where an event does not say")
    taking.add_argument("--area", required=True, help="where, when an event does not say, by name or id")
    taking.add_argument("--confirm", action="store_true", help="also at unusual hours, and beside what is planned")


def run(options: argparse.Namespace) -> int:
    """Do it.

    Raises:
        LoaError: there is no such area or person, the file cannot be read, or some of it was not taken.
    """
    asyncio.run(_run(read_config(options), options))
    return 0


async def _run(config: Config, options: argparse.Namespace) -> None:
    acts = {"list": _list, "export": _export, "import": _import}
    async with opened(config) as services:
        await acts[options.act](services, options)


async def _list(services: Services, options: argparse.Namespace) -> None:
    names = await area_names(services.database)
    area_id = None if options.area is None else await area_named(services.database, options.area)
    for each in await services.schedules.list(Actor(None, "loa schedules list"), area_id=area_id):
        next_at = each.next_at.isoformat(timespec="minutes") if each.next_at else "no date planned"
        when = f"{each.starts_at_local.isoformat(timespec='minutes')} {each.zone}"
        rule = each.rule or "once"
        sys.stdout.write("\t".join((each.title, names[each.area_id], when, rule, next_at, each.id)) + "\n")


async def _export(services: Services, options: argparse.Namespace) -> None:
    area_id = None if options.area is None else await area_named(services.database, options.area)
    raw = await services.exchange.write(Actor(None, "loa schedules export"), area_id=area_id)
    sys.stdout.write(raw.decode())


async def _import(services: Services, options: argparse.Namespace) -> None:
    actor = Actor(await person_named(services.database, options.login), "loa schedules import")
    wanted = CalendarFileIn(
        ics=await asyncio.to_thread(options.file.read_text, "utf-8"),
        programme_id=options.programme,
        targets=(f"areas/{await area_named(services.database, options.area)}",),
        confirm_conflicts=options.confirm,
        confirm_unusual=options.confirm,
    )
    found = await services.exchange.read(actor, wanted)
    for each in found.schedules:
        sys.stdout.write(f"{each.title}\t{each.id}\n")
    for words in found.skipped:
        sys.stderr.write(f"not taken: {words}\n")
    if found.skipped:
        raise NotTakenError(f"{len(found.skipped)} of {len(found.skipped) + len(found.schedules)} were not taken in")
