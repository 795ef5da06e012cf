"""Whatever people do in whatever order: nothing that awaits a yes stands in a document (promise P1)."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from controller.approvals.models import ApprovalRequest
from controller.approvals.schemas import ReturnIn
from controller.approvals.states import RequestState
from controller.broadcasts.models import Broadcast
from controller.errors import LoaError
from controller.people.actor import Actor
from controller.plans.repository import broadcasts_of
from controller.schedules.schemas import ScheduleChange
from tests.controller.approving import ANOTHER, Commune, commune, told
from tests.controller.factories import centre
from tests.controller.schedules.village import programme, wish

Step = tuple[str, int]
"""What somebody does, and to which of the things there are."""

ACTS = (
    "say",
    "say now",
    "schedule",
    "edit",
    "edit schedule",
    "end schedule",
    "approve",
    "approve",
    "return",
    "withdraw",
    "cancel",
    "strict",
    "free",
    "wait",
)
steps = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 3)), min_size=3, max_size=10)


class World:
    """One commune, and what was made in it."""

    def __init__(self, village: Commune) -> None:
        self.village, self.here = village, village.here
        self.sent: list[str] = []
        self.schedules: list[str] = []

    async def do(self, act: str, which: int) -> None:
        """Do it; what is refused changes nothing."""
        acts: dict[str, Callable[[int], Awaitable[object]]] = {
            "say": self.say,
            "say now": lambda which: self.say(which, now=True),
            "schedule": self.schedule,
            "edit": self.edit,
            "edit schedule": self.edit_schedule,
            "end schedule": lambda which: self.here.services.schedules.end(*self.of(self.schedules, which)),
            "approve": self.approve,
            "return": self.return_,
            "withdraw": self.withdraw,
            "cancel": lambda which: self.here.services.broadcasts.cancel(*self.of(self.sent, which)),
            "strict": lambda _: self.village.rule(**ANOTHER),
            "free": lambda _: self.village.rule(second_person=()),
            "wait": self.wait,
        }
        try:
            await acts[act](which)
        except (LoaError, IndexError):
            return

    def who(self, which: int) -> Actor:
        return self.village.operator if which % 2 else self.village.leader

    def of(self, things: list[str], which: int) -> tuple[Actor, str]:
        return self.who(which), things[-1 - which % len(things)] if things else things[0]

    async def say(self, which: int, *, now: bool = False) -> None:
        start_at = None if now else self.here.clock() + timedelta(hours=1 + which)
        self.sent.append((await self.village.say(self.who(which), start_at=start_at, confirm_unusual=True)).id)

    async def schedule(self, which: int) -> None:
        made = await programme(self.here, self.village.area, 1)
        starts = f"2026-03-10T{5 + which:02}:00:00"
        wanted = wish(self.village.area, made, starts, confirm_unusual=True, confirm_conflicts=True)
        self.schedules.append((await self.here.services.schedules.create(self.who(which), wanted)).id)

    async def edit(self, which: int) -> None:
        who, broadcast_id = self.of(self.sent, which)
        changed = self.village.wish(
            title="Sửa", start_at=self.here.clock() + timedelta(hours=2 + which), confirm_unusual=True
        )
        self.sent.append((await self.here.services.broadcasts.change(who, broadcast_id, changed)).id)

    async def edit_schedule(self, which: int) -> None:
        who, schedule_id = self.of(self.schedules, which)
        now = await self.here.services.schedules.get(who, schedule_id)
        starts_at = now.starts_at_local + timedelta(minutes=15)
        wanted = wish(self.village.area, now.programme_id, confirm_unusual=True, confirm_conflicts=True)
        said = wanted.model_dump() | {"version": now.version, "starts_at_local": starts_at}
        await self.here.services.schedules.change(who, schedule_id, ScheduleChange(**said))

    async def approve(self, which: int) -> None:
        queue = await self.village.queue()
        await self.village.approve(queue[which % len(queue)].id if queue else "", self.who(which // 2 * 2))

    async def return_(self, which: int) -> None:
        queue = await self.village.queue()
        request_id = queue[which % len(queue)].id if queue else ""
        await self.here.services.approvals.return_(self.village.leader, request_id, ReturnIn(reason="Sai"))

    async def withdraw(self, which: int) -> None:
        who = self.who(which)
        queue = await self.village.queue(who)
        await self.here.services.approvals.withdraw(who, queue[which % len(queue)].id if queue else "")

    async def wait(self, which: int) -> None:
        self.here.clock.step(minutes=(2, 40, 200, 1_500)[which])
        await self.here.services.schedules.roll_due()
        await self.here.services.approvals.expire()

    async def check(self) -> None:
        """What nodes are told is what has a yes, and all of that."""
        now = self.here.clock()
        scope = self.village.area.scope
        listed = {each.broadcast_id: each for each in await told(self.here) if each.latest_end_at > now}
        async with self.here.database.reading() as session:
            rows = {row.id: row for row in await session.scalars(select(Broadcast))}
            fresh = [
                each.broadcast_id
                for urgent in (True, False)
                for each in await broadcasts_of(
                    session, scope, urgent=urgent, now=now, start_before=now + timedelta(days=6)
                )
            ]
            open_ones = await session.scalars(
                select(ApprovalRequest.subject).where(ApprovalRequest.state == RequestState.OPEN)
            )
            asked = set(open_ones)
        for broadcast_id, each in listed.items():
            row = rows[broadcast_id]
            assert not row.awaits_approval
            assert row.superseded_at is None
            assert each.approved_for(frozenset([scope])), "it stands in a document without a yes that covers it"
        assert set(fresh) <= listed.keys(), "a yes did not mark its document"
        over = {key for key, row in rows.items() if row.superseded_at or row.cancelled_at or not row.awaits_approval}
        assert asked.isdisjoint(f"broadcasts/{key}" for key in over), "somebody is asked about what is over"


async def _play(acts: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with centre(Path(folder)) as here:
            world = World(await commune(here, **ANOTHER))
            for act, which in acts:
                await world.do(act, which)
                await world.check()


@example([("say", 1), ("approve", 0), ("edit", 1), ("approve", 0), ("cancel", 0)])
@example([("schedule", 1), ("approve", 0), ("edit schedule", 1), ("wait", 3), ("approve", 0), ("end schedule", 1)])
@example([("say now", 1), ("wait", 0), ("approve", 0), ("wait", 1)])
@example([("free", 0), ("schedule", 1), ("strict", 0), ("edit schedule", 1), ("free", 0), ("wait", 3)])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(steps)
def test_nothing_that_awaits_a_yes_stands_in_any_document_whatever_people_do(acts: list[Step]) -> None:
    asyncio.run(_play(acts))
