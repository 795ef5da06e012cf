"""``loa keys``: which keys nodes believe, and how they are replaced. A centre that runs goes on by itself."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.clock import system_clock
from controller.files import write_whole
from controller.signing.ring import Ring, RotationError, begin, drop_update, trust_update
from controller.wire.keys import RING_FILE, KeyFileError, new_key, private_pem, read_ring, write_ring
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.errors import ProtocolError
from edge_agent.protocol.fields import decode
from edge_agent.protocol.signing import SigningKey, TrustStore
from edge_agent.protocol.states import KeyUse

from .settings import add_state, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    for each in add_acts(acts):
        add_state(each)
    update = acts.add_parser("make-update-key", help="make the key that signs software; keep it away from the centre")
    update.add_argument("file", type=Path, help="where its private half goes; the public one beside it, .pub")


def add_acts(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> Sequence[argparse.ArgumentParser]:
    """Declare what is done with a folder of keys, whoever owns it: here, or where the signer stands apart."""
    shown = acts.add_parser("list", help="which keys there are, how far they are, and when they end")
    rotate = acts.add_parser("rotate", help="replace a key without a gap")
    rotate.add_argument("use", choices=[KeyUse.DISPATCH.value, KeyUse.POLICY.value])
    rotate.add_argument("--stolen", action="store_true", help="others may have it: believed no more, at once")
    leave = "nodes that do not hold the policy key of now will have to be adopted anew"
    rotate.add_argument("--leave-behind", action="store_true", help=leave)
    trust = acts.add_parser("trust-update-key", help="let nodes believe what a new update key signs")
    trust.add_argument("file", type=Path, help="its public half, .pub")
    drop = acts.add_parser("drop-update-key", help="let nodes believe an update key no more")
    drop.add_argument("key", help="its name; see: list")
    drop.add_argument("--stolen", action="store_true", help="others may have it: never believed again")
    return shown, rotate, trust, drop


def run(options: argparse.Namespace) -> int:
    """Do it.

    Raises:
        LoaError: the keys cannot be read, or not be replaced now.
    """
    if options.act == "make-update-key":
        return _make_update_key(options.file)
    config = read_config(options)
    if config.signer is not None:
        raise RotationError("the signer stands apart and has the keys; as its user: loa signer --folder FOLDER rotate")
    act_on(config.keys, options)
    return 0


def act_on(folder: Path, options: argparse.Namespace) -> None:
    """Do it with a folder of keys, and say how that stands.

    Raises:
        LoaError: the keys cannot be read, or not be replaced now.
    """
    if not (folder / "dispatch.key").exists() and not (folder / RING_FILE).exists():
        raise KeyFileError(f"{folder}: no keys there; name the right folder")
    if options.act == "rotate":
        _rotate(folder, KeyUse(options.use), stolen=options.stolen, leave_behind=options.leave_behind)
    elif options.act != "list":
        write_ring(folder, _with_update_keys(read_ring(folder), options))
    ring = read_ring(folder)
    for key in ring.keys:
        sys.stdout.write(f"{key.use}\t{key.kid}\t{key.step}\tsince {key.since_at:%F}\tends {key.ends_at:%F}\n")
    for node_id in ring.asleep:
        sys.stdout.write(f"asleep\t{node_id}\n")


def _rotate(folder: Path, use: KeyUse, *, stolen: bool, leave_behind: bool) -> None:
    ring = read_ring(folder)
    begin(ring, ring.signing(use), stolen=stolen, leave_behind=leave_behind)  # before a key is made
    new = new_key(folder, use, system_clock())
    write_ring(folder, begin(ring, new, stolen=stolen, leave_behind=leave_behind))


def _with_update_keys(ring: Ring, options: argparse.Namespace) -> Ring:
    """Give the ring with one update key more, or less."""
    if options.act == "drop-update-key":
        return drop_update(ring, options.key, system_clock(), stolen=options.stolen)
    try:
        key = decode(options.file.read_bytes(), TrustedKey)
        TrustStore([key])
    except ProtocolError as error:
        raise KeyFileError(f"{options.file}: not the public half of a key ({error}); give the file .pub") from None
    return trust_update(ring, key, system_clock())


def _make_update_key(path: Path) -> int:
    public = path.with_suffix(path.suffix + ".pub")
    if path.exists() or public.exists():
        raise RotationError(f"{path}: is there already; a key is never overwritten")
    private = Ed25519PrivateKey.generate()
    trusted = SigningKey(private).trusted_as(KeyUse.UPDATE)
    write_whole(path, private_pem(private), replace=False)
    write_whole(public, msgspec.json.encode(trusted) + b"\n", mode=0o644, replace=False)
    sys.stdout.write(f"{trusted.kid}\t{public}\n")
    return 0
