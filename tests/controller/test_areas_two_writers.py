"""A place is put away while somebody puts something into it. PostgreSQL alone: SQLite has one writer at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from controller.areas import removing
from controller.areas.errors import AreaInUseError
from controller.areas.move_schemas import MoveIn, MoveSeenIn
from controller.areas.schemas import AreaOut
from controller.audit import service as audit
from controller.bulletins.schemas import BulletinIn, VoiceIn
from controller.errors import InvalidError, NotFoundError
from controller.nodes.rules import NodeKind
from controller.people.rights import Role
from edge_agent.protocol.enrolment import new_claim_code
from tests.controller.factories import ADDRESS, Centre, centre, enrolment_request
from tests.e2e.waiting import until

pytestmark = pytest.mark.postgres
PATIENCE_S = 20

Adds = Callable[[Centre, AreaOut, AreaOut], Awaitable[Any]]
"""Puts something into the first of two places."""


@pytest.fixture
async def two(tmp_path: Path, postgres_url: str) -> AsyncIterator[Centre]:
    async with centre(tmp_path, url=postgres_url) as opened:
        yield opened


class Held:
    """Somebody who waits between two steps until he is let go on."""

    def __init__(self) -> None:
        self.there, self.go = asyncio.Event(), asyncio.Event()

    def before(self, act: Any) -> Any:
        """Wait before the first time that this is done."""

        async def held(*given: Any, **named: Any) -> Any:
            if not self.there.is_set():
                self.there.set()
                await self.go.wait()
            return await act(*given, **named)

        return held


async def waits_for_a_lock(here: Centre) -> None:
    """Wait until one of the two waits for what the other holds."""
    query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    async def found() -> int:
        async with here.database.reading() as session:
            return await session.scalar(query) or 0

    await until(found, PATIENCE_S, "one waits for a lock of the other")


async def a_node(here: Centre, gone: AreaOut, _other: AreaOut) -> None:
    await here.services.nodes.create(here.actor, area_id=gone.id, name="Có dây", kind=NodeKind.WIRED)


async def an_adopted_node(here: Centre, gone: AreaOut, _other: AreaOut) -> None:
    code = new_claim_code()
    await here.services.enrolments.ask(enrolment_request(code), ADDRESS)
    await here.services.enrolments.adopt(here.actor, claim_code=code, area_id=gone.id, name="Cụm 1")


async def a_place(here: Centre, gone: AreaOut, _other: AreaOut) -> None:
    await here.area("Xóm Mới", gone)


async def a_place_that_moves(here: Centre, gone: AreaOut, other: AreaOut) -> None:
    wanted = MoveIn(areas=(other.id,))
    seen = await here.services.moves.preview(here.actor, gone.id, wanted)
    await here.services.moves.move(
        here.actor, gone.id, MoveSeenIn(areas=wanted.areas, nodes=wanted.nodes, seen_sha256=seen.sha256)
    )


async def a_role(here: Centre, gone: AreaOut, other: AreaOut) -> None:
    person = await here.somebody("hoa", Role.OPERATOR, other)
    await here.services.accounts.grant(here.actor, person.id, role=Role.OPERATOR, area_id=gone.id)


async def a_bulletin(here: Centre, gone: AreaOut, _other: AreaOut) -> None:
    voices = [VoiceIn(language="vi", text="Họp.")]
    wanted = BulletinIn(area_id=gone.id, title="Tin", category="notice", voices=voices)
    await here.services.bulletins.create(here.actor, wanted)


ADDS = (a_node, an_adopted_node, a_place, a_place_that_moves, a_role, a_bulletin)


async def _places(here: Centre) -> tuple[AreaOut, AreaOut]:
    root = await here.area("Xã Đông", kind="commune")
    return await here.area("Thôn Trên", root), await here.area("Thôn Dưới", root)


@pytest.mark.parametrize("adds", ADDS)
async def test_nothing_comes_into_a_place_that_goes_at_that_moment(
    two: Centre, monkeypatch: pytest.MonkeyPatch, adds: Adds
) -> None:
    gone, other = await _places(two)
    removal = Held()
    monkeypatch.setattr(audit, "write", removal.before(audit.write))
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as both:
        away = both.create_task(two.services.removals.remove(two.actor, gone.id))
        await removal.there.wait()  # it has looked, and found nothing there
        comes = both.create_task(_refused(adds(two, gone, other)))
        await waits_for_a_lock(two)
        removal.go.set()
        await away
        assert await comes
    async with two.database.reading() as session:
        assert (await removing._there(session, gone.id, two.clock())).is_empty


async def _refused(act: Awaitable[Any]) -> bool:
    try:
        await act
    except (InvalidError, NotFoundError):
        return True
    return False


async def test_what_comes_first_keeps_the_place(two: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    stays, _ = await _places(two)
    adding = Held()
    monkeypatch.setattr("controller.nodes.service.plays.join", adding.before(_nothing))
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as both:
        comes = both.create_task(a_node(two, stays, stays))
        await adding.there.wait()
        away = both.create_task(_in_use(two, stays))
        await waits_for_a_lock(two)
        adding.go.set()
        await comes
        assert await away == 1


async def _nothing(*_given: Any, **_named: Any) -> None:
    """Of no broadcast, a new node joins none."""


async def _in_use(here: Centre, area: AreaOut) -> int:
    try:
        await here.services.removals.remove(here.actor, area.id)
    except AreaInUseError as refused:
        return int(refused.fields["nodes"])
    return 0
