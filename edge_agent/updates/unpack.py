"""Lays a bundle into a folder, as plain files: nothing is followed, replaced or made executable."""

import os
from collections.abc import Iterable
from pathlib import Path

from edge_agent import failpoints
from edge_agent.protocol.bundles import Packed, members


def unpack(packed: Packed, into: Path) -> None:
    """Lay all of it into a folder that is empty.

    Raises:
        BundleError: something in it has no place in an agent.
        OSError: the disk refuses.
    """
    for member, pieces in members(packed):
        path = into.joinpath(*member.parts)
        folder = path if member.is_folder else path.parent
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not member.is_folder:
            _write(path, pieces)
            failpoints.reach("update.file")


def sync(folder: Path) -> None:
    """Put every file and folder on the disk for good.

    Raises:
        OSError: the disk refuses: what lies there cannot be trusted.
    """
    failpoints.reach("update.before_files")
    os.sync()  # in one go; then each by itself, which is quick and tells what failed
    for top, _, files in os.walk(folder):
        for path in (*(Path(top) / name for name in files), Path(top)):
            if path.is_symlink():
                continue  # it is its folder's
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    failpoints.reach("update.after_files")


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "wb") as file:
        file.writelines(pieces)
        os.fchmod(file.fileno(), 0o644)
