"""Writes ``docs/faults.md`` from what ran: every fault, its promise, the tests that try it, and how they ended.

A test says what it tries by ``@pytest.mark.fault("F12")``, wherever it stands; figures it measured come by
``record_property("figure", ...)``.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.faults.table import ELSEWHERE, FAULTS

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
_HEAD = """\
# Faults

What may go wrong, what we promise then, and whether it held. Written by `make faults` from the tests that ran; what is
written by hand stands in `tests/faults/table.py`. Evidence here is simulated: outputs are virtual, and what sounded is
read from their own records, sample by sample. "No test" and "not run" mean what they say.

| | fault | promise | tests | result |
|---|---|---|---|---|
"""


class Table:
    """What ran, by fault."""

    def __init__(self) -> None:
        self._ended: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._whole = True
        self._collected: dict[str, set[str]] = defaultdict(set)
        self._figures: dict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a test that is over."""
        if report.when != "call" and report.outcome == "passed":
            return
        given = [(name, str(value)) for name, value in report.user_properties]
        for fault in [value for name, value in given if name == "fault"]:
            test = _name(report.nodeid)
            self._ended[fault][test].append(report.outcome)
            self._figures[fault] += [value for name, value in given if name == "figure"]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Know what there is, though it may not run."""
        for item in session.items:
            for _, fault in [one for one in item.user_properties if one[0] == "fault"]:
                self._collected[str(fault)].add(_name(item.nodeid))

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """A table of a part would say "no test" of the rest."""
        self._whole = self._whole and not items

    def pytest_sessionfinish(self) -> None:
        """Write the document."""
        if (self._ended or self._collected) and self._whole:
            DOCUMENT.write_text(_HEAD + "".join(self._rows()), encoding="utf-8")

    def _rows(self) -> Iterator[str]:
        for name, (fault, promise) in FAULTS.items():
            tests = {test: self._ended[name][test] for test in self._collected[name] | set(self._ended[name])}
            words = "<br>".join(f"`{test}`{_times(ends)}" for test, ends in sorted(tests.items()))
            result = _result(tests)
            figures = "; ".join(dict.fromkeys(self._figures[name]))
            yield f"| {name} | {fault} | {promise} | {words} | {result}{f' ({figures})' if figures else ''} |\n"


@pytest.fixture
def ram() -> Iterator[Path]:
    """Give a folder in memory where there is one: thousands of commits need no real disk to be tried."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None, prefix="loa-faults-") as folder:
        yield Path(folder)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say whether the document is to be written."""
    parser.addoption("--faults-table", action="store_true", help="write docs/faults.md from what ran")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to take note; of several processes only the first."""
    if config.getoption("--faults-table", default=False) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(), "faults-table")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each report tell which faults its test is about, and leave what takes long to `make faults`."""
    if not os.environ.get("LOA_FAULTS_LONG"):
        if long := [item for item in items if item.get_closest_marker("long")]:
            config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    for item in items:
        for marker in item.iter_markers("fault"):
            for name in marker.args:
                if name not in FAULTS:
                    raise pytest.UsageError(f"{item.nodeid}: no fault {name} in tests/faults/table.py")
                item.user_properties.append(("fault", name))
        for name, tests in ELSEWHERE.items():
            if item.nodeid.startswith(tests):
                item.user_properties.append(("fault", name))


def _name(nodeid: str) -> str:
    return nodeid.partition("[")[0].rpartition("/")[2].replace(".py::", ": ")


def _result(tests: dict[str, list[str]]) -> str:
    ended = {end for ends in tests.values() for end in ends}
    if not tests:
        return "no test"
    if not ended:
        return "not run"
    if ended != {"passed"}:
        return ", ".join(sorted(ended))
    return "held" if all(tests.values()) else "held, as far as it ran"


def _times(ends: list[str]) -> str:
    return f" ×{len(ends)}" if len(ends) > 1 else ""
