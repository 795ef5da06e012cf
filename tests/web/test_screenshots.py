"""The table of pictures names each once, of pages that are there, in every state; and says truly what was looked at."""

from collections import Counter

import pytest

from tests.screenshots.listing import ALL, ELSEWHERE, LISTING, NEEDED, Look, lacking, last_looks, listing, looks
from tests.screenshots.table import LOCALES, ROLES, SIZES, all_shots
from web.app import PAGES

SHOTS = [shot for room in all_shots().values() for shot in room]
NAMES = [page.__name__.rpartition(".")[2] for page in PAGES]


def test_no_two_pictures_have_one_name() -> None:
    files = Counter(shot.file(size, locale) for shot in SHOTS for size, locale in shot.each())
    assert [name for name, count in files.items() if count > 1] == []


def test_each_picture_is_of_a_page_that_is_there() -> None:
    assert {shot.page for shot in SHOTS} <= {page.__name__.rpartition(".")[2] for page in PAGES}


def test_a_guide_shows_few() -> None:
    assert sum(shot.guide for shot in SHOTS) <= 24


def test_every_page_has_a_picture_of_every_state() -> None:
    assert lacking(NAMES, SHOTS) == []


@pytest.mark.parametrize("state", ["loading", "error"])
def test_a_state_without_a_picture_is_named(state: str) -> None:
    assert lacking(NAMES, [shot for shot in SHOTS if (shot.page, shot.state) != ("say", state)]) == [f"say, {state}"]


def test_a_new_page_is_named_until_it_is_known_in_which_states_it_is_taken() -> None:
    assert lacking([*NAMES, "reports"], SHOTS) == ["reports"]


def test_pages_are_taken_as_those_see_them_who_use_them() -> None:
    assert {shot.login for shot in SHOTS} == {"lan", *ROLES}


def test_the_table_is_written_by_the_script() -> None:
    """``python -m tests.screenshots.listing`` writes it anew without taking a picture."""
    assert LISTING.read_text("utf-8") == listing(SHOTS, looks())


def test_what_was_looked_at_is_there() -> None:
    names = {shot.name for shot in SHOTS} | {ALL}
    for look in looks():
        assert set(look.pictures) <= names, look
        assert set(look.pages) <= {*NEEDED, *ELSEWHERE}, look
        assert set(look.languages) <= set(LOCALES), look
        assert set(look.widths) <= {size["width"] for size in SIZES.values()}, look


def test_a_mark_counts_for_its_pictures_alone() -> None:
    look = Look("Lan", "2026-11-23", [360], ["en"], "calm", ["say"])
    rows = listing(SHOTS, [look]).splitlines()
    marked = [row for row in rows if row.startswith("| ") and "360 px, en, 2026-11-23" in row]
    assert [row.split(" | ")[1] for row in marked] == ["say"]


def test_what_was_looked_at_again_is_said_once_with_its_last_day() -> None:
    looked = [
        Look("Lan", "2026-11-22", [360, 1366], ["vi"], "calm"),
        Look("Lan", "2026-11-23", [360], ["vi", "en"], "calm"),
        Look("Nam", "2026-11-23", [360], ["vi"], "calm"),
    ]
    assert last_looks(looked) == ["360 px, vi and en, 2026-11-23", "1366 px, vi, 2026-11-22"]
    assert last_looks(reversed(looked)) == last_looks(looked)
