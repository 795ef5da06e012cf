"""The set-up scripts, with stand-ins for the commands of the machine they run on."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETUP = ROOT / "deploy" / "setup"


class Machine:
    """A machine whose dpkg-query, id, sudo and apt-get we wrote; what apt-get was told is kept."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.told = folder / "told"
        self.installed = folder / "installed"
        self.installed.touch()
        self.command("apt-get", f'echo "$*" >>{self.told}')
        self.command("dpkg-query", f'for n; do :; done; grep -qx "$n" {self.installed} && printf installed')
        self.user(root=False, sudo=False)

    def command(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def user(self, *, root: bool, sudo: bool) -> None:
        self.command("id", f"echo {0 if root else 1000}")
        # sudo -n true, then sudo -n COMMAND
        self.command("sudo", 'shift; exec "$@"' if sudo else "exit 1")

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SETUP / script, *arguments],
            env={"PATH": f"{self.bin}:/usr/bin:/bin", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_is_said_or_asked_when_all_packages_are_there(machine: Machine) -> None:
    machine.installed.write_text("ffmpeg\nmosquitto\n")
    done = machine.run("debian", "ffmpeg", "mosquitto")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not machine.told.exists()


@pytest.mark.parametrize("way", [{"root": True, "sudo": False}, {"root": False, "sudo": True}])
def test_only_the_missing_packages_are_installed(machine: Machine, way: dict[str, bool]) -> None:
    machine.user(**way)
    machine.installed.write_text("ffmpeg\n")
    done = machine.run("debian", "ffmpeg", "mosquitto")
    assert done.returncode == 0
    update, install = machine.told.read_text().splitlines()
    assert "update" in update.split()
    assert "mosquitto" in install.split()
    assert "--no-install-recommends" in install.split()
    assert "ffmpeg" not in install.split()


def test_without_rights_one_line_says_what_to_type(machine: Machine) -> None:
    done = machine.run("debian", "ffmpeg", "mosquitto")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "sudo apt-get install --no-install-recommends ffmpeg mosquitto" in done.stderr
    assert not machine.told.exists()


def test_a_failing_apt_shows_its_own_words(machine: Machine) -> None:
    machine.user(root=True, sudo=False)
    machine.command("apt-get", "echo 'E: no space left'; exit 100")
    done = machine.run("debian", "ffmpeg")
    assert done.returncode != 0
    assert "no space left" in done.stderr


def test_a_list_is_read_without_its_comments(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# what for\nffmpeg # reads\n\nmosquitto\n")
    done = machine.run("debian", str(tmp_path / "list.txt"))
    assert done.stderr.endswith("--no-install-recommends ffmpeg mosquitto\n")


def test_an_old_python_is_named_and_refused(machine: Machine) -> None:
    machine.command("old-python", '[ "$1" = -V ] && echo Python 3.9.2; [ "$1" = -V ]')
    done = machine.run("venv", "edge", PYTHON="old-python")
    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        "setup: old-python is Python 3.9.2, Loa needs Python 3.11 or later; choose one with PYTHON=..."
    ]
