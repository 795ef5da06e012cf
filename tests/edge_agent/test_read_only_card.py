"""A memory card on which the kernel gives up: a real ext4 file system that is mounted read-only under the node."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.config import StateDir
from edge_agent.ending import alone
from edge_agent.errors import ConfigError, NoSpaceError
from edge_agent.shelf import Shelf
from edge_agent.store import Store

pytestmark = pytest.mark.fault("F26")

MIB = 1 << 20


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def card(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Give a folder on a card, and what makes the kernel give that card up."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("mounting a card needs root and mkfs.ext4")
    image, folder = tmp_path / "card.img", tmp_path / "card"
    with image.open("wb") as file:
        file.truncate(24 * MIB)
    folder.mkdir()
    try:
        _run("mkfs.ext4", "-q", "-F", str(image))
        _run("mount", "-o", "loop,errors=remount-ro", str(image), str(folder))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no loop device to mount here: {error.stderr!r}")
    try:
        device = folder.stat().st_dev
        sys = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        trigger = Path("/sys/fs/ext4", sys, "trigger_fs_error")

        def give_up() -> None:
            trigger.write_text("1", encoding="ascii")

        yield folder, give_up
    finally:
        _run("umount", "--lazy", str(folder))


def test_a_node_whose_card_is_given_up_goes_on_and_starts_again(
    card: tuple[Path, Callable[[], None]], tmp_path: Path
) -> None:
    state, give_up = StateDir(card[0] / "state"), card[1]
    state.root.mkdir()
    name, sound = hashlib.sha256(b"sound").hexdigest(), b"sound"
    with alone(state):
        store, shelf = Store.open(state.database), Shelf(state.media)
        store.put_meta("held", b"1")
        give_up()
        store.put_meta("held", b"2")
        assert store.unwritable is not None
        assert store.meta("held") == b"2"
        with pytest.raises(OSError, match="Read-only"):
            shelf.put(name, sound)
        shelf.go_aside(tmp_path / "memory")
        shelf.put(name, sound)
        assert shelf.source(name) == sound
        with pytest.raises(ConfigError, match="another"), alone(state):
            pass
        store.close()
    with alone(state):
        again = Store.open(state.database)
        assert again.meta("held") == b"1", "what the card had"
        again.put_meta("held", b"3")
        assert again.unwritable is not None
        assert again.meta("held") == b"3"
        again.close()


def test_in_memory_there_is_room_for_some_recordings_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.shelf.ASIDE_BYTES", 25)
    shelf = Shelf(tmp_path / "card")
    shelf.go_aside(tmp_path / "memory")
    old, new = (hashlib.sha256(sound).hexdigest() for sound in (b"old sound 1", b"new sound 2"))
    shelf.put(old, b"old sound 1")
    shelf.make_room(11, {new})
    assert shelf.has(old)
    shelf.put(new, b"new sound 2")
    shelf.make_room(11, {new})
    assert not shelf.has(old)
    assert shelf.has(new)
    with pytest.raises(NoSpaceError):
        shelf.make_room(20, {new})
