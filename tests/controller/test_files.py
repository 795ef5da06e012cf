"""Files stand whole or not at all, and in this order: the bytes on the disk, then the name, then the folder."""

import errno
import os
from pathlib import Path

import pytest

from controller.files import settle, write_whole


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk, in order."""
    done: list[str] = []
    fsync, replace, link = os.fsync, Path.replace, Path.hardlink_to

    def noted_fsync(descriptor: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir() else "bytes")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        done.append("name")
        return replace(self, target)

    def noted_link(self: Path, target: Path) -> None:
        done.append("name")
        link(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    monkeypatch.setattr(Path, "hardlink_to", noted_link)
    return done


@pytest.mark.parametrize("replace", [True, False])
def test_a_name_is_given_to_bytes_that_are_on_the_disk_and_the_folder_keeps_it(
    tmp_path: Path, order: list[str], *, replace: bool
) -> None:
    write_whole(tmp_path / "ca.key", b"secret", replace=replace)
    assert order == ["bytes", "name", "folder"]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("ca.key", b"secret")]


def test_a_file_that_arrived_keeps_its_name_too(tmp_path: Path, order: list[str]) -> None:
    (tmp_path / "a.part").write_bytes(b"sound")
    settle(tmp_path / "a.part", tmp_path / "a")
    assert order == ["name", "folder"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_the_mode_is_the_one_asked_for_whatever_stood_there(tmp_path: Path, mode: int) -> None:
    (tmp_path / "key").write_bytes(b"old")
    (tmp_path / "key").chmod(0o666)
    write_whole(tmp_path / "key", b"new", mode=mode)
    assert (tmp_path / "key").stat().st_mode & 0o777 == mode


def test_the_first_one_stays(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", b"first", replace=False)
    write_whole(tmp_path / "key", b"second", replace=False)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("key", b"first")]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    write_whole(tmp_path / "key", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(tmp_path / "key", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("key", b"old")]
