"""Silence that nodes obey and no row knows, after a restore: whose it is, whom it silences, and who ends it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from alembic import command
from sqlalchemy import select, text, update

from controller.areas.move_schemas import MoveIn, MoveSeenIn
from controller.areas.schemas import AreaOut
from controller.db import Database
from controller.errors import ForbiddenError, NotFoundError
from controller.events import EventBus
from controller.faults.keeping import FaultKeeper
from controller.faults.rules import HOLDS_UNKNOWN
from controller.holds.found import AT_ONCE, MOST, take_up
from controller.holds.models import Hold as Row
from controller.holds.schemas import HoldOut
from controller.migrations.upgrade import settings, upgrade
from controller.nodes.models import Node
from controller.nodes.schemas import NodeOut
from controller.people.actor import Actor
from controller.wire.laggards import Laggards
from edge_agent.protocol.documents import Hold
from tests.controller import factories
from tests.controller.approving import Commune, commune
from tests.controller.wire.test_dispatcher import Desk, desk, health, make_desk

FORGOTTEN = "forgotten"


class Silent:
    """A province with two communes, and what their nodes say that they obey."""

    def __init__(self, made: Desk, province: AreaOut, first: Commune, second: Commune) -> None:
        self.made, self.here, self.province, self.first, self.second = made, made.centre, province, first, second
        self.obeyed: dict[str, tuple[str, ...]] = {}

    async def says(self, *nodes: NodeOut, holds: tuple[str, ...] = (FORGOTTEN,)) -> None:
        """Nodes say what silences them; the centre looks, and tells."""
        for node in nodes:
            self.obeyed[node.id] = holds
            self.here.hears(node.id, holds=holds)
        await self.made.dispatcher.release_strays({key: said for key, said in self.obeyed.items() if said})
        await self.made.settle()

    async def shown(self, who: Actor | None = None) -> list[HoldOut]:
        return await self.here.services.holds.active(who or self.here.actor)

    async def release(self, who: Actor, hold: HoldOut) -> None:
        await self.here.services.holds.release(who, hold.id)
        await self.made.settle()

    def told(self, scope: str) -> Hold:
        document = self.made.last(scope, "hold")
        assert isinstance(document, Hold)
        return document

    def active(self, scope: str) -> list[str]:
        return [order.hold_id for order in self.told(scope).active]


@pytest_asyncio.fixture
async def silent(tmp_path: Path) -> AsyncIterator[Silent]:
    async with desk(tmp_path) as made:
        province = await made.centre.area("Tỉnh", kind="province")
        communes = [await commune(made.centre, name, province) for name in ("Xã A", "Xã B")]
        await made.settle()
        yield Silent(made, province, *communes)


async def _move(silent: Silent, *, into: Commune | None = None, **what: list[str]) -> None:
    moves, area_id = silent.here.services.moves, (into or silent.first).area.id
    seen = await moves.preview(silent.here.actor, area_id, MoveIn.model_validate(what))
    wanted = MoveSeenIn.model_validate({**what, "seen_sha256": seen.sha256})
    await moves.move(silent.here.actor, area_id, wanted)
    await silent.made.settle()


async def test_a_stop_that_the_rows_forgot_is_its_communes_and_can_be_released(silent: Silent) -> None:
    """Found at five nodes, one after another, it is one: the smallest area around those who obey."""
    here, first = silent.here, silent.first
    east, west = [await here.area(name, first.area) for name in ("Thôn Đông", "Thôn Tây")]
    nodes = [await here.node(area, f"{area.name} {number}") for area in (east, west) for number in (1, 2)]
    await silent.says(nodes[0])
    (alone,) = await silent.shown()
    assert (alone.scope, alone.found, alone.ordered_by) == (nodes[0].scope, True, "")
    await silent.says(nodes[1])
    (hamlet,) = await silent.shown()
    assert (hamlet.id, hamlet.scope_name, hamlet.node_count) == (alone.id, "Thôn Đông", 2)
    await silent.says(*nodes[2:], first.node)
    (whole,) = await silent.shown()
    assert (whole.id, whole.scope_name, whole.node_count, whole.confirmed_count) == (alone.id, "Xã A", 5, 5)
    await silent.release(first.leader, whole)
    for node in (*nodes, first.node):
        assert silent.told(node.scope).released == (FORGOTTEN,), "each by its own document"
    await silent.says(*nodes, first.node, holds=())
    assert await silent.shown() == []


async def test_a_node_that_repeats_another_communes_hold_gets_nothing_of_it(silent: Silent) -> None:
    """Whoever speaks first, and whatever id its node has: each commune has a row, and releases its own nodes."""
    liar, honest = silent.first, silent.second
    await silent.says(liar.node)
    await silent.says(honest.node)
    (of_liar,), (of_honest,) = await silent.shown(liar.leader), await silent.shown(honest.leader)
    assert (of_liar.scope, of_honest.scope) == (liar.node.scope, honest.node.scope)
    assert of_liar.wire_id == of_honest.wire_id == FORGOTTEN
    with pytest.raises(NotFoundError):
        await silent.here.services.holds.get(honest.leader, of_liar.id)
    with pytest.raises(NotFoundError):
        await silent.here.services.holds.release(liar.leader, of_honest.id)
    await silent.release(liar.leader, of_liar)
    assert silent.told(liar.node.scope).released == (FORGOTTEN,)
    assert (silent.told(honest.node.scope).released, silent.active(honest.node.scope)) == ((), [FORGOTTEN])
    await silent.says(honest.node)
    assert silent.told(honest.node.scope).released == (), "also with its next report"
    (stands,) = await silent.shown(honest.leader)
    await silent.release(honest.leader, stands)
    assert silent.told(honest.node.scope).released == (FORGOTTEN,)


async def test_what_is_released_for_nodes_of_the_province_itself_stands_in_its_communes(silent: Silent) -> None:
    here = silent.here
    own = [await here.node(silent.province, f"Tỉnh {number}") for number in (1, 2)]
    await silent.says(*own, silent.second.node)
    above = next(hold for hold in await silent.shown() if hold.scope == silent.province.scope)
    assert above.node_count == 2
    assert [hold.scope for hold in await silent.shown(silent.second.leader)] == [silent.second.node.scope]
    await silent.release(here.actor, above)
    assert silent.told(own[0].scope).released == silent.told(own[1].scope).released == (FORGOTTEN,)
    assert silent.told(silent.province.scope).released == ()
    assert silent.told(silent.second.node.scope).released == ()


async def test_what_nodes_claim_silences_nobody_else(silent: Silent) -> None:
    """Two stolen nodes make a hold of the whole commune up: it is shown, and is an order to no other node."""
    here, first = silent.here, silent.first
    liars = [await here.node(first.area, f"Kẻ gian {number}") for number in (1, 2)]
    await silent.says(*liars)
    (shown,) = await silent.shown()
    assert (shown.scope, shown.node_count) == (first.area.scope, 2)
    assert silent.active(first.area.scope) == []
    assert silent.active(first.node.scope) == []
    preview = await here.services.broadcasts.preview(first.leader, first.wish())
    assert {each.reason: len(each.nodes) for each in preview.forecasts} == {"held": 2, None: 1}
    (stop,) = await here.services.holds.order(first.leader, [first.area.scope])
    await silent.made.settle()
    assert stop.id != shown.id, "what was found is no STOP: a real one is not taken for given"
    assert silent.active(first.area.scope) == [stop.id]


async def test_a_node_that_makes_holds_up_makes_no_more_than_some(silent: Silent) -> None:
    first = silent.first
    await silent.says(first.node, holds=tuple(f"made-up-{number}" for number in range(100)))
    holds = await silent.shown()
    assert len(holds) == MOST
    assert {hold.scope for hold in holds} == {first.node.scope}
    another = await silent.here.node(first.area, "Kẻ gian")
    await silent.says(another, holds=tuple(hold.wire_id for hold in holds))
    await silent.says(first.node, another, holds=tuple(f"more-{number}" for number in range(100)))
    scopes = [hold.scope for hold in await silent.shown()]
    assert max(map(scopes.count, scopes)) == MOST


async def test_each_is_told_once_by_a_document_of_its_own(silent: Silent) -> None:
    """The broker keeps it: a node whose card is wiped hears of its silence again."""
    nodes = [silent.first.node, await silent.here.node(silent.first.area, "Cụm 2")]
    await silent.says(*nodes)
    assert [silent.active(node.scope) for node in nodes] == [[FORGOTTEN], [FORGOTTEN]]
    published = len(silent.made.broker.published)
    await silent.says(*nodes)
    assert len(silent.made.broker.published) == published


async def test_it_stands_through_a_restart_of_the_centre(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area(kind="commune")
        nodes = [await made.centre.node(area, name) for name in ("Cụm 1", "Cụm 2")]
        await made.dispatcher.release_strays({node.id: (FORGOTTEN,) for node in nodes})
        await made.settle()
        async with made.centre.database.transaction() as tx:
            await tx.session.execute(update(Node).values(health={"holds": [FORGOTTEN]}))
        person = made.centre.person
    async with factories.centre(tmp_path, known=person) as here:
        again = make_desk(here, tmp_path)
        (shown,) = await here.services.holds.active(here.actor)
        assert (shown.found, shown.node_count) == (True, 2), "by what the nodes said last"
        await here.services.holds.release(here.actor, shown.id)
        await again.settle()
        for node in nodes:
            told = again.last(node.scope, "hold")
            assert isinstance(told, Hold)
            assert told.released == (FORGOTTEN,)


async def test_a_node_that_was_moved_is_released_where_it_stands_now(silent: Silent) -> None:
    first, second = silent.first, silent.second
    other = await silent.here.node(first.area, "Cụm 2")
    await silent.says(first.node, other)
    (hold,) = await silent.shown()
    async with silent.here.database.transaction() as tx:
        await tx.session.execute(update(Node).where(Node.id == other.id).values(area_id=second.area.id))
    await silent.says(other)
    await silent.release(first.leader, hold)
    assert silent.told(other.scope).released == (), "its new place's people do"
    (theirs,) = await silent.shown(second.leader)
    assert theirs.scope == other.scope
    await silent.release(second.leader, theirs)
    assert silent.told(other.scope).released == (FORGOTTEN,)


async def test_a_helper_of_one_hamlet_does_not_end_what_others_obey(silent: Silent) -> None:
    here, first = silent.here, silent.first
    hamlet = await here.area("Thôn Đông", first.area)
    below = await here.node(hamlet, "Cụm Đông")
    operator = Actor((await here.somebody("dong", "operator", hamlet)).id, factories.ADDRESS)
    await silent.says(below, first.node)
    (shown,) = await silent.shown(operator)
    assert (shown.scope, shown.node_count) == (first.area.scope, 1), "they see who of theirs is silent"
    with pytest.raises(ForbiddenError):
        await here.services.holds.release(operator, shown.id)


async def test_a_play_that_it_keeps_back_names_it_in_its_own_commune(silent: Silent) -> None:
    here, first = silent.here, silent.first
    await silent.says(first.node, silent.second.node)
    sent = await first.say(first.leader)
    why = await here.services.whys.of(first.leader, first.node.id, sent.id)
    (rule,) = [each for each in why.rules if each.by is not None]
    (shown,) = await silent.shown(first.leader)
    assert (why.blocker, rule.by and rule.by.id) == ("not_held", shown.id)
    here.clock.step(hours=2)
    await here.services.lasting_holds.remind()
    (alarm,) = await here.services.alarms.list(first.leader)
    assert alarm.subject == f"holds/{shown.id}"


async def test_rows_of_before_keep_their_name(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'old.db'}", EventBus())
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda sync: command.upgrade(settings(sync), "0004"))
        await connection.commit()
    row = "INSERT INTO holds (id, scope, ordered_at) VALUES ('h1', 'nodes/n1', :at)"
    async with database.transaction() as tx:
        await tx.session.execute(text(row), {"at": str(factories.MORNING - timedelta(days=1))})
    await upgrade(database)
    async with database.reading() as session:
        hold = (await session.scalars(select(Row))).one()
    assert (hold.id, hold.wire_id, hold.scope, hold.nodes) == ("h1", "h1", "nodes/n1", ["n1"])
    await database.close()


async def test_a_release_frees_no_node_that_another_commune_holds(silent: Silent) -> None:
    """Moved afterwards into the commune that released the same name, alone or with its hamlet, it stays silent."""
    here, first, second = silent.here, silent.first, silent.second
    hamlet = await here.area("Thôn", second.area)
    below = [await here.node(hamlet, f"Thôn {number}") for number in (1, 2)]
    await silent.says(first.node, second.node, *below)
    (of_first,) = await silent.shown(first.leader)
    await silent.release(first.leader, of_first)
    await _move(silent, nodes=[second.node.id], areas=[hamlet.id])
    moved = (second.node, *below)
    await silent.says(*moved)
    for node in moved:
        assert (silent.told(node.scope).released, silent.active(node.scope)) == ((), [FORGOTTEN])
    theirs = await silent.shown(first.leader)
    assert sum(hold.node_count for hold in theirs) == len(moved)
    for hold in theirs:
        await silent.release(first.leader, hold)
    for node in moved:
        assert silent.told(node.scope).released == (FORGOTTEN,), "by who looks after its place now"


async def test_who_comes_back_after_the_release_of_its_commune_is_told_then(silent: Silent) -> None:
    late = await silent.here.node(silent.first.area, "Cụm 2")
    other = await silent.here.node(silent.first.area, "Cụm 3")
    await silent.says(silent.first.node, other)
    (hold,) = await silent.shown()
    await silent.release(silent.first.leader, hold)
    await silent.says(late)
    assert silent.told(late.scope).released == (FORGOTTEN,)
    assert await silent.shown() == []


async def test_a_wiped_card_does_not_end_what_was_found(silent: Silent) -> None:
    first = silent.first
    await silent.says(first.node)
    await silent.says(first.node, holds=())
    (stop,) = await silent.here.services.holds.order(first.leader, [first.node.scope])
    await silent.made.settle()
    assert set(silent.active(first.node.scope)) == {FORGOTTEN, stop.id}
    (found,) = [hold for hold in await silent.shown() if hold.found]
    assert [node.node_id for node in found.not_yet] == [first.node.id]


async def test_what_there_is_no_room_for_is_only_read_for_and_counted(silent: Silent) -> None:
    """A stolen node may say so with each report: a STOP waits for none of it."""
    here, first = silent.here, silent.first
    liars = [first.node, *[await here.node(first.area, f"Kẻ gian {number}") for number in range(2)]]
    many = {node.id: tuple(f"made-up-{node.id}-{number}" for number in range(256)) for node in liars}
    for node in liars:
        await silent.says(node, holds=many[node.id])
    while (await take_up(here.database, many, here.clock())).taken:
        pass
    asked: list[str] = []
    here.database.before_write = lambda: asked.append("a write")
    others = {key: tuple(f"other-{number}-{key}" for number in range(256)) for key in many}
    for said in (many, others):
        await silent.made.dispatcher.release_strays(said)
    assert asked == []
    assert {key: silent.made.dispatcher.refused[key] for key in others} == dict.fromkeys(others, 256)


async def test_one_look_writes_few_rows_at_once(silent: Silent) -> None:
    here = silent.here
    liars = [await here.node(silent.first.area, f"Kẻ gian {number}") for number in range(3)]
    claims = {node.id: tuple(f"{node.id}-{number}" for number in range(256)) for node in liars}
    assert len((await take_up(here.database, claims, here.clock())).taken) == AT_ONCE


async def test_a_node_that_claims_what_there_is_no_room_for_has_a_fault(silent: Silent) -> None:
    here, node = silent.here, silent.first.node
    keeper = FaultKeeper(here.database, here.clock)
    laggards = Laggards(here.database, here.bus, silent.made.dispatcher, on_refused=keeper.note_refused)

    async def faults_after(*holds: str) -> list[str]:
        said = msgspec.structs.replace(health({}), holds=holds)
        laggards.note_health(node.id, said)
        keeper.note_health(node.id, said)
        await laggards.look()
        await keeper.look()
        return [each.code for each in await here.services.faults.list(here.actor, standing=True)]

    assert await faults_after("one", "two") == []
    assert await faults_after(*(f"made-up-{number}" for number in range(256))) == [HOLDS_UNKNOWN]
    assert await faults_after("one", "two") == []
    await faults_after(*(f"made-up-{number}" for number in range(256)))
    assert await faults_after() == []
