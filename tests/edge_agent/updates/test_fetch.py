"""A bundle comes over HTTPS: continued where it broke off, behind what is to sound, and never put in place wrong."""

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.download import Throttle
from edge_agent.errors import FetchError
from edge_agent.protocol.errors import MalformedError
from edge_agent.updates import fetch
from edge_agent.updates.layout import Inbox
from tests.edge_agent.centre.authority import Authority
from tests.edge_agent.centre.files import FileServer
from tests.edge_agent.updates.making import release

BUNDLE = bytes(range(256)) * 1024
PATH = f"/updates/{release(2, BUNDLE).sha256}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    Authority(tmp_path).server(tmp_path)
    made = FileServer(tmp_path)
    made.shelves.files[PATH] = BUNDLE
    yield made
    made.close()


def bring(server: FileServer, folder: Path, throttle: Throttle | None = None) -> bytes:
    """Fetch it; gives what lies in its place."""
    inbox, one = Inbox(folder), release(2, BUNDLE)
    tls = ssl.create_default_context(cafile=folder / "ca.crt")
    fetch.bring(inbox, one, fetch.over_https(server.url, lambda: tls, throttle or Throttle(threading.Event())))
    assert list(folder.glob("*.part")) == []
    return inbox.bundle(one.sha256).read_bytes()


def test_a_bundle_is_continued_where_it_broke_off(server: FileServer, tmp_path: Path) -> None:
    server.shelves.broken_after[PATH] = 100_000
    with pytest.raises(FetchError):
        bring(server, tmp_path)
    assert bring(server, tmp_path) == BUNDLE
    assert [path for path, _ in server.shelves.asked] == [PATH, PATH]
    continued = server.shelves.asked[1][1]
    assert continued is not None
    assert 0 < int(continued.removeprefix("bytes=").removesuffix("-")) <= 100_000


@pytest.mark.fault("F27")
def test_wrong_bytes_are_thrown_away_and_begun_anew(server: FileServer, tmp_path: Path) -> None:
    server.shelves.files[PATH] = BUNDLE[:-1] + b"?"
    with pytest.raises(MalformedError):
        bring(server, tmp_path)
    assert list(tmp_path.glob("*.part")) == list(tmp_path.glob("*.tar.xz")) == []
    server.shelves.files[PATH] = BUNDLE + b"more"
    with pytest.raises(FetchError):
        bring(server, tmp_path)
    server.shelves.files[PATH] = BUNDLE
    assert bring(server, tmp_path) == BUNDLE


def test_a_bundle_stands_still_while_something_that_is_to_sound_comes(server: FileServer, tmp_path: Path) -> None:
    looks = 0

    def pause() -> bool:
        nonlocal looks
        looks += 1
        return looks % 2 == 1  # between any two pieces

    assert bring(server, tmp_path, Throttle(threading.Event(), pause)) == BUNDLE
    assert looks >= 2 * len(BUNDLE) // (8 * 1024)
