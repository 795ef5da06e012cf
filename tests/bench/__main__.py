"""``python -m tests.bench [NAME…] [--quick]``: measure, keep what was found beside this file, write the page.

Figures are kept in ``results``, so that a part can be measured anew without the others; the measurements that they
were made from stay on this machine, in ``var/bench``.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench import (
    ears,
    fanout,
    looks,
    machine,
    orders,
    pages,
    receipts,
    replan,
    resources,
    schedules,
    slow,
    starts,
    transcode,
)
from tests.bench.figures import Result
from tests.bench.render import render
from tests.e2e.journeys import figures as journeys

ROOT = Path(__file__).resolve().parents[2]
KEPT, RAW = Path(__file__).parent / "results", ROOT / "var" / "bench"
PAGE = ROOT / "docs" / "benchmarks.md"
QUICK = RAW / "quick"
"""Folder of quick runs: they never overwrite a real figure, nor the page."""

Bench = Callable[..., Awaitable[Result]]
BENCHES: dict[str, Bench] = {
    "starts": starts.run,
    "fanout": fanout.run,
    "armed": orders.armed,
    "stop": orders.stop,
    "slow": slow.run,
    "transcode": transcode.run,
    "agent": resources.agent,
    "controller": resources.controller,
    "receipts": receipts.run,
    "schedules": schedules.run,
    "day": looks.day,
    "whatif": looks.what_if,
    "replan": replan.run,
    "pages": pages.run,
    "ears": ears.run,
}


def main() -> int:
    """Run what was asked for; the status tells whether all of it could be measured."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    folder = QUICK if options.quick else KEPT
    failed = [name for name in options.names or BENCHES if not _run_one(name, folder, quick=options.quick)]
    if options.quick:
        _say(f"a quick run: {PAGE.name} stays as it is")
    else:
        (folder / "machine.json").write_text(json.dumps(machine.describe(), indent=1) + "\n")
        write_page(folder, PAGE)
        _say(f"wrote {PAGE.relative_to(ROOT)}")
    if failed:
        _say(f"not measured: {', '.join(failed)}")
    return 1 if failed else 0


def write_page(folder: Path, page: Path) -> None:
    """Write the page from what is kept, of this run and of earlier ones; what ``make console`` wrote stays."""
    results = [Result.load(folder / f"{name}.json") for name in BENCHES if (folder / f"{name}.json").exists()]
    theirs = journeys.part_of(page.read_text("utf-8")) if page.is_file() else ""
    page.write_text(journeys.put(render(json.loads((folder / "machine.json").read_text()), results), theirs), "utf-8")


def _run_one(name: str, folder: Path, *, quick: bool) -> bool:
    busy, begun = machine.busy_percent(), time.perf_counter()
    _say(f"{name}: measuring (others use {busy:.0f} % of all cores)")
    try:
        result = asyncio.run(_measure(BENCHES[name], quick=quick))
    except Exception:  # one of many may fail; it is named, and the status tells
        logging.getLogger(__name__).exception("%s could not be measured", name)
        (folder / f"{name}.json").unlink(missing_ok=True)  # an old figure must not stand in for a failed one
        return False
    result.quick, result.busy_before, result.seconds = quick, busy, time.perf_counter() - begun
    result.save(folder, QUICK if quick else RAW)
    for row in result.rows:
        _say(f"  {row.what}: {row.value}{f' ({row.target}: {row.verdict})' if row.verdict else ''}")
    return True


async def _measure(bench: Bench, *, quick: bool) -> Result:
    return await bench(quick=quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures Loa on this machine.")
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="a smoke run: few measurements, the page stays")
    return parser


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
