"""Small bundles, a key that signs them, and the two folders in which the halves of an update meet."""

import hashlib
import io
import lzma
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.updates import Machine, Release
from edge_agent.updates.layout import Ask, Inbox, Opt, write
from edge_agent.updates.slots import Slots

UPDATE = SigningKey(Ed25519PrivateKey.from_private_bytes(b"update".ljust(32)))
NEXT = SigningKey(Ed25519PrivateKey.from_private_bytes(b"the next update key".ljust(32)))
STRANGER = SigningKey(Ed25519PrivateKey.from_private_bytes(b"stranger".ljust(32)))
PI = Machine("arm64", "3.11")
NOON_S = int(datetime(2026, 11, 22, 5, 0, tzinfo=UTC).timestamp())
FILES = {"edge_agent/__init__.py": b"", "edge_agent/agent.py": b"print('here')\n" * 99, "av/av.so": b"\x7fELF" * 999}


def tar_of(members: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    """Lay files into a POSIX tar, and whatever else is to be tried."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in extra:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return raw.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, *, to: str = "", size: int = 0) -> tarfile.TarInfo:
    """Make a member of any kind."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, to, size
    return info


GOOD = lzma.compress(tar_of(FILES))


def release(number: int, bundle: bytes = GOOD, /, **changes: object) -> Release:
    """Describe a bundle as whoever signs it does."""
    made = Release(
        release=number,
        version=f"0.{number}",
        board="arm64",
        python="3.11",
        size=len(bundle),
        sha256=hashlib.sha256(bundle).hexdigest(),
        iat=NOON_S,
        exp=NOON_S + 86_400,
    )
    return msgspec.structs.replace(made, **changes)


class Node:
    """The folders of one node, and whoever lays updates down there; the programs are never run."""

    def __init__(self, folder: Path) -> None:
        self.inbox, self.opt = Inbox(folder / "update"), Opt(folder / "opt")
        self.inbox.root.mkdir()
        self.opt.root.mkdir()
        self.package = folder / "package"
        self.package.mkdir()
        (self.opt.root / "a").symlink_to(self.package)
        (self.opt.root / "current").symlink_to("a")
        self.look: Callable[[Path], None] = lambda _: None
        self.keys = (UPDATE.trusted_as(KeyUse.UPDATE),)
        self.card_key = folder / "update-key.pub"

    def offer(self, one: Release, bundle: bytes = GOOD, *, key: SigningKey = UPDATE, name: str | None = None) -> str:
        """Lay a bundle beside what is asked; gives the token."""
        self.inbox.bundle(name or one.sha256).write_bytes(bundle)
        return key.sign(one).decode()

    def ask(self, **words: object) -> None:
        """Ask, as the agent does, and let it be done."""
        write(self.inbox.ask, Ask(**{"keys": self.keys, "wish": "c1", **words}))  # type: ignore[arg-type] # its words
        self.work()

    def work(self) -> None:
        """Do what is asked."""
        Slots(self.inbox, self.opt, card_key=self.card_key, machine=PI, look=self.look).work()

    def current(self) -> Path:
        """Where the starter begins, whatever is on trial."""
        return (self.opt.root / "current").resolve(strict=True)

    def refused(self) -> str | None:
        """Say why nothing was laid down."""
        found = self.opt.told().refused
        return found.code if found else None
