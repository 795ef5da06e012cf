"""``loa signer``: the signer as a process of its own, under its own user, with a folder that the centre cannot read."""

import argparse
import asyncio
import pwd
import signal
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

from controller.audit.heads import Head
from controller.clock import system_clock
from controller.errors import LoaError
from controller.people import totp
from controller.people.proof import Loosened
from controller.restoring import next_epoch
from controller.signing.apart import Strongroom
from controller.signing.ledger import Given, Ledger
from controller.signing.log import FILE, Log, LogError, verify
from controller.signing.process import listening
from controller.wire.keys import load_keys, write_epoch

from . import keys


class SignerError(LoaError):
    """The signer cannot start, or somebody cannot be enrolled."""

    code = "signer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--folder", type=Path, required=True, help="its own: keys, epoch, approval secrets, yeses")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    serve = acts.add_parser("serve", help="answer at a socket")
    serve.add_argument("--socket", type=Path, required=True)
    serve.add_argument("--user", required=True, help="the centre's: nobody else may ask")
    enrol = acts.add_parser("enrol", help="make the approval secret of a person, shown once, here")
    enrol.add_argument("person", help="id of the person")
    remove = acts.add_parser("remove", help="take no more codes of a person, and back what they agreed to")
    remove.add_argument("person")
    acts.add_parser("yeses", help="list what was agreed to and still counts")
    void = acts.add_parser(
        "void", help="take a yes back: what it lets sound is left out of all that is signed from now"
    )
    void.add_argument("seq", type=int, help="its number, as `yeses` lists it")
    acts.add_parser("quiet-hours", help="list the places whose quiet hours somebody loosened")
    tighten = acts.add_parser("tighten", help="take loosened quiet hours back: settings with them are signed no more")
    tighten.add_argument("scope", help="the place, as `quiet-hours` lists it")
    log = acts.add_parser("log", help="look at what was signed, refused and agreed to")
    looks = log.add_subparsers(dest="look", required=True, metavar="LOOK")
    walk = looks.add_parser("verify", help="walk along its hash chain; gives its head, to be written down elsewhere")
    walk.add_argument("--head", metavar="SEQ:HASH", help="a line as an earlier run gave it: it has to be there still")
    epoch = acts.add_parser("raise-epoch", help="begin another life of the centre, after `loa restore`")
    epoch.add_argument("to", type=int, help="as `loa restore` says")
    keys.add_acts(acts)


def run(options: argparse.Namespace) -> int:
    """Do it.

    Raises:
        LoaError: the keys or the log are damaged, or there is no such user or person.
    """
    options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    match options.act:
        case "log":
            _look(options)
        case "raise-epoch":
            _raise_epoch(options.folder, options.to)
        case "serve" | "enrol" | "remove" | "yeses" | "void" | "quiet-hours" | "tighten":
            with closing(Ledger(options.folder / "signer.db")) as ledger, closing(Log(options.folder / FILE)) as log:
                _with_ledger(options, ledger, log)
        case _:
            keys.act_on(options.folder, options)
    return 0


def _with_ledger(options: argparse.Namespace, ledger: Ledger, log: Log) -> None:
    now = system_clock()
    match options.act:
        case "serve":
            asyncio.run(_serve(options, ledger, log))
        case "enrol":
            log.write("enrolled", now, sure=True, person_id=options.person)  # first: no secret without its line
            secret = ledger.enrol(options.person)
            sys.stdout.write(f"{secret}\n{totp.uri(secret, f'approve-{options.person}')}\n")
        case "yeses":
            sys.stdout.writelines(f"{_line(each)}\n" for each in ledger.standing(now))
        case "quiet-hours":
            sys.stdout.writelines(f"{_hours(person_id, each)}\n" for person_id, each in ledger.all_loosened())
        case _:
            _take_back(options, ledger, log, now)


def _take_back(options: argparse.Namespace, ledger: Ledger, log: Log, now: datetime) -> None:
    if options.act == "void":
        if not ledger.void_one(options.seq, now):
            raise SignerError(f"{options.seq}: there is no such yes that still counts")
        log.write("void", now, sure=True, seq=options.seq, count=1)
    elif options.act == "tighten":
        if not ledger.tighten(options.scope):
            raise SignerError(f"{options.scope}: nobody loosened its quiet hours")
        log.write("tightened", now, sure=True, scope=options.scope)
    else:
        count = ledger.remove(options.person, now)
        if count is None:
            raise SignerError(f"{options.person}: has no approval secret here")
        log.write("removed", now, sure=True, person_id=options.person, count=count)
        sys.stderr.write(f"{count} yeses are taken back; plans without them go out within 6 h.\n")


def _hours(person_id: str, said: Loosened) -> str:
    hours = ", ".join(f"{each.start}–{each.until}" for each in said.quiet_hours) or "none"
    return f"{said.scope}\t{person_id}\t{said.zone}\t{hours}"


def _line(given: Given) -> str:
    agreed = given.agreed
    often = "once" if agreed.runs is None else f"{agreed.runs.count} times at {', '.join(agreed.runs.times)}"
    window = f"{agreed.not_before_at:%Y-%m-%d %H:%M}–{agreed.not_after_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"{given.seq}\t{given.person_id}\t{agreed.name}\t{agreed.level}\t{window}\t{often}\t{' '.join(agreed.scopes)}"
    )


def _look(options: argparse.Namespace) -> None:
    path = options.folder / FILE
    if not path.exists():
        raise LogError(f"{path}: there is no log")
    head = verify(path, Head.read(options.head) if options.head else None)
    if head is None:
        return
    sys.stderr.write(f"{head.seq} lines, all hold.\n")
    sys.stdout.write(f"{head}\n")


def _raise_epoch(folder: Path, wanted: int) -> None:
    own = load_keys(folder).epoch
    write_epoch(folder, next_epoch(own, own, wanted))
    sys.stdout.write(f"epoch {wanted}\n")


async def _serve(options: argparse.Namespace, ledger: Ledger, log: Log) -> None:
    try:
        user = pwd.getpwnam(options.user).pw_uid
    except KeyError:
        raise SignerError(f"there is no user {options.user!r}") from None
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    room = Strongroom(load_keys(options.folder), ledger, system_clock, log)
    async with listening(options.socket, room, {user}):
        sys.stderr.write(f"answers at {options.socket}\n")
        await stop.wait()
