"""Which of two documents rules: the higher ``(epoch, version)``."""

from typing import NamedTuple

from .documents import Signed
from .errors import StaleError


class Version(NamedTuple):
    """Compared in this order."""

    epoch: int
    version: int


def check_newer(document: Signed, held: Version | None, *, floor_epoch: int = 1) -> Version:
    """Give the document's version if it rules over the one held.

    ``floor_epoch`` is the epoch of the settings, which the policy key signs: nothing older has effect.

    Raises:
        StaleError: the same or an older version, or below the floor.
    """
    found = Version(document.epoch, document.version)
    if found.epoch < floor_epoch:
        raise StaleError(f"{type(document).__name__} of epoch {found.epoch}, the node is in {floor_epoch}")
    if held is not None and found <= held:
        raise StaleError(f"{type(document).__name__} {found}, held {held}")
    return found
