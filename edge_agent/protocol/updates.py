"""Updates of the agent: what the update key says may exist, which of it a node takes, and what became of it.

When and where is the dispatch key's to say: a release rides inside a ``Command``. What a bundle is made of stands in
``bundles``.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, NamedTuple

from msgspec import Meta

from .documents import TrustedKey
from .errors import ExpiredError, MalformedError, NotNewerError, WrongBoardError, WrongPythonError
from .fields import Code, Count, Id, NumericDate, Positive, Sha256, Wire, utc

Board = Literal["amd64", "arm64"]
"""Debian's name of the processor."""

PythonVersion = Annotated[str, Meta(pattern=r"^3\.[0-9]{1,3}\Z")]
"""The minor version for which the parts of a bundle are built."""

MAX_BUNDLE_BYTES = 128 * 1024 * 1024
"""Packed. The first one has 39 MB."""


class Release(Wire, frozen=True, kw_only=True):
    """One bundle for one kind of board, as a compact JWS with an update key."""

    word: ClassVar[str] = "release"
    """Names the kind in the token: ``loa-release``."""

    release: Positive
    """Rises with every release; a node never takes a lower one than it has taken."""
    version: Annotated[str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+~-]{0,31}\Z")]
    """For people."""
    board: Board
    python: PythonVersion
    size: Annotated[int, Meta(ge=1, le=MAX_BUNDLE_BYTES)]
    """Bytes of the bundle."""
    sha256: Sha256
    """Of the bundle, at ``/updates/{sha256}``."""
    iat: NumericDate
    exp: NumericDate
    """From then on no node begins with it."""
    keys: Annotated[tuple[TrustedKey, ...], Meta(max_length=4)] = ()
    """The update keys that a node believes once this release is good; empty: those that it believes now."""

    def __post_init__(self) -> None:
        """Check that there is time to take it, and what its keys are for."""
        super().__post_init__()
        if self.iat >= self.exp:
            raise ValueError("Release: iat must be before exp")
        if any(key.use != "update" for key in self.keys):
            raise ValueError("Release.keys: only update keys are handed on by a release")


class UpdateState(StrEnum):
    """How far a release has come on a node, in this order; the last three are ends."""

    FETCHING = "fetching"
    WAITING = "waiting"
    """It lies there, unpacked and looked at, until nothing sounds or is due soon."""
    TRYING = "trying"
    """It runs, and has to show that it can."""
    GOOD = "good"
    RETURNED = "returned"
    """It could not, and the one before it runs again."""
    REFUSED = "refused"
    """It was never run."""


class UpdateReport(Wire, frozen=True, kw_only=True):
    """What became of the last release that a node was told to take."""

    command_id: Id | None = None
    """The command that told; absent when it is not known any more."""
    release: Count = 0
    """0 when the token could not be read or believed."""
    version: Annotated[str, Meta(max_length=32)] = ""
    state: UpdateState
    reason: Code | None = None
    """With ``returned`` and ``refused``: why. With ``fetching``: why the last attempt failed."""


class Machine(NamedTuple):
    """What a bundle has to be built for."""

    board: Board
    python: str


def check_release(release: Release, machine: Machine, *, taken: int, good: int, now: datetime | None) -> None:
    """Refuse a release that this node must not take.

    ``taken`` is the highest that it ever began to unpack, ``good`` the highest that ran well: one that was taken and
    was not good may be tried again. ``now`` is None where no clock is trusted.

    Raises:
        WrongBoardError: for another processor.
        WrongPythonError: for another Python.
        NotNewerError: lower than one that was taken, or one that runs already.
        ExpiredError: ``now`` is at or after ``exp``.
    """
    name = f"release {release.release} ({release.version})"
    if release.board != machine.board:
        raise WrongBoardError(f"{name} is for {release.board}, this is {machine.board}")
    if release.python != machine.python:
        raise WrongPythonError(f"{name} is for Python {release.python}, this is {machine.python}")
    if release.release < taken or release.release <= good:
        raise NotNewerError(f"{name} is not newer than {max(taken, good)}")
    if now is not None and now >= utc(release.exp):
        raise ExpiredError(f"{name} was to be taken until {utc(release.exp).isoformat()}")


def check_bundle(release: Release, *, size: int, sha256: str) -> None:
    """Refuse a file that is not the bundle of this release.

    Raises:
        MalformedError: another size or hash.
    """
    if (size, sha256) != (release.size, release.sha256):
        raise MalformedError(
            f"bundle of {size} bytes, {sha256[:12]}…: release {release.release} has {release.size} bytes,"
            f" {release.sha256[:12]}…"
        )
