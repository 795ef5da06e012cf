"""``loa person``: the first administrator, whoever follows, and the way back when nobody can sign in."""

import argparse
import asyncio
import getpass
import json
import os
import sys
from collections.abc import Awaitable, Callable

from controller.config import Config
from controller.errors import LoaError
from controller.names import on_a_terminal
from controller.people.accounts import GRACE
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.people.schemas import PersonOut
from controller.services import Services

from .rows import area_named, area_names, opened, person_named
from .settings import add_state, read_config

EVERYWHERE = "everywhere"


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
    _add_login(add)
    add.add_argument("--name", help="how the person is called on the pages; the login when not given")
    add.add_argument("--locale", choices=("vi", "en"), default="vi", help="language of the pages (%(default)s)")
    add.add_argument("--once", action="store_true", help="the password is good for one sign-in, then it is changed")
    _add_role(add, default=Role.ADMINISTRATOR)
    listed = acts.add_parser("list", help="who may sign in: id, login, name, roles, state")
    add_state(listed)
    listed.add_argument("--json", action="store_true", help="for machines: one list of objects")
    grant = acts.add_parser("grant", help="give somebody one more role")
    add_state(grant)
    _add_login(grant)
    _add_role(grant)
    for act, words in (
        ("disable", "close an account; its sessions and keys end"),
        ("enable", "open a closed account again"),
        ("reset-factor", "take a lost second factor away; the person sets up another"),
    ):
        command = acts.add_parser(act, help=words)
        add_state(command)
        _add_login(command)


def run(options: argparse.Namespace) -> int:
    """Do it.

    Raises:
        LoaError: a login is taken or unknown, a field is wrong, or there is no password.
    """
    config = read_config(options)
    password = _read_password() if options.act == "add" else ""
    asyncio.run(_run(config, options, password))
    return 0


async def _run(config: Config, options: argparse.Namespace, password: str) -> None:
    async with opened(config, may_be_new=options.act == "add") as services:
        command = _Command(services, options, password)
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            "add": command.add,
            "list": command.list,
            "grant": command.grant,
            "disable": command.disable,
            "enable": command.enable,
            "reset-factor": command.reset_factor,
        }
        await acts[options.act]()


class _Command:
    """One command line, done."""

    def __init__(self, services: Services, options: argparse.Namespace, password: str) -> None:
        self._database, self._accounts, self._factors = services.database, services.accounts, services.factors
        self._options, self._password = options, password
        self._actor = Actor(person_id=None, origin=f"loa person {options.act}")

    async def add(self) -> None:
        options = self._options
        area_id = await self._area()
        person = await self._accounts.add(
            self._actor,
            login=options.login,
            name=options.name or options.login,
            password=self._password,
            role=options.role,
            area_id=area_id,
            locale=options.locale,
            own_password=not options.once,
        )
        hours = round(GRACE.total_seconds() / 3600)
        due = person.second_factor_due_at is not None
        until = f"; within {hours} hours a second factor has to be set up, at /sign-in/factor" if due else ""
        _say(f"{person.login} can sign in now{until}.")

    async def list(self) -> None:
        names, people = await area_names(self._database), await self._accounts.list(self._actor)
        if self._options.json:
            sys.stdout.write(json.dumps([each.model_dump(mode="json") for each in people], ensure_ascii=False) + "\n")
            return
        for person in people:
            roles = ", ".join(
                f"{grant.role} ({names.get(grant.area_id, grant.area_id) if grant.area_id else EVERYWHERE})"
                for grant in person.grants
            )
            factor = "second factor" if person.second_factor else "password only"
            state = "closed" if person.disabled_at else factor
            words = (person.id, person.login, person.name, roles or "no role", state)
            sys.stdout.write("\t".join(map(on_a_terminal, words)) + "\n")

    async def grant(self) -> None:
        person_id, area_id = await self._person(), await self._area()
        role = self._options.role
        await self._accounts.grant(self._actor, person_id, role=role, area_id=area_id)
        _say(f"{self._options.login} is {role} there now.")

    async def disable(self) -> None:
        await self._change(disabled=True)
        _say(f"{self._options.login} cannot sign in any more.")

    async def enable(self) -> None:
        await self._change(disabled=False)
        _say(f"{self._options.login} can sign in again.")

    async def reset_factor(self) -> None:
        await self._factors.reset(self._actor, await self._person())
        _say(f"{self._options.login} signs in with the password and sets a new second factor up.")

    async def _change(self, *, disabled: bool) -> PersonOut:
        return await self._accounts.change(self._actor, await self._person(), disabled=disabled)

    async def _person(self) -> str:
        return await person_named(self._database, str(self._options.login))

    async def _area(self) -> str | None:
        """Give the area that was named; None: everywhere."""
        wanted = self._options.area
        return None if wanted is None else await area_named(self._database, wanted)


def _add_login(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--login", required=True, help="what the person types to sign in")


def _add_role(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    words = "what the person may do" + (" (%(default)s)" if default else "")
    parser.add_argument("--role", choices=[*map(str, Role)], default=default, required=default is None, help=words)
    parser.add_argument("--area", metavar="NAME", help="where, by name or id, and all below it; else everywhere")


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


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
