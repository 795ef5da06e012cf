"""The certificates that were voided before their end, in a file beside the authority's key.

The rows say so too; but rows are put back from copies, and a theft is not to be forgotten with them.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from controller.errors import LoaError
from controller.files import write_whole


class VoidBookError(LoaError):
    """The file cannot be read."""

    code = "keys"


class Voided(msgspec.Struct, frozen=True):
    """A certificate that is void before its end."""

    node_id: str
    serial: str
    """Hexadecimal."""
    at: datetime
    expires_at: datetime
    """From then on nobody needs to be told."""


class VoidBook:
    """Grows, and forgets what has ended anyway."""

    def __init__(self, folder: Path) -> None:
        """Read the book of an authority's folder.

        Raises:
            VoidBookError: it is damaged.
        """
        self._path, self._entries = folder / "void.json", dict[str, Voided]()
        if self._path.exists():
            try:
                found = msgspec.json.decode(self._path.read_bytes(), type=tuple[Voided, ...])
            except msgspec.DecodeError as error:
                raise VoidBookError(f"{self._path}: damaged ({error}); put it back from the copy of the keys") from None
            self._entries = {each.serial: each for each in found}

    def at(self, now: datetime) -> list[Voided]:
        """Give those that would still be good, by serial number."""
        return [each for _, each in sorted(self._entries.items()) if each.expires_at > now]

    def add(self, voided: Iterable[Voided], now: datetime) -> None:
        """Write down what is new; on the disk when this returns."""
        known = {each.serial: each for each in self.at(now)}
        wanted = known | {each.serial: each for each in voided if each.serial not in known}
        if wanted.keys() != known.keys():
            write_whole(self._path, msgspec.json.encode(sorted(wanted.values(), key=lambda each: each.serial)))
        self._entries = wanted
