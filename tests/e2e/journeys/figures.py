"""What the journeys measured: kept in ``build/journeys.json``, written into ``docs/benchmarks.md``.

``python -m tests.e2e.journeys.figures`` writes the section anew; ``make console`` does so when the journeys are over.
"""

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.machine import describe

ROOT = Path(__file__).resolve().parents[3]
FIGURES = ROOT / "build" / "journeys.json"
PAGE = ROOT / "docs" / "benchmarks.md"
HEADING = "## The console's journeys"
ISSUE_S: Mapping[str, float] = {
    "did it sound everywhere?": 5,
    "say now": 15,
    "tomorrow 05:00 from a template": 60,
    "leader approves": 20,
    "emergency, first person": 30,
    "emergency, second person": 15,
    "sick node, call the helper": 30,
}
"""Seconds that the issue allows a journey, besides speaking and listening."""
SOUND_S = 3
"""From Send to sound at the last node."""
USABLE_S = 2
"""Of a page on the slow link, until its scripts have run."""
PATIENCE = 2
"""So many times what the issue allows fails a test: it was slower than any other work on the machine explains."""
INTRODUCTION = (
    "Written by `make console`, each row when its journey was last gone; do not edit. A real centre, its broker and"
    " three agents with virtual outputs on one machine, Chromium beside them with a hand that never thinks: seconds are"
    " the machine's share of a journey, from Hôm nay to its end, besides speaking and listening. Taps that the hour"
    " asks for (a yes to speaking at night) are told apart. A test fails above the issue's taps, and above twice its"
    " seconds; sound within twice its 3 s."
)
SLOW_LINK = (
    "Pages at 400 kbit/s and 400 ms, nothing in the browser's cache, usable when their scripts have run, whole when"
    " those have run, too, that come later (what keeps drafts, sends recordings and hears of news); a test fails above"
    " the issue's bytes, and above twice its seconds."
)
ALONE = (
    "*Emergency, alone* is the first person's journey and two taps more, the fold and the button of its reason: the"
    " issue asks of the reasons that they are buttons, and counts none of their taps."
)
PAGE_COLUMNS = ("page", "on", "bytes", "requests", "usable after", "whole after", "the issue", "when, load")
COLUMNS = ("journey", "on", "taps", "of these for the hour", "seconds", "sound after send", "the issue", "when, load")


def now() -> dict[str, Any]:
    """Say when something is measured, and what else the machine does: its load of the last minute."""
    return {"at": datetime.now(UTC).isoformat(timespec="minutes"), "load": round(os.getloadavg()[0], 1)}


def beyond(row: Mapping[str, Any]) -> list[str]:
    """Name the figures of a journey that are far beyond what the issue allows."""
    limits = {"seconds": ISSUE_S.get(row["journey"], math.inf), "sound_s": SOUND_S, "usable_s": USABLE_S}
    return [f"{name}: {row[name]}, of {limit}" for name, limit in limits.items() if row.get(name, 0) > PATIENCE * limit]


def kept(path: Path = FIGURES) -> list[dict[str, Any]]:
    """Read what is kept."""
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return found


def keep_figures(rows: Sequence[Mapping[str, Any]], path: Path = FIGURES) -> None:
    """Keep what was measured beside what stands there from other files, the newest of each."""
    path.parent.mkdir(exist_ok=True)
    found = {(row["journey"], row["look"]): row for row in [*kept(path), *rows]}
    path.write_text(json.dumps(list(found.values()), ensure_ascii=False, indent=1) + "\n", "utf-8")


def section(rows: Sequence[Mapping[str, Any]], machine: Mapping[str, str]) -> str:
    """Write the figures as a section of the page."""
    order = {journey: place for place, journey in enumerate(ISSUE_S)}
    rows = sorted(rows, key=lambda row: order.get(row["journey"], len(order)))
    named = [name for name in ("processor", "cores", "memory", "kernel") if name in machine]
    told = "; ".join(f"{name} {machine[name]}" for name in named)
    pages = [row for row in rows if "usable_s" in row]
    lines = [HEADING, "", INTRODUCTION, "", f"Machine: {told}.", "", *_heads(COLUMNS)]
    lines += [_line(row) for row in rows if row not in pages]
    if any(row["journey"] == "emergency, alone" for row in rows):
        lines += ["", ALONE]
    if pages:
        lines += ["", SLOW_LINK, "", *_heads(PAGE_COLUMNS), *map(_page_line, pages)]
    return "\n".join(lines) + "\n"


def _heads(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def _line(row: Mapping[str, Any]) -> str:
    sound = f"{row['sound_s']} s" if "sound_s" in row else ""
    cells = (row["journey"], row["look"], row["taps"], row["besides"] or "", f"{row['seconds']} s", sound)
    return _cells(*cells, row.get("issue", ""), _when(row))


def _page_line(row: Mapping[str, Any]) -> str:
    figures = (row["bytes"], row["requests"], f"{row['usable_s']} s", f"{row['whole_s']} s" if "whole_s" in row else "")
    return _cells(row["journey"], row["look"], *figures, row.get("issue", ""), _when(row))


def _cells(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _when(row: Mapping[str, Any]) -> str:
    """Say when it was measured, and what load the machine had."""
    return f"{row['at']}, {row['load']}" if "at" in row else "not known"


def part_of(page: str) -> str:
    """Give the section as it stands in a page, which others may write anew; empty when there is none."""
    _, heading, after = page.partition(HEADING)
    return heading + after


def put(page: str, part: str) -> str:
    """Give a page with this section, its last."""
    before = page.partition(HEADING)[0].rstrip()
    return f"{before}\n\n{part}" if part else f"{before}\n"


def main() -> int:
    """Write the section; without figures the page stays as it is."""
    rows = kept()
    if rows:
        PAGE.write_text(put(PAGE.read_text("utf-8"), section(rows, describe())), "utf-8")
    sys.stderr.write(f"{len(rows)} journeys in {PAGE.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
