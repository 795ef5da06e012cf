"""The starter of the agent: what runs, how often a trial may begin, and who ends one that says nothing."""

import os
import subprocess
import time
from pathlib import Path

import pytest

STARTER = Path(__file__).resolve().parents[2] / "deploy" / "debian" / "loa-agent"


@pytest.fixture
def slots(tmp_path: Path) -> Path:
    """Two environments whose python says where it lies; ``b`` is on trial."""
    (tmp_path / "state" / "update").mkdir(parents=True)
    for name in ("a", "b"):
        python = tmp_path / name / "bin" / "python3"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\necho {name} "$@"\n[ ! -e "{tmp_path}/hang" ] || exec sleep 60\n')
        python.chmod(0o755)
    (tmp_path / "current").symlink_to("a")
    (tmp_path / "trial").symlink_to("b")
    (tmp_path / "b" / "attempt").write_text("2-1 3600\n")
    return tmp_path


def start(slots: Path, *words: str, timeout_s: float = 20) -> tuple[str, int]:
    """Start it; gives the environment that was chosen and how it ended."""
    env = {"PATH": os.environ["PATH"], "LOA_SLOTS": str(slots), "LOA_AGENT_STATE": str(slots / "state")}
    with subprocess.Popen(["sh", STARTER, *words], env=env, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline().decode().split()
        status = process.wait(timeout_s)
        subprocess.run(["pkill", "--session", str(process.pid)], check=False)  # the one that waits for its end
    assert said[1:4] == ["-I", "-m", "edge_agent"]
    return said[0], status


def update(slots: Path, name: str) -> Path:
    return slots / "state" / "update" / name


@pytest.mark.fault("F27")
def test_a_trial_gets_three_starts_and_then_never_again(slots: Path) -> None:
    assert [start(slots, "run")[0] for _ in range(5)] == ["b", "b", "b", "a", "a"]
    (slots / "b" / "attempt").write_text("2-2 3600\n")  # asked for anew
    assert start(slots, "run")[0] == "b"


def test_only_a_run_is_a_start(slots: Path) -> None:
    assert [start(slots, *words)[0] for words in (["self-test"], ["enroll", "--qr"], ["--version"])] == ["a"] * 3
    assert not update(slots, "tries.2-1").exists()


@pytest.mark.parametrize(("word", "name"), [("good", "b"), ("no_link", "a"), ("overdue", "a")])
def test_after_the_verdict_it_is_obeyed_before_anybody_has_moved_the_names(slots: Path, word: str, name: str) -> None:
    update(slots, "over.2-1").write_text(f"{word}\n")
    assert [start(slots, "run")[0] for _ in range(5)] == [name] * 5


@pytest.mark.parametrize("broken", ["no attempt", "no slot", "no folder", "no trial", "no counting"])
def test_whatever_is_missing_what_was_good_last_runs(slots: Path, broken: str) -> None:
    if broken == "no attempt":
        (slots / "b" / "attempt").unlink()
    elif broken == "no slot":
        (slots / "trial").unlink()
        (slots / "trial").symlink_to("c/d")
    elif broken == "no trial":
        (slots / "trial").unlink()
    elif broken == "no counting":
        update(slots, "tries.2-1").mkdir()
    else:
        update(slots, ".").rmdir()
    assert start(slots, "run")[0] == "a"


def test_while_something_sounds_or_is_due_no_trial_begins_and_none_is_counted(slots: Path) -> None:
    update(slots, "later.2-1").touch()
    assert [start(slots, "run")[0] for _ in range(4)] == ["a"] * 4
    assert not update(slots, "tries.2-1").exists()
    update(slots, "later.2-1").unlink()
    assert start(slots, "run")[0] == "b"


@pytest.mark.fault("F27")
def test_a_trial_that_says_nothing_is_ended_and_over(slots: Path) -> None:
    (slots / "b" / "attempt").write_text("2-1 1\n")
    (slots / "hang").touch()
    begun_s = time.monotonic()
    name, status = start(slots, "run")
    assert (name, status) == ("b", -15)
    assert time.monotonic() - begun_s >= 1
    assert update(slots, "over.2-1").read_text() == "overdue\n"
    (slots / "hang").unlink()
    assert start(slots, "run")[0] == "a"
