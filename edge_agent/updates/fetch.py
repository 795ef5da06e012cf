"""Brings a bundle to the node, in worker threads: continued where it broke off, behind everything that is to sound."""

import hashlib
import os
import ssl
from collections.abc import Callable
from pathlib import Path

from edge_agent import failpoints
from edge_agent.config import sync_directory
from edge_agent.download import Throttle, get
from edge_agent.protocol.errors import MalformedError
from edge_agent.protocol.updates import Release, check_bundle
from edge_agent.updates.layout import Inbox

_PIECE = 1024 * 1024


def bring(inbox: Inbox, release: Release, download: Callable[[Release, Path], None]) -> None:
    """Continue or begin, and put the bundle in its place when it is whole.

    Raises:
        FetchError: it broke off; what has come is kept.
        MalformedError: it is not the one that was signed; it is thrown away.
        OSError: the disk refuses.
    """
    part = inbox.part(release.sha256)
    for old in inbox.root.glob("*.part"):
        if old != part:
            old.unlink()
    if not part.exists() or part.stat().st_size < release.size:
        download(release, part)
    try:
        check_bundle(release, size=part.stat().st_size, sha256=_hash(part))
    except MalformedError:
        part.unlink()
        raise
    part.chmod(0o644)
    with part.open("rb") as file:
        failpoints.reach("bundle.before_sync")
        os.fsync(file.fileno())
    failpoints.reach("bundle.before_rename")
    part.rename(inbox.bundle(release.sha256))
    failpoints.reach("bundle.after_rename")
    sync_directory(inbox.root)


def over_https(base_url: str, tls: Callable[[], ssl.SSLContext], throttle: Throttle) -> Callable[[Release, Path], None]:
    """Make what downloads from the centre."""

    def download(release: Release, part: Path) -> None:
        with part.open("ab") as file:
            offset = file.tell()
        with part.open("r+b") as file:
            file.seek(offset)
            url = f"{base_url}/updates/{release.sha256}"
            get(url, tls(), into=file, offset=offset, limit=release.size, throttle=throttle)

    return download


def tidy(inbox: Inbox, *, keep: str | None) -> None:
    """Throw away what no update needs any more, but what is known of one attempt."""
    kept = {inbox.ask} | ({inbox.tries(keep), inbox.over(keep)} if keep else set())
    for path in inbox.root.iterdir():
        if path not in kept:
            path.unlink(missing_ok=True)


def _hash(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
