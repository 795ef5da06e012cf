"""``loa person add``: the first administrator, and whoever follows."""

import argparse
import asyncio
import getpass
import os
import sys

from controller.clock import system_clock
from controller.db import Database
from controller.errors import LoaError
from controller.events import EventBus
from controller.migrations.upgrade import upgrade
from controller.people.actor import Actor
from controller.people.service import People

from .settings import add_state, read_config


class PasswordError(LoaError):
    """No password was given, or the two differ."""

    code = "password"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    add = acts.add_parser(
        "add",
        help="add somebody",
        description="Add somebody. The password comes from LOA_PASSWORD, from standard input, or is asked for.",
    )
    add_state(add)
    add.add_argument("--login", required=True, help="what the person types to sign in")
    add.add_argument("--name", help="how the person is called on the pages; the login when not given")
    add.add_argument("--locale", choices=("vi", "en"), default="vi", help="language of the pages (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Add the person.

    Raises:
        LoaError: the login is taken, a field is wrong, or there is no password.
    """
    config = read_config(options)
    password = _read_password()
    config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    asyncio.run(_add(config.database, config.session_hours, options, password))
    sys.stderr.write(f"{options.login} can sign in now.\n")
    return 0


async def _add(url: str, session_hours: int, options: argparse.Namespace, password: str) -> None:
    database = Database(url, EventBus())
    try:
        await upgrade(database)
        people = People(database, system_clock, session_hours=session_hours)
        actor = Actor(person_id=None, origin="loa person add")
        await people.add(
            actor,
            login=options.login,
            name=options.name or options.login,
            password=password,
            role="administrator",
            locale=options.locale,
        )
    finally:
        await database.close()


def _read_password() -> str:
    if password := os.environ.get("LOA_PASSWORD"):
        return password
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\n")
        if not password:
            raise PasswordError("no password: set LOA_PASSWORD or write it to standard input")
        return password
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        raise PasswordError("the two passwords differ")
    return password
