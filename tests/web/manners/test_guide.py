"""The operator's guide is made of the helping texts of today, and shows pictures that are there and small."""

import re

import pytest

from tests.screenshots.camera import GUIDE_BYTES
from tests.screenshots.guide import DOCS, GUIDE, PICTURES, _anchor, pictures, written
from tests.screenshots.table import SHOWN, all_shots
from web.help.topics import topics

MOST_PICTURES = 24


def test_the_guide_is_not_stale() -> None:
    assert GUIDE.read_text("utf-8") == written(), "python -m tests.screenshots.guide writes it anew"


def test_every_picture_of_the_guide_is_there_and_small_and_no_other_is_kept() -> None:
    there = {path.name: path.stat().st_size for path in (DOCS / "screenshots").glob("*.png")}
    taken = {shot.file(*SHOWN) for room in all_shots().values() for shot in room if shot.guide}
    assert set(pictures()) <= set(there) <= taken, "make screenshots"
    assert len(there) <= MOST_PICTURES
    assert {name: size for name, size in there.items() if size > GUIDE_BYTES} == {}


def test_every_picture_that_is_taken_for_the_guide_has_its_topic() -> None:
    taken = {shot.name for room in all_shots().values() for shot in room if shot.guide}
    placed = [name for names in PICTURES.values() for name in names]
    assert len(placed) == len(set(placed))
    assert taken <= set(placed)


def test_the_contents_lead_to_each_part() -> None:
    text = written()
    headings = {_anchor(found) for found in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"^- \[.+\]\(#(.+)\)$", text, re.MULTILINE)) == headings
    assert len(headings) == len(topics("vi"))


@pytest.mark.parametrize(
    ("title", "anchor"), [("Vì sao?", "vì-sao"), ("Bản tin, Chương trình", "bản-tin-chương-trình")]
)
def test_a_heading_is_found_by_its_words(title: str, anchor: str) -> None:
    assert _anchor(title) == anchor
