"""Writes ``docs/benchmarks.md`` from what runs have left behind."""

from collections.abc import Sequence

from tests.bench.figures import MISSED, REACHED, UNMEASURED, Result
from tests.bench.machine import QUIET_PERCENT

INTRODUCTION = (
    "Written by `make bench`; do not edit. What is measured, and how, stands in `tests/bench/`. Targets are those of"
    " the design. Everything runs on one machine over loopback, with TLS and client certificates throughout; the"
    " outputs of nodes are virtual where it says so."
)
DISTURBED = "The machine was not quiet: others were at work. These figures say little about Loa alone."
ELSEWHERE = (
    ("live speech, microphone → output", "p95 ≤ 300 ms"),
    ("10,000 virtual nodes", "≤ 1 core, ≤ 400 MB"),
    ("media serving, behind nginx", "≥ 80% of nginx alone"),
)
"""Targets of the design for which there is no benchmark yet."""


def render(machine: dict[str, str], results: Sequence[Result]) -> str:
    """Give the page."""
    lines = [
        "# Benchmarks",
        "",
        INTRODUCTION,
        "",
        "Machine: " + "; ".join(f"{name} {value}" for name, value in machine.items()) + ".",
        "",
        *_summary(results),
    ]
    for result in results:
        lines += ["", *_section(result)]
    return "\n".join(lines) + "\n"


def _summary(results: Sequence[Result]) -> list[str]:
    rows = [row for result in results for row in result.rows if row.verdict]
    counts = [f"{sum(row.verdict == verdict for row in rows)} {verdict}" for verdict in (REACHED, MISSED, UNMEASURED)]
    lines = ["## Targets", "", f"{', '.join(counts)}.", "", "| what | target | found | verdict |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.target} | {row.value} | {_marked(row.verdict)} |" for row in rows]
    return lines + [f"| {what} | {target} | – | {UNMEASURED} |" for what, target in ELSEWHERE]


def _section(result: Result) -> list[str]:
    lines = [f"## {result.title}", "", f"Payload: {result.payload}.", ""]
    lines.append(
        f"Measured {result.at} in {result.seconds:.0f} s; before it began, others used {result.busy_before:.0f} % of"
        " all cores."
    )
    if result.busy_before > QUIET_PERCENT:
        lines += ["", f"**{DISTURBED}**"]
    if result.quick:
        lines += ["", "**A quick run, to see that the harness works. Its figures mean little.**"]
    lines += ["", "| what | found | measurements | target | verdict |", "|---|---|---|---|---|"]
    for row in result.rows:
        samples = str(row.samples) if row.samples else ""
        lines.append(f"| {row.what} | {row.value} | {samples} | {row.target} | {_marked(row.verdict)} |")
    return [*lines, "", *result.notes] if result.notes else lines


def _marked(verdict: str) -> str:
    return f"**{verdict}**" if verdict == MISSED else verdict
