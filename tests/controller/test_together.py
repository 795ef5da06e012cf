"""What a page reads of many services together: one snapshot, one session, what is in sight asked once."""

import asyncio

from sqlalchemy import delete, event

from controller.people.actor import Actor
from controller.people.models import Grant
from controller.people.rights import NOTHING, Act, allows, reach, sight
from tests.controller.factories import Centre


async def test_what_one_task_reads_together_is_one_session_and_what_runs_beside_it_is_not(lite: Centre) -> None:
    database = lite.database

    async def session_of_its_own() -> int:
        async with database.reading() as session:
            return id(session)

    async with database.together(), database.reading() as first, database.reading() as second:
        assert first is second
        beside = await asyncio.create_task(session_of_its_own())
        assert beside != id(first)
    async with database.reading() as later:
        assert later is not first


async def test_what_is_in_sight_is_asked_once_and_only_there(lite: Centre) -> None:
    commune = await lite.area("Xã Nga My", kind="commune")
    hamlet = await lite.area("Thôn Đồng", commune)
    hoa = await lite.somebody("hoa", "operator", commune)
    actor = Actor(hoa.id, "tests")
    asked: list[object] = []
    event.listen(lite.database.engine.sync_engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    async with lite.database.together():
        async with lite.database.reading() as session:
            first = await sight(session, actor)
        once = len(asked)
        async with lite.database.reading() as session:
            assert await sight(session, actor) is first
        assert len(asked) == once
        assert first.areas == frozenset({commune.id, hamlet.id})
    xom = await lite.area("Xóm Giữa", hamlet)
    async with lite.database.reading() as session:
        assert xom.id in ((await sight(session, actor)).areas or ())


async def test_where_somebody_may_do_something_is_asked_once_too(lite: Centre) -> None:
    commune = await lite.area("Xã Nga My", kind="commune")
    hoa = await lite.somebody("hoa", "operator", commune)
    actor = Actor(hoa.id, "tests")
    asked: list[str] = []
    event.listen(lite.database.engine.sync_engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    async with lite.database.together(), lite.database.reading() as session:
        seen = await sight(session, actor)
        once = len(asked)
        assert await reach(session, actor, Act.HOLDS_ORDER) == seen
        assert await reach(session, actor, Act.PEOPLE_ADD) == NOTHING
        assert len(asked) == once


async def test_a_right_that_is_taken_meanwhile_lets_nothing_be_done(lite: Centre) -> None:
    """What is kept is for what is shown; an act asks again."""
    commune = await lite.area("Xã Nga My", kind="commune")
    hoa = await lite.somebody("hoa", "operator", commune)
    actor = Actor(hoa.id, "tests")
    async with lite.database.together():
        async with lite.database.reading() as session:
            assert await allows(session, actor, Act.HOLDS_ORDER, [commune.id])
        async with lite.database.transaction() as tx:
            await tx.session.execute(delete(Grant).where(Grant.person_id == hoa.id))
        async with lite.database.transaction() as tx:
            assert not await allows(tx.session, actor, Act.HOLDS_ORDER, [commune.id])
        async with lite.database.reading(afresh=True) as session:
            assert (await sight(session, actor)) == NOTHING


async def test_what_is_written_inside_is_a_transaction_of_its_own(lite: Centre) -> None:
    async with lite.database.together():
        area = await lite.area("Xã Kha Sơn", kind="commune")
    assert area.id in {each.id for each in await lite.services.areas.tree(lite.actor)}
