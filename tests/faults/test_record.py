"""Results add up: what one session gave is not taken back by another that only knows of the test."""

import ast
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.faults.record import Record
from tests.faults.since import OF_THE_NODE, PRODUCT, changed_since, rooms_of

GIVEN: list[tuple[str, Any]] = [("fault", "F24"), ("source", "abc"), ("count", "14 cuts")]


def test_what_a_session_gave_outlives_one_that_had_begun_before(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    slow, quick = (Record(file, commit, today="2026-11-22") for commit in ("aaa", "bbb"))
    for one in (slow, quick):
        one.know("tests/a.py::test_a", ["F24"], "abc")
        one.know("tests/a.py::test_b", ["F24"], "abc")
    quick.ended("tests/a.py::test_a", "passed", GIVEN)
    slow.ended("tests/a.py::test_b", "failed", GIVEN)
    kept = Record(file, "ccc", today="2026-11-22").kept
    assert {name: (one.end, one.commit) for name, one in kept.items()} == {
        "tests/a.py::test_a": ("passed", "bbb"),
        "tests/a.py::test_b": ("failed", "aaa"),
    }


def test_a_test_that_is_no_more_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    record = Record(file, "aaa", today="2026-11-22")
    record.ended("tests/a.py::test_gone", "passed", GIVEN)
    record.forget_others({"tests/a.py": {"tests/a.py::test_a"}})
    record.write()
    assert Record(file, "bbb", today="2026-11-22").kept == {}


def row(record: Record) -> str:
    return next(line for line in record.document().splitlines() if line.startswith("| F24 "))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"aaa": 0, "bbb": 0}, "product since: the same |"),
        ({"aaa": 1, "bbb": 0}, "product since: 1 file changed |"),
        ({"aaa": 12, "bbb": 3}, "product since: 12 files changed |"),
        ({"aaa": None, "bbb": 3}, "product since: unknown |"),
    ],
)
def test_a_row_says_how_far_the_product_has_gone_on_since_its_first_result(
    tmp_path: Path, counts: dict[str, int | None], said: str
) -> None:
    for commit in counts:
        record = Record(tmp_path / "r", commit, today="2026-11-22", changed_since=lambda name, _: counts[name])
        record.know("tests/a.py::test_not_run", ["F24"], "abc")
        record.ended(f"tests/a.py::test_{commit}", "passed", GIVEN)
    assert row(record).endswith(said)
    assert "`bbb`, at which this page was written" in record.document()


def test_what_never_ran_has_no_product_to_be_held_against(tmp_path: Path) -> None:
    record = Record(tmp_path / "r", "aaa", today="2026-11-22", changed_since=lambda *_: 7)
    record.know("tests/a.py::test_a", ["F24"], "abc")
    assert row(record).endswith("| not run |")


def test_git_counts_the_files_of_the_rooms_alone_and_knows_no_other_commit(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        told = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org", *words]
        return subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()

    def commit() -> str:
        git("add", "--all")
        git("-c", "commit.gpgsign=false", "commit", "-q", "--no-verify", "-m", "a state")
        return git("rev-parse", "--short=8", "HEAD")

    git("init", "-q")
    for name in ("audio/a.py", "controller/a.py", "controller/b.py", "docs/a.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("first")
    old = commit()
    for name in ("audio/a.py", "controller/a.py", "docs/a.md"):
        (tmp_path / name).write_text("second")
    (tmp_path / "controller/b.py").rename(tmp_path / "controller/c.py")
    new = commit()
    assert changed_since(tmp_path, old, PRODUCT) == 4
    assert changed_since(tmp_path, f"{old}+", OF_THE_NODE) == 1
    assert changed_since(tmp_path, new, PRODUCT) == 0
    changed_since.cache_clear()
    (tmp_path / "audio/a.py").write_text("not committed")
    (tmp_path / "controller/new.py").write_text("not even added")
    assert changed_since(tmp_path, new, PRODUCT) == 2, "what runs is what lies here"
    assert changed_since(tmp_path, "0123abcd", PRODUCT) is None
    assert changed_since(tmp_path, "", PRODUCT) is None


def test_no_test_of_the_agent_reaches_the_centre() -> None:
    """What ``rooms_of`` rests on."""
    tests = Path(__file__).parents[1]
    assert rooms_of("tests/edge_agent/test_store.py::test_a") == OF_THE_NODE
    assert rooms_of("tests/faults/test_nodes.py::test_a") == PRODUCT
    for file in (tests / "edge_agent").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            words = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            words += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            strangers = [
                word for word in words if word.startswith(("controller", "web", "tests.controller", "tests.web"))
            ]
            assert strangers == [], file
