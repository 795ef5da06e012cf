"""Pictures of the ground out of a made-up file: what is in it, what is not, and files that are no such files."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from controller import tiles as under_test
from controller.tiles import MOST_BYTES, Ground, Tiles
from tests.sounds import png

PICTURE = png(256, 256)
SAID = {"minzoom": "3", "maxzoom": "14", "attribution": '© <a href="https://example.org">Bản đồ &amp; bạn</a>'}


def mbtiles(path: Path, pictures: Mapping[tuple[int, int, int], bytes], said: Mapping[str, str] = SAID) -> Path:
    """Write a file of that kind; rows are counted from the south, as the kind wants it."""
    file = sqlite3.connect(path)
    file.execute("CREATE TABLE metadata (name text, value text)")
    file.execute("CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer, tile_data blob)")
    file.executemany("INSERT INTO metadata VALUES (?, ?)", said.items())
    file.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", [(*at, content) for at, content in pictures.items()])
    file.commit()
    file.close()
    return path


async def test_a_picture_is_given_from_the_north_west_with_its_kind(tmp_path: Path) -> None:
    tiles = Tiles(mbtiles(tmp_path / "x.mbtiles", {(3, 6, 2): PICTURE}))
    assert tiles.ground == Ground(3, 14, "© Bản đồ & bạn")
    found = await tiles.get(3, 6, 5)
    assert found is not None
    assert (found.kind, found.content) == ("image/png", PICTURE)
    assert await tiles.get(3, 6, 2) is None


@pytest.mark.parametrize("at", [(3, 8, 0), (3, 0, 8), (3, -1, 0), (-1, 0, 0), (40, 0, 0), (10**9, 10**9, 10**9)])
async def test_what_lies_beyond_the_world_is_not_looked_for(tmp_path: Path, at: tuple[int, int, int]) -> None:
    assert await Tiles(mbtiles(tmp_path / "x.mbtiles", {(3, 6, 2): PICTURE})).get(*at) is None


async def test_what_is_no_picture_or_too_large_is_not_given(tmp_path: Path) -> None:
    large, script = PICTURE + bytes(MOST_BYTES), b"<svg onload='alert(1)'/>"
    path = mbtiles(tmp_path / "x.mbtiles", {(0, 0, 0): PICTURE, (1, 0, 0): script, (1, 1, 1): large})
    tiles = Tiles(path)
    assert [await tiles.get(*at) for at in ((1, 0, 1), (1, 1, 0))] == [None, None]
    assert await tiles.get(0, 0, 0) is not None, "the next one is not spoilt by it"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00 and no more", b"GIF89a"])
def test_a_file_of_another_kind_stops_nothing(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "x").write_bytes(content)
    assert Tiles(tmp_path / "x").ground is None
    assert Tiles(tmp_path / "nowhere").ground is None
    assert caplog.text.count("LOA_TILES") == 2


def test_pictures_that_are_drawings_are_not_taken(tmp_path: Path) -> None:
    assert Tiles(mbtiles(tmp_path / "x.mbtiles", {(0, 0, 0): b"\x1f\x8b\x08 a vector tile"})).ground is None
    assert Tiles(None).ground is None


async def test_a_view_that_never_ends_is_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "WITHIN_S", 0.05)
    path = mbtiles(tmp_path / "x.mbtiles", {(0, 0, 0): PICTURE})
    file = sqlite3.connect(path)
    file.execute("ALTER TABLE tiles RENAME TO kept")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    file.execute(f"CREATE VIEW tiles AS SELECT * FROM kept WHERE zoom_level = 0 OR ({endless})")  # noqa: S608 - ours
    file.execute("INSERT INTO kept VALUES (1, 0, 0, ?)", (PICTURE,))
    file.commit()
    file.close()
    tiles = Tiles(path)
    assert tiles.ground is not None
    assert await tiles.get(1, 0, 1) is None
    assert "interrupted" in caplog.text
