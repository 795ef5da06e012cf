"""``loa updates``: releases of the agent, and their way to the nodes. A centre that runs goes on by itself."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from controller.clock import system_clock
from controller.config import Config
from controller.errors import InvalidError, LoaError
from controller.files import write_whole
from controller.people.actor import Actor
from controller.services import Services
from controller.updates.schemas import RolloutIn, RolloutOut, RolloutWithNodes
from controller.updates.waves import ERROR_PERCENT, SOAK, WAVES
from controller.wire.keys import KeyFileError
from edge_agent.protocol.bundles import Contents, Packed, check_contents, look
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.errors import ProtocolError
from edge_agent.protocol.fields import decode
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.updates import MAX_BUNDLE_BYTES, Board, Release

from .rows import area_named, opened
from .settings import add_state, read_config

RELEASE_DAYS = 180
"""Nodes begin with a release for half a year: who was in store for a season still takes it."""
PIECE = 1024 * 1024
ACTOR = Actor(None, "loa updates")


class ReleaseFileError(LoaError):
    """A file of a release cannot be read, or what was said of it cannot be signed."""

    code = "release_file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    sign = acts.add_parser("sign", help="say that a bundle may exist: away from the centre, with the update key")
    sign.add_argument("bundle", type=Path)
    sign.add_argument("--key", type=Path, required=True, help="private half of the update key")
    sign.add_argument("--release", type=int, required=True, help="a number above that of every release before")
    sign.add_argument("--version", help="refuse a bundle of another one")
    sign.add_argument("--board", choices=["amd64", "arm64"], help="refuse a bundle that is built for another one")
    sign.add_argument("--python", default="3.11", help="minor version of the node's Python (%(default)s)")
    sign.add_argument("--days", type=int, default=RELEASE_DAYS, help="so long nodes begin with it (%(default)s)")
    sign.add_argument(
        "--hand-on", type=Path, action="append", default=[], metavar="PUB", help="nodes believe these keys from then on"
    )
    add = acts.add_parser("add", help="take a signed bundle in; nothing is sent yet")
    add.add_argument("bundle", type=Path)
    add.add_argument("release", type=Path, nargs="?", help="what was signed (BUNDLE.release)")
    start = acts.add_parser("start", help="send a release to nodes, wave by wave")
    start.add_argument("release", type=int)
    start.add_argument("--to", action="append", required=True, metavar="PLACE", help="an area, or nodes/ID")
    start.add_argument("--waves", default=",".join(WAVES), help="told at the end of each (%(default)s)")
    minutes = int(SOAK.total_seconds()) // 60
    start.add_argument("--soak", type=int, default=minutes, help="minutes between two waves (%(default)s)")
    start.add_argument("--errors", type=int, default=ERROR_PERCENT, help="percent of a wave (%(default)s)")
    listing = acts.add_parser("list", help="releases, the newest first")
    status = acts.add_parser("status", help="rollouts; with an id, how far each node is")
    status.add_argument("rollout", nargs="?")
    for parts in (add, start, listing, status):
        add_state(parts)
    for act, words in (("pause", "tell no more nodes for now"), ("resume", "go on"), ("stop", "stop it for good")):
        turn = acts.add_parser(act, help=words)
        turn.add_argument("rollout")
        add_state(turn)


def run(options: argparse.Namespace) -> int:
    """Do it.

    Raises:
        LoaError: it cannot be done.
    """
    if options.act == "sign":
        return _sign(options)
    asyncio.run(_act(read_config(options), options))
    return 0


async def _act(config: Config, options: argparse.Namespace) -> None:
    async with opened(config) as services:
        match options.act:
            case "add":
                await _add(services, options)
            case "list":
                for each in await services.releases.list(ACTOR):
                    _line(
                        each.release, each.version, each.board, each.python, each.bytes, f"until {each.expires_at:%F}"
                    )
            case "start":
                _show(await _start(services, options))
            case "status" if options.rollout is None:
                for rollout in await services.rollouts.list(ACTOR):
                    _line(*_summary(rollout))
            case "status":
                _show(await services.rollouts.get(ACTOR, options.rollout))
            case act:
                _show(await getattr(services.rollouts, act)(ACTOR, options.rollout))


async def _add(services: Services, options: argparse.Namespace) -> None:
    signed = options.release or options.bundle.with_name(f"{options.bundle.name}.release")
    size = options.bundle.stat().st_size
    if not signed.exists():
        raise ReleaseFileError(f"{signed}: there is no such file; it is made by: loa updates sign {options.bundle}")
    token = signed.read_text(encoding="ascii", errors="replace").strip()
    found = await services.releases.add(ACTOR, token, _pieces(options.bundle), size)
    _line(found.release, found.version, found.board, found.python, found.bytes, f"until {found.expires_at:%F}")


async def _start(services: Services, options: argparse.Namespace) -> RolloutWithNodes:
    targets = [each if "/" in each else f"areas/{await area_named(services.database, each)}" for each in options.to]
    try:
        wanted = RolloutIn(
            release=options.release,
            targets=tuple(targets),
            waves=tuple(options.waves.split(",")),
            soak_s=options.soak * 60,
            error_percent=options.errors,
        )
    except ValueError:
        raise InvalidError("--waves, --soak or --errors: out of range; see: loa updates start --help") from None
    return await services.rollouts.start(ACTOR, wanted)


def _sign(options: argparse.Namespace) -> int:
    now = system_clock()
    packed, found = _seen(options.bundle)
    try:
        release = Release(
            release=options.release,
            version=options.version or found.version or "0",
            board=options.board or _board(found),
            python=options.python,
            size=packed.size,
            sha256=packed.sha256,
            iat=int(now.timestamp()),
            exp=int((now + timedelta(days=options.days)).timestamp()),
            keys=tuple(_public(path) for path in options.hand_on),
        )
        check_contents(release, found)
    except (ValueError, ProtocolError) as error:
        raise ReleaseFileError(f"{options.bundle}: cannot be released: {error}") from None
    target = options.bundle.with_name(f"{options.bundle.name}.release")
    write_whole(target, _key(options.key).sign(release) + b"\n", mode=0o644)
    _line(release.release, release.version, release.board, release.python, packed.size, target)
    return 0


def _seen(path: Path) -> tuple[Packed, Contents]:
    """Read a bundle as a node will."""
    try:
        with path.open("rb") as file:
            packed = Packed(file, MAX_BUNDLE_BYTES)
            return packed, look(packed)
    except ProtocolError as error:
        raise ReleaseFileError(f"{path}: not a bundle of the agent ({error}); make one with: make bundle") from None


def _board(found: Contents) -> Board:
    """Say for which board a bundle is; where it is for none or for two, whichever is named is refused."""
    return "arm64" if "arm64" in found.boards else "amd64"


def _key(path: Path) -> SigningKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{path}: not a private key ({error}); see: loa keys make-update-key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: not an Ed25519 key; see: loa keys make-update-key")
    return SigningKey(key)


def _public(path: Path) -> TrustedKey:
    try:
        return decode(path.read_bytes(), TrustedKey)
    except ProtocolError as error:
        raise KeyFileError(f"{path}: not the public half of a key ({error}); give the file .pub") from None


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


def _summary(rollout: RolloutOut) -> tuple[object, ...]:
    counts = ",".join(f"{state}={count}" for state, count in rollout.counts.items())
    state = rollout.state if rollout.reason is None else f"{rollout.state} ({rollout.reason})"
    wave = f"wave {rollout.wave} of {len(rollout.waves)}"
    return (rollout.id, rollout.release, rollout.version, state, wave, counts)


def _show(rollout: RolloutWithNodes) -> None:
    _line(*_summary(rollout))
    for each in rollout.nodes:
        _line(each.node_id, each.node_name, each.state, each.reason or "-", each.status, "" if each.able else "unable")


def _line(*words: object) -> None:
    """Show one line; what a node says may bring control characters for a terminal."""
    text = "\t".join(str(word) for word in words)
    sys.stdout.write("".join(each if each.isprintable() or each == "\t" else "?" for each in text).rstrip() + "\n")
