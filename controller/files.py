"""Files that are there whole or not at all, also after a power cut. What stands in them is not known here."""

import os
import tempfile
from pathlib import Path
from typing import IO


def write_whole(path: Path, content: bytes, *, mode: int = 0o600, replace: bool = True) -> None:
    """Put a file in place in one step; with ``replace=False`` one that is there already stays."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            sync_file(file)
        if replace:
            settle(temporary, path)
        else:
            _settle_first(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def settle(written: Path, path: Path) -> None:
    """Give a file that is on the disk its name, and make the name stay."""
    written.replace(path)
    _sync_folder(path.parent)


def name_beside(path: Path, other: Path) -> None:
    """Give a file that is on the disk a second name, and make it stay."""
    other.hardlink_to(path)
    _sync_folder(other.parent)


def sync_file(file: IO[bytes]) -> None:
    """Wait until what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _settle_first(written: Path, path: Path) -> None:
    """Give it the name unless another one has it: the first to come wins, and all then read the same."""
    try:
        path.hardlink_to(written)
    except FileExistsError:
        return
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
