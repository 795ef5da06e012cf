"""At the console of a signer apart: who may agree, for which places, and what they agreed to."""

import argparse
import sys
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from controller.errors import LoaError
from controller.names import on_a_terminal as plain
from controller.people import totp
from controller.signing.hours import Hours
from controller.signing.ledger import Given, Ledger
from controller.signing.log import Log
from controller.signing.places import (
    MAX_BYTES,
    Places,
    PlacesError,
    described,
    differences,
    read_places,
)

MOST_LOGGED = 200
"""Changes of the known places named in the log."""


class ConsoleError(LoaError):
    """Nobody is enrolled so, there is nothing to take back, or it is not clear what is meant."""

    code = "signer"


def add_acts(acts: Any) -> None:
    """Declare what is done at the console; ``acts``: the parser's subparsers."""
    places = acts.add_parser("places", help="areas, nodes and accounts that the signer knows; look at a newer list")
    places.add_argument("file", nargs="?", type=Path, help="from `loa places --json`; shows what would be otherwise")
    places.add_argument("--accept", action="store_true", help="know them so from now on")
    enrol = acts.add_parser("enrol", help="make the approval secret of a person, shown once, here")
    _add_person(enrol)
    _add_areas(enrol)
    enrol.add_argument("--replace", action="store_true", help="the person has an entry: make it void by another")
    bind = acts.add_parser("bind", help="let the codes of a person be good for other places; elsewhere, yeses go")
    _add_person(bind)
    _add_areas(bind)
    acts.add_parser("approvers", help="who is enrolled, and for which places")
    _add_person(acts.add_parser("remove", help="take no more codes of a person, and back what they agreed to"))
    acts.add_parser("yeses", help="list what was agreed to and still counts, loosened quiet hours too")
    void = acts.add_parser("void", help="take a yes back: what it lets sound or loosens is left out from now")
    void.add_argument("which", help="its number, or the place of quiet hours, as `yeses` lists it")
    acts.add_parser("quiet-hours", help="list the places whose quiet hours somebody loosened")
    tighten = acts.add_parser("tighten", help="take loosened quiet hours back: settings with them are signed no more")
    tighten.add_argument("scope", help="the place, as `quiet-hours` lists it")


def _add_person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("person", help="login or id of the account")


def _add_areas(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--area", action="append", metavar="AREA", help="by name or id, with what lies below; repeatable"
    )
    where.add_argument("--everywhere", action="store_true", help="for every place, also those to come")


def act_on(options: argparse.Namespace, ledger: Ledger, log: Log, now: datetime) -> None:
    """Do one of ``ACTS``.

    Raises:
        LoaError: it cannot be.
    """
    ACTS[options.act](_Console(options, ledger, log, now))


class _Console:
    """One command line, done."""

    def __init__(self, options: argparse.Namespace, ledger: Ledger, log: Log, now: datetime) -> None:
        self._options, self._ledger, self._log, self._now = options, ledger, log, now
        self._known = ledger.places()

    def places(self) -> None:
        if self._options.file is None:
            _print(described(self._known))
            if not self._known.areas:
                _say("The signer knows no places yet: loa places --json > FILE, then loa signer places FILE.")
            return
        wanted = read_places(_read(self._options.file))
        changes = differences(self._known, wanted)
        _print(changes)
        if not changes:
            _say("The signer knows them so.")
        elif not self._options.accept:
            _say(f"{len(changes)} changes. Nothing is taken; if each is right, say it again with --accept.")
        else:
            yeses = self._ledger.take_places(wanted, self._now)
            self._note("places", changes=changes[:MOST_LOGGED], count=len(changes), yeses=yeses)
            _say(f"{len(changes)} changes taken; {yeses} yeses are taken back.")
            strangers = [each for each in self._ledger.approvers() if not wanted.is_account(each)]
            if strangers:
                _say(f"Enrolled, but no account by id, and good for nothing now: {' '.join(map(plain, strangers))}.")

    def enrol(self) -> None:
        wanted, areas = self._options.person, self._areas()
        known = self._known.person_named(wanted)
        if known is None and self._known.people:
            raise ConsoleError(f"{wanted}: no account that the signer knows; see: loa person list, loa signer places")
        person = known.id if known else wanted
        entries = self._entries()
        if entries and not self._options.replace:
            said = "has an approval entry already; --replace makes that one void, remove also what was agreed to by it"
            raise ConsoleError(f"{wanted}: {said}")
        for each in entries:
            if each != person:
                self._remove(each)
        # First: no secret without its line.
        self._note("enrolled", person_id=person, areas=_logged(areas), replaced=bool(entries))
        secret = self._ledger.enrol(person, areas, self._now)
        _print([secret, totp.uri(secret, f"approve-{known.login if known else person}")])
        if known is None:
            _say(f"For whoever has the account id {person!r}: the signer knows no accounts (loa signer places).")
        else:
            _say(f"For {plain(known.name)} ({plain(known.login)}, account {person}).")
        _say(f"Good for {_named(self._known, areas)}.")

    def bind(self) -> None:
        areas, known = self._areas(), self._known.person_named(self._options.person)
        person = known.id if known else self._options.person
        count = self._ledger.bind(person, areas, self._now) if self._known.is_account(person) else None
        if count is None:
            raise self._not_enrolled()
        self._note("bound", person_id=person, areas=_logged(areas), count=count)
        _say(f"Good for {_named(self._known, areas)}; {count} yeses are taken back.")

    def approvers(self) -> None:
        _print(_approver(self._known, *each) for each in self._ledger.approvers().items())

    def remove(self) -> None:
        entries = self._entries()
        if not entries:
            raise self._not_enrolled()
        count = sum(map(self._remove, entries))
        _say(f"{count} yeses are taken back; plans without them go out within 6 h.")

    def _remove(self, person_id: str) -> int:
        count = self._ledger.remove(person_id, self._now) or 0
        self._note("removed", person_id=person_id, count=count)
        return count

    def yeses(self) -> None:
        _print(map(_yes, self._ledger.standing(self._now)))
        self.quiet_hours()

    def quiet_hours(self) -> None:
        _print(_hours(each, self._ledger.narrowed_at(each.said.scope)) for each in self._ledger.all_loosened())

    def void(self) -> None:
        which = self._options.which
        if not which.isdecimal():
            self._tighten(which)
            return
        if not self._ledger.void_one(int(which), self._now):
            raise ConsoleError(f"{which}: there is no such yes that still counts")
        self._note("void", seq=int(which), count=1)

    def tighten(self) -> None:
        self._tighten(self._options.scope)

    def _tighten(self, scope: str) -> None:
        if not self._ledger.tighten(scope):
            raise ConsoleError(f"{scope}: nobody loosened its quiet hours")
        self._note("tightened", scope=scope)

    def _areas(self) -> frozenset[str] | None:
        """Give the ids of the areas that were named; None: everywhere."""
        named = self._options.area
        return None if self._options.everywhere else frozenset(self._known.area_named(each).id for each in named)

    def _entries(self) -> list[str]:
        """Give the names by which who was named is enrolled, be it an account no more.

        Before accounts were known, a login was taken for an id.
        """
        known = self._known.person_named(self._options.person)
        names = (known.id, known.login) if known else (self._options.person,)
        enrolled = self._ledger.approvers()
        return [each for each in dict.fromkeys(names) if each in enrolled]

    def _not_enrolled(self) -> ConsoleError:
        return ConsoleError(f"{self._options.person}: has no approval secret here; see: loa signer approvers")

    def _note(self, what: str, **detail: Any) -> None:
        self._log.write(what, self._now, sure=True, **detail)


ACTS: dict[str, Callable[[_Console], None]] = {
    "places": _Console.places,
    "enrol": _Console.enrol,
    "bind": _Console.bind,
    "approvers": _Console.approvers,
    "remove": _Console.remove,
    "yeses": _Console.yeses,
    "void": _Console.void,
    "quiet-hours": _Console.quiet_hours,
    "tighten": _Console.tighten,
}


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise PlacesError(f"{path}: more than {MAX_BYTES >> 20} MiB is no list of places")
    return raw


def _named(places: Places, areas: Collection[str] | None) -> str:
    if areas is None:
        return "every place"
    if not areas:
        return "no place: no account by this id, or enrolled before places were asked for; see: remove, bind"
    names = (f"{plain(places.name(each)) if places.chain(each) else 'gone'} ({each})" for each in sorted(areas))
    return f"{', '.join(names)} and what lies below"


def _logged(areas: Collection[str] | None) -> list[str] | None:
    return None if areas is None else sorted(areas)


def _approver(places: Places, person_id: str, areas: Collection[str] | None) -> str:
    known = next((each for each in places.people if each.id == person_id), None)
    login, name = (known.login, known.name) if known else ("-", "-")
    return _row(person_id, login, name, _named(places, areas))


def _hours(given: Hours, less: Collection[str]) -> str:
    said = given.said
    hours = ", ".join(f"{each.start}–{each.until}" for each in said.quiet_hours) or "none"
    ends = (f"less is left in: {' '.join(less)}",) if less else ()
    return _row(said.scope, given.person_id, "quiet hours", said.zone, hours, *ends)


def _yes(given: Given) -> str:
    agreed = given.agreed
    often = "once" if agreed.runs is None else f"{agreed.runs.count} times at {', '.join(agreed.runs.times)}"
    window = f"{agreed.not_before_at:%Y-%m-%d %H:%M}–{agreed.not_after_at:%Y-%m-%d %H:%M} UTC"
    return _row(str(given.seq), given.person_id, agreed.name, agreed.level, window, often, " ".join(agreed.scopes))


def _row(*fields: str) -> str:
    """Put fields beside each other: the pages named most of them, and the terminal obeys none."""
    return "\t".join(map(plain, fields))


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
