"""How far the audit was seen to reach, noted beside the database: what is cut off at its end no hash in it can tell."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from controller.errors import LoaError
from controller.files import write_whole

HEAD_FILE = "audit.head"
"""In the folder of keys: whoever exchanges the database does not exchange this with it."""
NOTE = "note-audit"
"""Name of the scheduler's work."""
NOTE_S = 60
_HEX = frozenset("0123456789abcdef")


class HeadError(LoaError):
    """This is no head of an audit."""

    code = "audit_head"


@dataclass(frozen=True)
class Head:
    """The last entry that somebody saw."""

    seq: int
    hash: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Take ``SEQ:HASH``, as ``str`` gives it.

        Raises:
            HeadError: it is none.
        """
        seq, _, digest = text.strip().partition(":")
        if not (seq.isascii() and seq.isdecimal() and len(digest) == 64 and _HEX.issuperset(digest)):
            raise HeadError(f"{text.strip()[:80]!r} is no head of an audit; it looks like 42:9f86d081… (64 digits)")
        return cls(int(seq), digest)

    def __str__(self) -> str:
        """Give it as people write it down."""
        return f"{self.seq}:{self.hash}"


def noted(path: Path) -> Head | None:
    """Give the head that was noted; None: none so far.

    Raises:
        HeadError: the file is damaged.
    """
    try:
        return Head.read(path.read_text("ascii", "replace"))
    except FileNotFoundError:
        return None
    except HeadError as error:
        raise HeadError(f"{path}: {error.message}") from None


def note(path: Path, head: Head) -> None:
    """Keep a head."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, f"{head}\n".encode())
