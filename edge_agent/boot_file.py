"""What whoever prepares a card writes on its boot partition, ``loa.toml``: where the centre is and how it is known.

Keeps out: ``[wifi]``, which is the operating system's to read before there is a network (``deploy/image``).
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import ConfigError
from edge_agent.protocol.enrolment import CLAIM_ALPHABET

_LONGEST = 64 * 1024
"""Bytes; it is a page that a person types."""
_OTHERS = frozenset({"wifi"})
_CODE_LETTERS = 8


@dataclass(frozen=True, slots=True)
class BootFile:
    """One card's way to its centre."""

    server: str
    """The centre as nodes reach it, ``https://host:port``."""
    ca_sha256: str | None = None
    """Fingerprint of the centre's authority; without it the system's trusted authorities speak for the centre."""
    claim: str | None = None
    """The claim code that this node is to show, agreed beforehand; without it the node makes one up."""


def read_boot_file(path: Path) -> BootFile:
    """Read it; a word that nobody knows is a slip of the pen, and could have been the fingerprint.

    Raises:
        ConfigError: not there, not TOML, a word too few or too many, or a claim code that is none.
    """
    try:
        with path.open("rb") as file:
            words = tomllib.loads(file.read(_LONGEST).decode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    unknown = words.keys() - BootFile.__dataclass_fields__.keys() - _OTHERS
    if unknown:
        raise ConfigError(f"{path}: nobody knows {', '.join(sorted(unknown))}: look for a slip of the pen")
    taken = {name: _text(path, name, value) for name, value in words.items() if name not in _OTHERS}
    if "server" not in taken:
        raise ConfigError(f'{path}: server is missing: give it as server = "https://host:port"')
    if "claim" in taken:
        taken["claim"] = _claim(path, taken["claim"])
    return BootFile(**taken)


def _text(path: Path, name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f'{path}: {name} is no text: give it in quotation marks, {name} = "…"')
    return value.strip()


def _claim(path: Path, typed: str) -> str:
    letters = "".join(letter for letter in typed.upper() if letter not in "- ")
    if len(letters) != _CODE_LETTERS or not set(letters) <= set(CLAIM_ALPHABET):
        raise ConfigError(f"{path}: claim {typed!r} is no claim code: 8 of {CLAIM_ALPHABET}, as ABCD-2345")
    return f"{letters[:4]}-{letters[4:]}"
