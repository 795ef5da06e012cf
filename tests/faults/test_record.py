"""Results add up: what one session gave is not taken back by another that only knows of the test."""

from pathlib import Path
from typing import Any

from tests.faults.record import Record

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
