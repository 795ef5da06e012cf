"""What is found by which words, and in which parts it is given."""

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from controller.areas.models import Area
from controller.db import Database
from controller.events import EventBus
from controller.migrations.upgrade import settings, upgrade
from controller.paging import FURTHEST, MOST_ROWS, Found, Wanted, paged, part_of
from controller.search import folded, kept, matches, words
from tests.controller.factories import Centre

WORDS = st.text(st.sampled_from("aăâeêioôơuưyđbclt áàảãạắằẳẵặếềểễệốồổỗộớờởỡợứừửữựỳýỷỹỵ"), max_size=30)

HAMLETS = ("Thôn Đồng", "Thôn Trại", "Tổ dân phố số 12, thị trấn Hương Sơn", "100%_\\")


BEFORE = """
INSERT INTO people (id, login, name, password_hash, locale, created_at, failed_attempts)
VALUES ('p', 'lan', 'Nguyễn Thị Lan', '', 'vi', '2026-03-09', 0);
INSERT INTO areas (id, kind, name, created_at) VALUES ('a', 'commune', 'Xã Nga My', '2026-03-09');
INSERT INTO areas (id, parent_id, kind, name, created_at) VALUES ('b', 'a', 'hamlet', 'Thôn Đồng', '2026-03-09')
"""
"""Rows as the version before wrote them, one naming the other."""


@given(WORDS)
def test_whatever_is_written_is_found_as_it_stands_and_without_accents(written: str) -> None:
    found = kept([written, None])
    for word in words(written, most=100):
        assert word in found
        assert folded(word) in found
    assert folded(folded(written)) == folded(written)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", HAMLETS),
        ("thon dong", HAMLETS[:1]),
        ("ĐỒNG thôn", HAMLETS[:1]),
        ("trái", ()),  # typed with an accent that does not stand there
        ("huong son 12", HAMLETS[2:3]),
        ("100%", HAMLETS[3:]),
        ("_\\", HAMLETS[3:]),
        ("\0", HAMLETS),
        ("thôn\0đồng", HAMLETS[:1]),
    ],
)
async def test_rows_are_found_by_all_words_of_a_query_and_by_no_pattern(
    here: Centre, query: str, found: tuple[str, ...]
) -> None:
    for name in HAMLETS:
        await here.area(name)
    async with here.database.reading() as session:
        rows = await session.scalars(select(Area.name).where(matches(Area.search, query)).order_by(Area.name))
    assert set(rows) == set(found)


async def test_whoever_renames_a_row_renames_what_it_is_found_by(lite: Centre) -> None:
    area = await lite.area("Thôn Trại")
    async with lite.database.transaction() as tx:
        (await tx.session.get_one(Area, area.id)).name = "Thôn Đồng"
    async with lite.database.reading() as session:
        assert await session.scalar(select(Area.id).where(matches(Area.search, "trai"))) is None
        assert await session.scalar(select(Area.id).where(matches(Area.search, "dong"))) == area.id


async def test_a_part_is_given_in_order_with_the_size_of_the_whole(here: Centre) -> None:
    for name in HAMLETS[:3]:
        await here.area(name)
    query, orders = select(Area.name), {"name": Area.name, "since": Area.created_at}
    async with here.database.reading() as session:
        for wanted, names in {
            Wanted(limit=2): sorted(HAMLETS[:3])[:2],
            Wanted(sort="name", down=True, offset=1, limit=1): sorted(HAMLETS[:3])[1:2],
            Wanted(sort="; DROP TABLE areas", offset=2): sorted(HAMLETS[:3])[2:],
            Wanted(offset=10**30): [],
        }.items():
            rows, total = await paged(session, query, wanted, orders, last=Area.id)
            assert ([name for (name,) in rows], total) == (names, 3)


def test_what_is_out_of_range_is_brought_into_it() -> None:
    assert (Wanted(offset=-5).offset, Wanted(offset=10**30).offset) == (0, FURTHEST)
    assert (Wanted(limit=0).limit, Wanted(limit=10**9).limit) == (1, MOST_ROWS)
    assert part_of([1, 2, 3], Wanted(offset=1, limit=1)) == Found((2,), 3)


async def test_the_step_writes_down_the_words_of_what_was_there(lite: Centre) -> None:
    """From a database of the version before, with rows that name each other."""
    database = Database(lite.database.url.replace("loa.db", "before.db"), EventBus())
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda sync: command.upgrade(settings(sync), "0005"))
        for line in BEFORE.split(";"):
            await connection.execute(text(line))
        await connection.commit()
    await upgrade(database)
    async with database.reading() as session:
        assert await session.scalar(select(Area.id).where(matches(Area.search, "dong"))) == "b"
        found = await session.scalar(text("SELECT search FROM people"))
        assert found == kept(["Nguyễn Thị Lan", "lan"])
    await database.close()
