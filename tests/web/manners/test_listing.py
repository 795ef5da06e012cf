"""Lists: what an address asks for, the addresses of their other pages, and tables to take along."""

from collections.abc import AsyncIterator, Sequence

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from web.i18n import load
from web.listing import Asked, Column, Filter, Listing, asked, cell, csv_answer

COLUMNS = (Column("name", "menu.nodes"), Column("since", "menu.today"), Column("how", "menu.faults", sort=False))
FILTERS = (Filter("state", "menu.nodes", (("online", "Đang kết nối"), ("offline", "Mất kết nối"))),)


def request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def read(query: str) -> Asked:
    return asked(request(query), COLUMNS, FILTERS, sort="name")


def listing(query: str, total: int = 120) -> Listing[str]:
    return Listing("/nodes", COLUMNS, FILTERS, read(query), (), total, default=("name", False))


def test_an_address_says_words_order_page_and_filters() -> None:
    found = read("q=+c%E1%BB%95ng++ch%E1%BB%A3&sort=-since&p=2&state=offline")
    assert found == Asked("cổng chợ", "since", down=True, page=2, having={"state": "offline"})
    wanted = found.wanted()
    assert (wanted.q, wanted.sort, wanted.down, wanted.offset, wanted.limit) == ("cổng chợ", "since", True, 50, 50)


@pytest.mark.parametrize("query", ["sort=-how", "sort=--name", "p=0", "p=-1", "p=٢", "p=1e9", "state=gone", "x=1"])
def test_what_an_address_should_not_hold_counts_as_not_there(query: str) -> None:
    assert read(query) == Asked("", "name")


@given(st.text(max_size=300))
def test_no_address_is_too_odd(query: str) -> None:
    found = read(query)
    assert found.wanted().offset >= 0
    listing(query).link(page=3)


def test_links_keep_all_that_they_do_not_change() -> None:
    there = listing("q=a%26b&sort=-since&p=2&state=offline")
    assert there.link(page=3) == "/nodes?q=a%26b&sort=-since&p=3&state=offline"
    assert there.link(sort="name", down=False, page=1) == "/nodes?q=a%26b&state=offline"
    assert there.export_link == "/nodes.csv?q=a%26b&sort=-since&state=offline"
    assert there.live_link == "/nodes/live?q=a%26b&sort=-since&p=2&state=offline", "the same part of it"
    assert [each.word for each in there.chosen] == ["a&b", "Mất kết nối"]
    assert [each.href for each in there.chosen] == ["/nodes?sort=-since&state=offline", "/nodes?q=a%26b&sort=-since"]
    assert there.pages == 3
    assert listing("", total=0).pages == 1


@pytest.mark.parametrize(
    "text", ["=1+1", "+84", "-1", "@x", "\tx", "\rx", "\nx", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x"]
)
def test_no_cell_runs_in_a_spreadsheet(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell("bản tin = mới") == "bản tin = mới"


async def rows(count: int) -> AsyncIterator[Sequence[str]]:
    for number in range(count):
        yield [f"Thôn {number}", '=cmd|"x"; y']


async def test_a_table_opens_in_a_spreadsheet_and_says_when_it_is_cut() -> None:
    text = load("vi")
    answer = csv_answer("cum-loa", ["Tên", "Ghi chú"], rows(3), text, most=2)
    lines = "".join([str(part) async for part in answer.body_iterator]).split("\r\n")
    assert lines == [
        "\ufeffTên;Ghi chú",
        *(f'Thôn {n};"\'=cmd|""x""; y"' for n in range(2)),
        text("export.cut", most=2),
        "",
    ]
    assert answer.headers["content-disposition"] == 'attachment; filename="cum-loa.csv"'
