"""What is aimed at what moves comes into the hands of where that stands now, and its dates are worked out anew."""

from datetime import timedelta

import pytest
import pytest_asyncio

from controller.areas.move_schemas import HandedOut, MoveIn, MoveOut, MoveSeenIn
from controller.areas.schemas import AreaOut
from controller.broadcasts.models import Broadcast
from controller.emergencies.states import EmergencyState
from controller.errors import ForbiddenError, NotFoundError
from controller.people.rights import Role
from controller.schedules.models import Schedule
from controller.schedules.schemas import ScheduleOut
from tests.controller.approving import ANOTHER, Commune, commune
from tests.controller.factories import Centre, made_once
from tests.controller.schedules.village import programme, wish
from tests.controller.test_emergencies import acting, propose, village


class Two:
    """Two communes; both hamlets of the first have a schedule of their own."""

    def __init__(self, here: Centre, first: Commune, second: Commune) -> None:
        self.here, self.first, self.second = here, first, second
        self.hamlets: list[AreaOut] = []

    async def said(self, *scopes: str) -> ScheduleOut:
        aired = await programme(self.here, self.first.area)
        wanted = wish(self.first.area, aired, targets=scopes, confirm_conflicts=True)
        return await self.here.services.schedules.create(self.first.leader, wanted)

    async def move(self, *areas: AreaOut, nodes: tuple[str, ...] = ()) -> MoveOut:
        moves, into = self.here.services.moves, self.second.area.id
        wanted = MoveIn(areas=tuple(area.id for area in areas), nodes=nodes)
        shown = await moves.preview(self.here.actor, into, wanted)
        return await moves.move(self.here.actor, into, MoveSeenIn(**wanted.model_dump(), seen_sha256=shown.sha256))

    async def rolled(self, schedule: ScheduleOut) -> bool:
        async with self.here.database.reading() as session:
            row = await session.get_one(Schedule, schedule.id)
        return row.rolled_until is not None and row.rolled_until > self.here.clock()


@pytest_asyncio.fixture
@made_once
async def two(here: Centre) -> Two:
    province = await here.area("Tỉnh", kind="province")
    found = Two(here, await commune(here, "Xã A", province), await commune(here, "Xã B", province))
    for name in ("Thôn 1", "Thôn 2"):
        found.hamlets.append(await here.area(name, found.first.area))
        await here.node(found.hamlets[-1], f"Cụm {name}")
    return found


async def test_merged_hamlets_bring_their_schedule_and_its_dates(two: Two) -> None:
    """Or it would be told there for ever, and nobody there could end it."""
    here, schedules = two.here, two.here.services.schedules
    made = await two.said(*(each.scope for each in two.hamlets))
    shown = await two.move(*two.hamlets)
    assert shown.handed_over == (
        HandedOut(kind="schedule", id=made.id, title=made.title, area_before="Xã A", area_after="Xã B"),
    )
    with pytest.raises(NotFoundError):
        await schedules.get(two.first.leader, made.id)
    until = here.clock() + timedelta(days=2)
    found = await here.services.broadcasts.list(two.second.leader, from_at=here.clock(), to_at=until)
    async with here.database.reading() as session:
        assert {(await session.get_one(Broadcast, each.id)).area_id for each in found} == {two.second.area.id}
    assert (await schedules.end(two.second.leader, made.id)).ended_at is not None
    assert await two.second.told() == set()


async def test_what_is_aimed_at_both_communes_is_the_provinces(two: Two) -> None:
    made = await two.said(*(each.scope for each in two.hamlets))
    (handed,) = (await two.move(two.hamlets[0])).handed_over
    assert (handed.area_before, handed.area_after) == ("Xã A", "Tỉnh")
    with pytest.raises(NotFoundError):
        await two.here.services.schedules.end(two.first.leader, made.id)
    assert (await two.here.services.schedules.end(two.here.actor, made.id)).ended_at is not None


async def test_a_request_that_waits_is_asked_of_the_new_leader(here: Centre) -> None:
    province = await here.area("Tỉnh", kind="province")
    two = Two(here, await commune(here, "Xã A", province, **ANOTHER), await commune(here, "Xã B", province, **ANOTHER))
    hamlets = [await here.area(name, two.first.area) for name in ("Thôn 1", "Thôn 2")]
    for each in hamlets:
        await here.node(each, f"Cụm {each.name}")
    sent = await two.first.say(two.first.operator, targets=tuple(each.scope for each in hamlets))
    shown = await two.move(*hamlets)
    assert {(each.kind, each.area_after) for each in shown.handed_over} == {("approval", "Xã B"), ("broadcast", "Xã B")}
    (asked,) = await two.second.queue()
    assert await two.first.queue() == []
    with pytest.raises((ForbiddenError, NotFoundError)):
        await two.first.approve(asked.id)
    await two.second.approve(asked.id)
    assert sent.id in await two.second.told()


async def test_dates_of_what_moved_are_worked_out_anew(two: Two) -> None:
    """Calendars, rules and languages come from elsewhere: of a hamlet's own schedule, of a node's, and of no other."""
    hamlet, node = two.hamlets[0], two.first.node
    of_hamlet, of_node = await two.said(hamlet.scope), await two.said(f"nodes/{node.id}")
    of_other = await two.said(two.hamlets[1].scope)
    await two.move(hamlet, nodes=(node.id,))
    assert [await two.rolled(each) for each in (of_hamlet, of_node, of_other)] == [False, False, True]


async def test_an_emergency_that_waits_is_confirmed_by_those_of_its_new_place(here: Centre) -> None:
    """Its words, places and languages stay what was seen; whoever looked after them does no more."""
    place, moves, emergencies = await village(here), here.services.moves, here.services.emergencies
    other = await here.area("Xã B", kind="commune")
    leader = acting(await here.somebody("leader.b", Role.APPROVER, other))
    hamlets = (place["east"], place["west"])
    made = await propose(here, place, targets=[each.scope for each in hamlets])
    wanted = MoveIn(areas=tuple(each.id for each in hamlets))
    shown = await moves.preview(here.actor, other.id, wanted)
    assert [(each.kind, each.id, each.area_after) for each in shown.handed_over] == [("emergency", made.id, "Xã B")]
    await moves.move(here.actor, other.id, MoveSeenIn(**wanted.model_dump(), seen_sha256=shown.sha256))
    with pytest.raises(NotFoundError):
        await emergencies.confirm(place["leader"], made.id)
    sent = await emergencies.confirm(leader, made.id)
    assert (sent.state, sent.area_id) == (EmergencyState.SENT, other.id)

    back = MoveIn(areas=tuple(each.id for each in hamlets))
    shown = await moves.preview(here.actor, place["area"].id, back)
    assert {each.kind for each in shown.handed_over} == {"broadcast", "emergency"}, "what sounds goes along"
