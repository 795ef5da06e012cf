"""The centre's signing keys and its epoch, made on first start. They stand beside the database, and in no backup."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from controller.errors import LoaError
from controller.files import write_whole
from controller.people.sealing import KEY_BYTES
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import KeyUse

SEAL_FILE = "secrets.key"
"""In the folder of keys: opens what rows keep sealed."""


class KeyFileError(LoaError):
    """A file in the folder of keys cannot be used. It is never replaced by itself: nodes trust what it held."""

    code = "key_file"


@dataclass(frozen=True)
class Keys:
    """What the centre signs with."""

    dispatch: SigningKey
    policy: SigningKey
    epoch: int
    """Rises with every restore; nothing of an older one has effect on a node."""

    @property
    def trusted(self) -> tuple[TrustedKey, ...]:
        """Public halves, for nodes."""
        return (self.dispatch.trusted_as(KeyUse.DISPATCH), self.policy.trusted_as(KeyUse.POLICY))


def load_keys(folder: Path) -> Keys:
    """Read the keys and the epoch, making what is not there yet.

    Raises:
        KeyFileError: a file is there and is not what it should be.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Keys(
        dispatch=SigningKey(ed25519_key(folder / "dispatch.key")),
        policy=SigningKey(ed25519_key(folder / "policy.key")),
        epoch=_read_epoch(folder / "epoch"),
    )


def ed25519_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key, or make it.

    Raises:
        KeyFileError: not an Ed25519 key in PEM.
    """
    pem = read_or_make(path, lambda: private_pem(Ed25519PrivateKey.generate()))
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


def _read_epoch(path: Path) -> int:
    text = read_or_make(path, lambda: b"1\n").decode("ascii", "replace").strip()
    if not text.isdecimal() or int(text) < 1:
        raise KeyFileError(f"{path}: holds {text[:20]!r}, an epoch is a whole number from 1")
    return int(text)
