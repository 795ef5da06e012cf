"""Takes the pages' pictures anew: all into build/screenshots, those of the guide into docs/screenshots.

``make screenshots``; ``python -m tests.screenshots say plan`` takes those of two rooms, ``--guide`` those that the
guide shows alone. The guide itself is written anew each time.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterable
from html import escape
from pathlib import Path

from tests.screenshots.camera import GUIDE_BYTES, keep_small, speech_like, stage_of, take
from tests.screenshots.guide import GUIDE as TEXT
from tests.screenshots.guide import written
from tests.screenshots.listing import LISTING, lacking, listing, looks
from tests.screenshots.table import SHOWN, Shot, all_shots
from tests.web.browser import chromium
from web.app import PAGES

ROOT = Path(__file__).resolve().parents[2]
FOLDER, GUIDE = ROOT / "build" / "screenshots", ROOT / "docs" / "screenshots"
FOR_GUIDE = "--guide"


def sheet(name: str, shots: tuple[Shot, ...]) -> str:
    """Write the page on which the pictures of one room lie beside each other."""
    rows = [
        f"<h2>{escape(shot.name)} · {escape(shot.state)}</h2><p>"
        + "".join(f'<a href="{file}"><img src="{file}" width="300" alt="{file}"></a> ' for file in _files(shot))
        for shot in shots
    ]
    return f'<!doctype html><meta charset="utf-8"><title>{escape(name)}</title><h1>{escape(name)}</h1>' + "".join(rows)


def index(names: Iterable[str]) -> str:
    """Write the page that leads to the sheets of all rooms."""
    ways = "".join(f'<li><a href="{escape(name)}.html">{escape(name)}</a></li>' for name in names)
    return f'<!doctype html><meta charset="utf-8"><title>Pictures</title><h1>Pictures</h1><ul>{ways}</ul>'


def _files(shot: Shot) -> list[str]:
    return [escape(shot.file(size, locale)) for size, locale in shot.each()]


async def main(wanted: list[str]) -> int:
    """Take them; gives the exit status."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = all_shots([name for name in wanted if name != FOR_GUIDE])
    if FOR_GUIDE in wanted:
        found = {name: tuple(shot for shot in room if shot.guide) for name, room in found.items()}
    shots = [shot for room in found.values() for shot in room]
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        sound = speech_like(Path(folder))
        async with chromium() as browser:
            for scene in sorted({shot.scene for shot in shots}):
                place = Path(folder) / scene
                place.mkdir()
                async with stage_of(scene, place, sound) as stage:
                    failed += await take(stage, browser, [shot for shot in shots if shot.scene == scene], FOLDER)
    for name, room in found.items():
        (FOLDER / f"{name}.html").write_text(sheet(name, room), "utf-8")
    (FOLDER / "index.html").write_text(index(all_shots()), "utf-8")
    kept = [shot.file(*SHOWN) for shot in shots if shot.guide and (FOLDER / shot.file(*SHOWN)).is_file()]
    large = [name for name in kept if not keep_small(FOLDER / name, GUIDE / name)]
    TEXT.write_text(written(), "utf-8")
    for each in failed:
        sys.stderr.write(f"not taken: {each}\n")
    pages = [page.__name__.rpartition(".")[2] for page in PAGES if getattr(page, "READY", True)]
    return bool(failed) | _said(pages, large)


def _said(pages: list[str], large: list[str]) -> int:
    """Say where the pictures are, which of the guide's are too large, and which page or state has none."""
    sys.stdout.write(f"pictures are in {FOLDER}, those of the guide in {GUIDE}\n")
    shots = [shot for room in all_shots().values() for shot in room]
    LISTING.write_text(listing(shots, looks()), "utf-8")
    without = lacking(pages, shots)
    if without:
        sys.stderr.write(f"without a picture: {'; '.join(without)}\n")
    if large:
        sys.stderr.write(f"more than {GUIDE_BYTES} bytes: {', '.join(large)}: show less of the page\n")
    return 1 if without or large else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
