"""Writes docs/huong-dan.md, the operator's guide: the helping texts of the pages in order, with their pictures.

``python -m tests.screenshots.guide`` writes it without taking a picture.
"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from tests.screenshots.table import SHOWN, all_shots
from web.help.prose import Prose
from web.help.topics import topics

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE = DOCS / "huong-dan.md"
PICTURES = {
    "setup": ("guide-setup",),
    "today": ("guide-today",),
    "say": ("guide-say", "guide-say-typed"),
    "schedules": ("guide-schedules", "guide-schedule"),
    "bulletins": ("guide-bulletins",),
    "programmes": ("guide-programme",),
    "approvals": ("guide-approval",),
    "broadcast": ("guide-broadcast",),
    "history": ("guide-history",),
    "why": ("guide-why",),
    "stop": ("guide-stop",),
    "emergencies": ("guide-emergency", "guide-drill"),
    "nodes": ("guide-nodes",),
    "node": ("guide-node",),
    "faults": ("guide-faults",),
    "places": ("guide-places",),
    "policies": ("guide-policy",),
    "people": ("guide-people",),
    "offline": ("guide-offline",),
}
"""Which pictures stand under which topic: those of the room ``guide``."""
BEGIN = """\
# Hướng dẫn sử dụng Loa

Dành cho người phụ trách loa của xã, người duyệt nội dung, và người trông cụm loa.

Trang này do máy ghép từ phần **Trợ giúp** của chính các trang, cùng hình chụp mới nhất: `make screenshots`. Đừng sửa
tay; sửa trong `web/help/vi/`. Ở mỗi trang, chữ **Trợ giúp** cạnh tên trang dẫn tới đúng phần dưới đây.
"""


def written() -> str:
    """Write the whole guide."""
    said = topics("vi")
    contents = "\n".join(f"- [{prose.title}](#{_anchor(prose.title)})" for prose in said.values())
    return "\n\n".join([BEGIN.rstrip(), contents, *(_part(name, prose) for name, prose in said.items())]) + "\n"


def pictures() -> list[str]:
    """Name the files of the pictures that the guide shows, in order; ``docs/screenshots`` holds them."""
    return [f"{name}-{'-'.join(SHOWN)}.png" for topic in topics("vi") for name in _of(topic)]


def _of(topic: str) -> Iterator[str]:
    there = {shot.name for room in all_shots().values() for shot in room if shot.guide}
    return (name for name in PICTURES.get(topic, ()) if name in there)


def _part(topic: str, prose: Prose) -> str:
    # Headings stand one deeper than on the topic's own page.
    text = re.sub(r"^## ", "### ", prose.source, flags=re.MULTILINE)
    shown = [f"![{prose.title}](screenshots/{name}-{'-'.join(SHOWN)}.png)" for name in _of(topic)]
    return "\n\n".join([f"## {prose.title}", text, *shown])


def _anchor(title: str) -> str:
    """Make the name that a heading has in the address, as forges make it."""
    kept = (each for each in unicodedata.normalize("NFC", title.lower()) if each.isalnum() or each in " -_")
    return "".join(kept).replace(" ", "-")


if __name__ == "__main__":
    GUIDE.write_text(written(), "utf-8")
    sys.stdout.write(f"{GUIDE} is written\n")
