"""Keeps what each test of a fault last gave, and writes ``docs/faults.md`` from it.

Everything takes an hour, on a machine that others use too: so results add up. Each stands with the day, the commit and
the text of the test itself, and what has changed since says so. A test says what it tries by
``@pytest.mark.fault("F12")``, wherever it stands; words about it come by ``record_property("figure", ...)``, and what
is to be added up over its parts by ``record_property("count", "25 histories")``.

Loaded by ``-p tests.faults.record``; ``--collect-only`` writes the document anew without running anything.
"""

import fcntl
import hashlib
import inspect
import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.faults.since import changed_since, rooms_of
from tests.faults.table import ELSEWHERE, FAULTS

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "faults.md"
RESULTS = Path(os.environ.get("LOA_FAULTS_RESULTS") or Path(__file__).with_name("results.json"))
HEAD = """\
# Faults

What may go wrong, what we promise then, and whether it held. Written by `make faults` from the tests that ran; what is
written by hand stands in `tests/faults/table.py`. Evidence here is simulated: outputs are virtual, and what sounded is
read from their own records, sample by sample. A result is the last one that each test gave, with the commit it ran at;
a commit with a `+` had changes that were not committed. "No test" and "not run" mean what they say, and "changed since"
that the test itself is another now than the one that ran. Below each result stands how many of the product's files
changed from the oldest of its commits to `{commit}`, at which this page was written; what the agent's own tests gave is
held against the agent's files alone. The more there are, the less an old "held" says of what stands here.

| | fault | promise | tests | result |
|---|---|---|---|---|
"""
SEEN = """
## How soon a node says what is wrong

Measured in stepped time (`test_shown`), at five moments of each period: the longest, in seconds, from the moment in
which it could first be known to the node's own word. To the screen it is 3 s more. A lost node is the centre's to see.

| fault | looked at | said after | its end after |
|---|---|---|---|
"""


ChangedSince = Callable[[str, tuple[str, ...]], int | None]
"""How many of the product's files, in these rooms, changed since a commit; None: nobody knows."""


def _by_git(commit: str, rooms: tuple[str, ...]) -> int | None:
    return changed_since(ROOT, commit, rooms)


class Kept(msgspec.Struct, omit_defaults=True):
    """What one test last gave."""

    faults: list[str]
    source: str
    """Of the test's own text, so that a result can be told from one of another text under the same name."""
    end: str | None = None
    """None: it has not run."""
    ran_source: str = ""
    commit: str = ""
    day: str = ""
    figures: list[str] = []
    counts: list[str] = []
    seen: list[str] = []
    """Of a fault of a node: its name, its period, the longest until it was said, and until its end was."""

    @property
    def is_changed(self) -> bool:
        """Whether another text ran than stands there now."""
        return self.end is not None and self.ran_source != self.source


class Record:
    """All that were kept, by the tests' names. Several sessions may keep at the same time: each writes only its own."""

    def __init__(self, file: Path, commit: str, *, today: str, changed_since: ChangedSince = _by_git) -> None:
        self._file, self._commit, self._today = file, commit, today
        self._changed_since = changed_since
        self.kept: dict[str, Kept] = {}
        self._ours: dict[str, Kept | None] = {}
        """What this session has to say; None of a test that is no more."""
        self._ran: set[str] = set()
        """Of these, what it has run. Of the others it knows where they stand, and what they gave is another's word."""
        self._read()

    def know(self, nodeid: str, faults: list[str], source: str) -> Kept:
        """Take note that there is such a test."""
        one = self._ours[nodeid] = self.kept.setdefault(nodeid, Kept(faults, source))
        one.faults, one.source = faults, source
        return one

    def ended(self, nodeid: str, end: str, given: list[tuple[str, Any]]) -> None:
        """Keep what a test gave."""
        values: dict[str, list[str]] = defaultdict(list)
        for name, value in given:
            values[name].append(str(value))
        if not values["fault"]:
            return
        one = self.know(nodeid, values["fault"], values["source"][-1])
        self._ran.add(nodeid)
        one.end, one.ran_source, one.commit, one.day = end, one.source, self._commit, self._today
        one.figures, one.counts = values["figure"], values["count"]
        one.seen = values["seen"]
        self.write()

    def forget_others(self, present: Mapping[str, set[str]]) -> None:
        """Forget tests that are no more, of files that were read whole."""
        for nodeid in self.kept:
            file = nodeid.partition("::")[0]
            if file in present and nodeid not in present[file]:
                self._ours[nodeid] = None

    def write(self) -> None:
        """Save it at once: a run that is killed keeps what it had."""
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            self._read()
            lines = (msgspec.json.encode({name: self.kept[name]})[1:-1] for name in sorted(self.kept))
            fresh = self._file.with_suffix(".new")
            fresh.write_bytes(b"{\n" + b",\n".join(lines) + b"\n}\n")
            fresh.replace(self._file)
        finally:
            os.close(folder)

    def _read(self) -> None:
        text = self._file.read_bytes() if self._file.exists() else b"{}"
        found = msgspec.json.decode(text, type=dict[str, Kept])
        for nodeid, one in self._ours.items():
            if one is not None and nodeid in found and nodeid not in self._ran:
                self._ours[nodeid] = msgspec.structs.replace(found[nodeid], faults=one.faults, source=one.source)
        merged = {**found, **self._ours}
        self.kept = {name: one for name, one in merged.items() if one is not None}

    def document(self) -> str:
        """Give the table."""
        seen = sorted(line for one in self.kept.values() for line in one.seen)
        return (
            HEAD.format(commit=self._commit) + "".join(self._rows()) + SEEN + "".join(f"| {line} |\n" for line in seen)
        )

    def _rows(self) -> Iterator[str]:
        for name, (fault, promise) in FAULTS.items():
            tests: dict[str, list[Kept]] = defaultdict(list)
            for nodeid, one in sorted(self.kept.items()):
                if name in one.faults:
                    tests[_short(nodeid)].append(one)
            words = "<br>".join(f"`{test}`{_mark(parts)}" for test, parts in tests.items())
            yield f"| {name} | {fault} | {promise} | {words} | {_result(tests)}{self._since(name)} |\n"

    def _since(self, name: str) -> str:
        """Say how far the product has gone on since the first of a row's results."""
        ran = [(nodeid, one) for nodeid, one in self.kept.items() if name in one.faults and one.end]
        if not ran:
            return ""
        counts = [self._changed_since(one.commit, rooms_of(nodeid)) for nodeid, one in ran]
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            return "<br>product since: unknown"
        return f"<br>product since: {_files(max(known))}"


def _short(nodeid: str) -> str:
    return nodeid.partition("[")[0].rpartition("/")[2].replace(".py::", ": ")


def _mark(parts: list[Kept]) -> str:
    """Say of one test what its row does not."""
    words = [f" ×{len(parts)}"] if len(parts) > 1 else []
    for end, count in Counter(one.end for one in parts).items():
        if end != "passed":
            said = end or "not run"
            words.append(f" **{said}**" if count == len(parts) else f" **{count} {said}**")
    if any(one.is_changed for one in parts):
        words.append(" *changed since*")
    return "".join(words)


def _result(tests: Mapping[str, list[Kept]]) -> str:
    """Sum up a row: how it ended, when that was, and what was counted."""
    parts = [one for parts in tests.values() for one in parts]
    ran = [one for one in parts if one.end]
    if not parts:
        return "no test"
    if not ran:
        return "not run"
    ends = {one.end for one in ran}
    word = "held" if ends == {"passed"} else ", ".join(sorted(str(end) for end in ends - {"passed"}))
    if len(ran) < len(parts):
        word += ", as far as it ran"
    at = ", ".join(f"`{commit}` {day}" for commit, day in sorted({(one.commit, one.day) for one in ran}, key=_by_day))
    figures = [*_sums(ran), *dict.fromkeys(figure for one in ran for figure in one.figures)]
    counted = f" ({'; '.join(figures)})" if figures else ""
    return f"{word}{counted}<br>{at}"


def _files(count: int) -> str:
    return "the same" if count == 0 else f"{count} file{'s' if count > 1 else ''} changed"


def _by_day(at: tuple[str, str]) -> tuple[str, str]:
    return at[1], at[0]


def _sums(ran: list[Kept]) -> list[str]:
    sums: Counter[str] = Counter()
    for one in ran:
        for count in one.counts:
            number, _, what = count.partition(" ")
            sums[what] += int(number)
    return [f"{number:,} {what}" for what, number in sums.items()]


class Plugin:
    """Tells the record what a session does; of several processes only the first."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._deselected: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a test that is over."""
        if report.when == "call" or report.outcome != "passed":
            self._record.ended(report.nodeid, report.outcome, report.user_properties)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Know whose files were not read whole."""
        self._deselected |= {item.nodeid.partition("::")[0] for item in items}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Know what there is, though it may not run."""
        present: dict[str, set[str]] = defaultdict(set)
        for item in session.items:
            given = dict(item.user_properties)
            present[item.nodeid.partition("::")[0]].add(item.nodeid)
            if "fault" in given:
                faults = [str(value) for name, value in item.user_properties if name == "fault"]
                self._record.know(item.nodeid, faults, str(given["source"]))
        if not any("::" in arg for arg in session.config.args):
            for file in self._deselected:
                present.pop(file, None)
            self._record.forget_others(present)

    def pytest_sessionfinish(self) -> None:
        """Save it all, and write the document."""
        self._record.write()
        DOCUMENT.write_text(self._record.document(), encoding="utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say whether results are to be kept."""
    parser.addoption("--faults-table", action="store_true", help="keep results, and write docs/faults.md")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to take note."""
    if config.getoption("--faults-table") and not hasattr(config, "workerinput"):
        record = Record(RESULTS, _commit(), today=datetime.now(UTC).date().isoformat())
        config.pluginmanager.register(Plugin(record), "faults-table")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each report tell which faults its test is about, and which text of it ran."""
    for item in items:
        faults = [str(name) for marker in item.iter_markers("fault") for name in marker.args]
        if unknown := set(faults) - set(FAULTS):
            raise pytest.UsageError(f"{item.nodeid}: no fault {unknown} in tests/faults/table.py")
        faults += [name for name, tests in ELSEWHERE.items() if item.nodeid.startswith(tests)]
        if faults:
            item.user_properties += [("fault", name) for name in dict.fromkeys(faults)]
            item.user_properties.append(("source", _source(item)))


def _source(item: pytest.Item) -> str:
    text = inspect.getsource(item.function) if isinstance(item, pytest.Function) else item.name
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _commit() -> str:
    """Name what runs: told by who made a copy of it, or asked of git."""
    if told := os.environ.get("LOA_FAULTS_COMMIT"):
        return told
    git = ["git", "-C", str(ROOT)]
    named = subprocess.run([*git, "rev-parse", "--short=8", "HEAD"], capture_output=True, text=True, check=False)
    ours = [":!docs/faults.md", ":!tests/faults/results.json"]
    changed = [*git, "status", "--porcelain", "--untracked-files=no", "--", ".", *ours]
    is_changed = subprocess.run(changed, capture_output=True, text=True, check=False).stdout.strip()
    return (named.stdout.strip() or "unknown") + ("+" if is_changed else "")
