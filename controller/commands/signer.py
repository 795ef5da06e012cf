"""``loa signer``: the signer as a process of its own, under its own user, with a folder that the centre cannot read."""

import argparse
import asyncio
import pwd
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from controller.audit.heads import Head
from controller.clock import system_clock
from controller.errors import LoaError
from controller.restoring import next_epoch
from controller.signing.apart import Strongroom
from controller.signing.ledger import Ledger
from controller.signing.log import FILE, Log, LogError, verify
from controller.signing.process import listening
from controller.wire.keys import load_keys, write_epoch

from . import keys, signer_people


class SignerError(LoaError):
    """The signer cannot start."""

    code = "signer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--folder", type=Path, required=True, help="its own: keys, epoch, approval secrets, yeses")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    serve = acts.add_parser("serve", help="answer at a socket")
    serve.add_argument("--socket", type=Path, required=True)
    serve.add_argument("--user", required=True, help="the centre's: nobody else may ask")
    signer_people.add_acts(acts)
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
        LoaError: the keys or the log are damaged, there is no such user or person, or it cannot be.
    """
    options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    match options.act:
        case "log":
            _look(options)
        case "raise-epoch":
            _raise_epoch(options.folder, options.to)
        case "serve":
            with _opened(options.folder) as (ledger, log):
                asyncio.run(_serve(options, ledger, log))
        case act if act in signer_people.ACTS:
            with _opened(options.folder) as (ledger, log):
                signer_people.act_on(options, ledger, log, system_clock())
        case _:
            keys.act_on(options.folder, options)
    return 0


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[Ledger, Log]]:
    with closing(Ledger(folder / "signer.db")) as ledger, closing(Log(folder / FILE)) as log:
        yield ledger, log


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
