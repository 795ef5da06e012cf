"""``loa signer``: the signer as a process of its own, under its own user, with a folder that the centre cannot read."""

import argparse
import asyncio
import pwd
import signal
import sys
from pathlib import Path

from controller.clock import system_clock
from controller.errors import LoaError
from controller.people import totp
from controller.signing.apart import Strongroom
from controller.signing.ledger import Ledger
from controller.signing.process import listening
from controller.wire.keys import load_keys


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
    acts.add_parser("remove", help="take no more codes of a person").add_argument("person")


def run(options: argparse.Namespace) -> int:
    """Do it.

    Raises:
        LoaError: the keys are damaged, or there is no such user or person.
    """
    options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ledger = Ledger(options.folder / "signer.db")
    try:
        if options.act == "serve":
            asyncio.run(_serve(options, ledger))
        elif options.act == "enrol":
            secret = ledger.enrol(options.person)
            sys.stdout.write(f"{secret}\n{totp.uri(secret, f'approve-{options.person}')}\n")
        elif not ledger.remove(options.person):
            raise SignerError(f"{options.person}: has no approval secret here")
    finally:
        ledger.close()
    return 0


async def _serve(options: argparse.Namespace, ledger: Ledger) -> None:
    try:
        user = pwd.getpwnam(options.user).pw_uid
    except KeyError:
        raise SignerError(f"there is no user {options.user!r}") from None
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    room = Strongroom(load_keys(options.folder), ledger, system_clock)
    async with listening(options.socket, room, {user}):
        sys.stderr.write(f"answers at {options.socket}\n")
        await stop.wait()
