"""Where the two halves of an update meet: files that one of them writes and the other only reads.

The half that lays environments down comes with the card and is never updated itself, so what stands here stays readable
for both: words are added, never changed or taken away.
"""

import os
import platform
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

from edge_agent.config import write_atomically
from edge_agent.errors import AgentError
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.updates import Board, Machine, Release

OPT = Path("/opt/loa")
"""Environments, and the names by which they are run (decision 0027). The agent cannot write it."""
CARD_KEY = Path("/etc/loa-agent/update-key.pub")
"""The update key that the card was made with, if it was; on the root that nobody writes (``deploy/image/trusted``)."""
SLOTS = ("a", "b")
CURRENT, TRIAL = "current", "trial"
"""Links to a slot: the one that was good last, and the one that has to show that it is."""
MAX_STARTS = 3
"""Of one trial; ``deploy/debian/loa-agent`` counts them."""
GOOD, CRASHED, OVERDUE = "good", "crashed", "overdue"
NOT_QUIET = "not_quiet"
"""No verdict: the trial has not begun, and something sounds or is due. It is taken back, and may be asked for again."""
_BOARDS: dict[str, Board] = {"x86_64": "amd64", "aarch64": "arm64"}
_LONGEST = 1024 * 1024
_StructT = TypeVar("_StructT", bound=msgspec.Struct)


class UpdateError(AgentError):
    """An update cannot be laid down; the message says why."""

    code = "update"


class TrustLostError(UpdateError):
    """Which keys are believed, and what was taken before, cannot be read any more."""

    code = "trust_lost"


class Verdict(msgspec.Struct, frozen=True):
    """How a trial ended."""

    attempt: str
    word: str
    """``good``, or why it was not."""


class Ask(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the agent wants: ``ask.json`` of its folder, whole each time."""

    keys: tuple[TrustedKey, ...] = ()
    """The update keys that the agent has been told, pinned when none are."""
    wish: str = ""
    """Names the asking: what was refused is not looked at again until somebody asks anew."""
    release: str | None = None
    """The token of the release whose bundle lies beside this."""
    limit_s: int = 3600
    """A trial that has said nothing for so long is ended."""
    go: str | None = None
    """The attempt that may begin now: nothing sounds, nothing is due soon."""
    verdict: Verdict | None = None


class Refusal(msgspec.Struct, frozen=True):
    """A release that was not laid down."""

    wish: str
    code: str
    detail: str


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What has been laid down: ``told.json`` beside the slots, whole each time."""

    pins: tuple[TrustedKey, ...] = ()
    """The update keys that are believed. The first are the card's, or those of the first asking; later ones come in
    releases."""
    taken: int = 0
    """The highest release that was ever begun."""
    good: int = 0
    """The highest that was ever good."""
    attempts: int = 0
    ready: str | None = None
    """The attempt that can begin."""
    ready_sha256: str | None = None
    """Of its token."""
    refused: Refusal | None = None


class Laid(msgspec.Struct, frozen=True):
    """What a slot holds: ``release.json`` in it."""

    attempt: str
    release: Release


class Inbox:
    """The agent's folder; who lays down only reads it."""

    def __init__(self, root: Path) -> None:
        self.root, self.ask = root, root / "ask.json"

    def bundle(self, sha256: str) -> Path:
        """Where a whole bundle lies."""
        return self.root / f"{sha256}.tar.xz"

    def part(self, sha256: str) -> Path:
        """Where a download grows."""
        return self.root / f"{sha256}.part"

    def tries(self, attempt: str) -> Path:
        """A byte for each start of a trial, by the starter."""
        return self.root / f"tries.{attempt}"

    def over(self, attempt: str) -> Path:
        """How a trial ended, a word: ``good`` or why not; by the one on trial, or by the starter."""
        return self.root / f"over.{attempt}"

    def later(self, attempt: str) -> Path:
        """While it is there the starter does not begin with a trial: something sounds or is due."""
        return self.root / f"later.{attempt}"


class Opt:
    """The folder of the slots; the agent only reads it."""

    def __init__(self, root: Path = OPT) -> None:
        self.root, self.told_path, self.copy_path = root, root / "told.json", root / "told.copy.json"

    def told(self) -> Told:
        """Read what has been laid down, from its copy if need be; nothing is believed where neither can be read."""
        return read(self.told_path, Told) or read(self.copy_path, Told) or Told()

    def is_lost(self) -> bool:
        """Say whether there was something that cannot be read any more: nobody may begin anew in its place."""
        if read(self.told_path, Told) is not None or read(self.copy_path, Told) is not None:
            return False
        there = (self.told_path, self.copy_path, *(self.root / slot / "release.json" for slot in SLOTS))
        return any(os.path.lexists(path) for path in there)

    def laid(self, name: str) -> Laid | None:
        """Read what lies in a slot, or behind a link to one; None for the card's own."""
        return read(self.root / name / "release.json", Laid)

    def on_trial(self) -> str | None:
        """Name the attempt that is on trial."""
        laid = self.laid(TRIAL) if os.path.lexists(self.root / TRIAL) else None
        return laid.attempt if laid else None


def read(path: Path, kind: type[_StructT]) -> _StructT | None:
    """Read one of these files; None when it is not there or is none of them."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_LONGEST), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def write(path: Path, what: msgspec.Struct) -> None:
    """Write one of these files, so that a power cut leaves the old or the new one."""
    write_atomically(path, msgspec.json.encode(what))


def this_machine() -> Machine | None:
    """Say what a bundle has to be built for; None on a processor for which there are none."""
    board = _BOARDS.get(platform.machine())
    return Machine(board, f"{sys.version_info.major}.{sys.version_info.minor}") if board else None


def running(prefix: Path | None = None) -> Laid | None:
    """Say which release this process is of; None for what came with the card."""
    return read((prefix or Path(sys.prefix)) / "release.json", Laid)
