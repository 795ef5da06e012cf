"""What people type, as processes: help, errors in one line, exit status."""

import subprocess
import sys
from pathlib import Path

import pytest


def loa_agent(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_agent", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env or None, check=False)


@pytest.mark.parametrize("words", [[], ["run"], ["enroll"], ["self-test"]])
def test_every_command_has_help(words: list[str]) -> None:
    done = loa_agent(*words, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: loa-agent")


@pytest.mark.parametrize(("words", "says"), [
    (["run"], "run `loa-agent enroll` first"),
    (["enroll", "--server", "http://centre"], "https://host:port"),
    (["enroll", "--server", "https://centre", "--ca-sha256", "ab12"], "64 hexadecimal digits"),
])  # fmt: skip
def test_a_mistake_ends_in_one_clear_line(tmp_path: Path, words: list[str], says: str) -> None:
    done = loa_agent(*words, "--state", str(tmp_path), "--output=virtual")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("loa-agent: ")
    assert says in done.stderr


@pytest.mark.parametrize(("words", "says"), [
    (["enroll", "--boot-file=HERE/none", "--state=HERE/state"], "none cannot be read: No such file or directory"),
    (["enroll", "--boot-file=HERE/folder", "--state=HERE/state"], "folder cannot be read: Is a directory"),
    (["enroll", "--boot-file=HERE/empty", "--state=HERE/state"], "empty: server is missing"),
    (["update", "HERE/none", "HERE/folder"], "none: there is no such folder"),
    (["update", "HERE/folder", "HERE/empty"], "empty: there is no such folder"),
])  # fmt: skip
def test_a_file_or_folder_that_cannot_be_used_is_named(tmp_path: Path, words: list[str], says: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    done = loa_agent(*(word.replace("HERE", str(tmp_path)) for word in words))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"loa-agent: {tmp_path}/{says}")


def test_a_state_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = loa_agent("run", "--state", str(tmp_path / "file" / "state"))
    assert done.returncode == 1
    assert "cannot be made" in done.stderr


def test_a_disk_that_takes_nothing_more_is_said_in_one_line(tmp_path: Path) -> None:
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "from edge_agent.cli import main\n"
        f"sys.exit(main(['enroll', '--server', 'https://127.0.0.1:1', '--state', {str(tmp_path)!r}]))\n"
    )
    command = [sys.executable, "-B", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == f"loa-agent: {tmp_path}: File too large: mend it, or give another --state\n"


def test_the_state_directory_may_come_from_the_environment(tmp_path: Path) -> None:
    done = loa_agent("run", LOA_AGENT_STATE=str(tmp_path / "here"), PATH="/usr/bin:/bin")
    assert str(tmp_path / "here" / "node.json") in done.stderr


def test_self_test_tells_what_is_wrong_line_by_line(tmp_path: Path) -> None:
    done = loa_agent("self-test", "--state", str(tmp_path), "--output=virtual")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["FAILED", "identity:"],
        ["ok", "store:"],
        ["ok", "disk:"],
        ["ok", "output:"],
    ]
