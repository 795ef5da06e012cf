"""Lists that are long: a page reads its own part alone, a table to take along is read once, a part at a time."""

from collections.abc import Sequence
from typing import Any

import pytest

from controller.broadcasts import listed
from controller.names import in_reading_order
from controller.paging import Found, Wanted
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from web import listing
from web.i18n import load

TEXT = load("vi")


def counted(monkeypatch: pytest.MonkeyPatch, of: Any, name: str) -> list[Any]:
    """Write down what something is called with."""
    calls, real = [], getattr(of, name)

    def noted(*given: Any, **named: Any) -> Any:
        calls.append(given)
        return real(*given, **named)

    monkeypatch.setattr(of, name, noted)
    return calls


async def test_a_page_of_a_broadcasts_plays_reads_them_alone_and_the_table_all_of_them_once(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await site.broadcast("Bản tin")
    every = sorted(site.nodes)
    monkeypatch.setattr(listing, "PART", 1)
    read = counted(monkeypatch, listed, "out")
    sorted_once = counted(monkeypatch, listed, "_sorted")
    async with visitor(site) as client:
        page = (await client.get(f"/broadcasts/{run.id}/plays", params={"q": "cho trai"})).text
        assert ("Cổng chợ Trại" in page, "Đầu làng Trại" in page) == (True, False)
        assert len(read) == 1
        assert "Cổng chợ Trại" in (await client.get(f"/broadcasts/{run.id}/plays?q=thon+trai&sort=-name")).text
        assert "Không" in (await client.get(f"/broadcasts/{run.id}/plays?state=played")).text
        read.clear()
        sorted_once.clear()
        table = (await client.get(f"/broadcasts/{run.id}/plays.csv?sort=name")).text.splitlines()
    assert len(sorted_once) == 1
    assert len(read) == len(every) == len(table) - 1
    assert [name for line in table[1:] for name in every if name in line] == sorted(every, key=in_reading_order)


async def test_the_table_of_nodes_sorts_them_once(site: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PART", 1)
    sorted_once = counted(monkeypatch, type(site.centre.services.node_lists), "ids")
    async with visitor(site) as client:
        table = (await client.get("/nodes.csv?sort=-name")).text.splitlines()
    assert len(table) == len(site.nodes) + 1
    assert len(sorted_once) == 1


async def test_a_list_is_read_in_parts_up_to_what_a_table_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PART", 3)
    monkeypatch.setattr(listing, "MOST_ROWS", 7)
    asked: list[int] = []

    async def find(wanted: Wanted) -> Found[int]:
        asked.append(wanted.offset)
        rows: Sequence[int] = range(20)[wanted.offset : wanted.offset + wanted.limit]
        return Found(tuple(rows), 20)

    assert [row async for row in listing.in_parts(find, Wanted(q="x"))] == list(range(9))
    assert asked == [0, 3, 6]


async def test_ready_messages_are_searched_narrowed_sorted_and_taken_along(site: Commune) -> None:
    for kind, title, area_id in (
        ("alert", "Lũ quét", site.root.id),
        ("alert", "Cháy rừng", site.hamlets["Thôn Đồng"].id),
        ("drill", "Đây là diễn tập", site.root.id),
    ):
        typed = {"kind": kind, "title": title, "area_id": area_id, "text-vi": f"{title}, bà con chú ý."}
        async with visitor(site) as client:
            assert (await client.post("/messages/new", data=typed)).status_code == 303
    async with visitor(site) as client:
        page = said(await client.get("/messages"))
        assert page.index("Cháy rừng") < page.index("Lũ quét") < page.index("Đây là diễn tập")
        assert TEXT("messages.none_all_clear") in page
        assert TEXT("messages.none_alert") not in page
        narrowed = said(await client.get("/messages?kind=drill")).partition("Lọc")[2]
        assert ("Đây là diễn tập" in narrowed, "Lũ quét" in narrowed) == (True, False)
        found = said(await client.get("/messages?q=thon+dong"))
        assert ("Cháy rừng" in found, "Lũ quét" in found) == (True, False)
        table = (await client.get("/messages.csv?sort=-title")).text.splitlines()
    assert [line.split(";")[0] for line in table[1:]] == ["Lũ quét", "Đây là diễn tập", "Cháy rừng"]
    assert "Cháy rừng, bà con chú ý." in table[3]


async def test_days_off_are_searched_narrowed_sorted_and_taken_along(site: Commune) -> None:
    async with visitor(site) as client:
        for title, day in (("Giỗ làng", "20/12"), ("Nghỉ Tết", "1/1")):
            data = {"area_id": site.root.id, "title": title, "days": day, "effect": "suspend"}
            assert (await client.post("/calendars/new", data=data)).status_code == 303
        table = (await client.get("/calendars.csv?sort=-title")).text.splitlines()
        assert [line.split(";")[0] for line in table[1:]] == ["Nghỉ Tết", "Giỗ làng"]
        found = said(await client.get("/calendars?q=gio+lang"))
        assert ("Giỗ làng" in found, "Nghỉ Tết" in found) == (True, False)
        assert "Nghỉ Tết" not in said(await client.get("/calendars?effect=replace"))
