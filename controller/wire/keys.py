"""The centre's signing keys and its epoch, made on first start. They stand beside the database, and in no backup."""

import base64
import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec.structs import replace

from controller.errors import LoaError
from controller.files import write_whole
from controller.people.sealing import KEY_BYTES
from controller.signing.ring import LIFE, Ring, RingKey, Step, drop, switch
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import KeyUse

SEAL_FILE = "secrets.key"
"""In the folder of keys: opens what rows keep sealed."""
RING_FILE = "ring.json"
EPOCH_FILE = "epoch"


class KeyFileError(LoaError):
    """A file in the folder of keys cannot be used. It is never replaced by itself: nodes trust what it held."""

    code = "key_file"


class Keys:
    """What the centre signs with: the ring, and the private halves. Read again by ``refresh``."""

    def __init__(self, folder: Path) -> None:
        """Read the keys and the epoch, making what is not there yet.

        Raises:
            KeyFileError: a file is there and is not what it should be.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self.epoch = _read_epoch(folder / EPOCH_FILE)
        """Rises with every restore; nothing of an older one has effect on a node."""
        self.ring = read_ring(folder)
        self._held = self._read_halves(self.ring)

    @property
    def dispatch(self) -> SigningKey:
        """Signs what is to sound, and answers."""
        return self._held[self.ring.signing(KeyUse.DISPATCH).kid]

    @property
    def policy(self) -> SigningKey:
        """Signs settings, but for nodes that do not hold it yet."""
        return self._held[self.ring.signing(KeyUse.POLICY).kid]

    @property
    def trusted(self) -> tuple[TrustedKey, ...]:
        """Public halves, for nodes."""
        return self.ring.trusted

    def named(self, kid: str) -> SigningKey:
        """Give a key of the ring by its name."""
        return self._held[kid]

    def refresh(self) -> bool:
        """Read the ring again, which a command beside us may have changed; say whether it was.

        Raises:
            KeyFileError: a file is not what it should be.
        """
        found = read_ring(self._folder)
        if found == self.ring:
            return False
        halves = self._read_halves(found)
        # Others sign meanwhile (this is in a thread): whichever ring they look at, its halves are there.
        self._held = self._held | halves
        self.ring = found
        self._held = halves
        return True

    def change(self, ring: Ring) -> None:
        """Let another ring be valid, on the disk first; private halves that are in it no more are destroyed."""
        write_ring(self._folder, ring)
        self.refresh()

    def turn(self, use: KeyUse, now: datetime, lagging: Collection[str] = ()) -> None:
        """Let the rotation of a use go on by one step; ``lagging``: nodes that do not hold the new key."""
        ring = self.ring
        if ring.of(use, Step.COMING) is not None:
            self.change(switch(ring, use, now))
        elif ring.of(use, Step.LEAVING) is not None:
            self.change(drop(ring, use, now, lagging))

    def awake(self, asleep: Collection[str]) -> None:
        """Say which nodes still sleep, of those that did."""
        self.change(replace(self.ring, asleep=tuple(each for each in self.ring.asleep if each in asleep)))

    def _read_halves(self, ring: Ring) -> dict[str, SigningKey]:
        ours = [key for key in ring.keys if key.file]
        halves = {key.kid: SigningKey(_there(self._folder / key.file)) for key in ours}
        wrong = [key.file for key in ours if halves[key.kid].kid != key.kid]
        if wrong:
            raise KeyFileError(
                f"{self._folder / wrong[0]}: not the key that {RING_FILE} names; put the right file back"
            )
        return halves


def load_keys(folder: Path) -> Keys:
    """Read the keys and the epoch, making what is not there yet.

    Raises:
        KeyFileError: a file is there and is not what it should be.
    """
    return Keys(folder)


def read_ring(folder: Path) -> Ring:
    """Read which keys there are; the first time they are made, or taken over from a centre that had no ring.

    Raises:
        KeyFileError: the file is there and is no ring.
    """
    path = folder / RING_FILE
    text = read_or_make(path, lambda: _encoded(_first_ring(folder)))
    try:
        ring = msgspec.json.decode(text, type=Ring)
        ring.signing(KeyUse.DISPATCH), ring.signing(KeyUse.POLICY)
    except (msgspec.DecodeError, StopIteration):
        raise KeyFileError(f"{path}: names no keys; put the right file back") from None
    return ring


def write_ring(folder: Path, ring: Ring) -> None:
    """Write which keys there are, then destroy the private halves that are of use no more."""
    before = read_ring(folder)
    write_whole(folder / RING_FILE, _encoded(ring))
    for key in {key.file for key in before.keys if key.file} - {key.file for key in ring.keys}:
        (folder / key).unlink(missing_ok=True)


def new_key(folder: Path, use: KeyUse, now: datetime) -> RingKey:
    """Make a key, its private half in a file of its own. It is of no effect before it stands in the ring."""
    private = Ed25519PrivateKey.generate()
    name = f"{use}-{SigningKey(private).kid}.key"
    write_whole(folder / name, private_pem(private), replace=False)
    return _described(folder, name, use, now)


def _first_ring(folder: Path) -> Ring:
    """Describe the keys of a centre that never changed them: their age counts from now."""
    now = datetime.now(UTC)
    uses = (KeyUse.DISPATCH, KeyUse.POLICY)
    return Ring(keys=tuple(_described(folder, f"{use}.key", use, now) for use in uses))


def _described(folder: Path, name: str, use: KeyUse, now: datetime) -> RingKey:
    trusted = SigningKey(ed25519_key(folder / name)).trusted_as(use)
    times = {"made_at": now, "since_at": now, "ends_at": now + LIFE}
    return RingKey(use=use, kid=trusted.kid, x=trusted.x, file=name, step=Step.SIGNING, **times)


def _encoded(ring: Ring) -> bytes:
    return msgspec.json.format(msgspec.json.encode(ring)) + b"\n"


def ed25519_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key, or make it.

    Raises:
        KeyFileError: not an Ed25519 key in PEM.
    """
    read_or_make(path, lambda: private_pem(Ed25519PrivateKey.generate()))
    return _there(path)


def _there(path: Path) -> Ed25519PrivateKey:
    """Read a private key that must be there."""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror}); put the right file back") from None
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{path}: not a private key ({error}); put the right file back") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: not an Ed25519 key; put the right file back")
    return key


def secret_key(path: Path) -> bytes:
    """Read a key for what rows keep sealed, or make it; it stands beside the signing keys, and like them in no backup.

    Raises:
        KeyFileError: not 32 bytes in base64.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = read_or_make(path, lambda: base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"{path}: not a key of {KEY_BYTES} bytes in base64; put the right file back")
    return key


def private_pem(key: Ed25519PrivateKey) -> bytes:
    """Write a private key as unencrypted PKCS #8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """Give the content of a secret file; the first one to come makes it, and all get the same.

    Raises:
        KeyFileError: the file is there and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror})") from None
    write_whole(path, make(), replace=False)
    return path.read_bytes()


def write_epoch(folder: Path, epoch: int) -> None:
    """Begin another life of the centre; it takes effect with the next start."""
    write_whole(folder / EPOCH_FILE, f"{epoch}\n".encode())


def _read_epoch(path: Path) -> int:
    text = read_or_make(path, lambda: b"1\n").decode("ascii", "replace").strip()
    if not text.isdecimal() or int(text) < 1:
        raise KeyFileError(f"{path}: holds {text[:20]!r}, an epoch is a whole number from 1")
    return int(text)
