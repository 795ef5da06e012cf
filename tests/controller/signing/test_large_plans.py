"""While a large plan is judged the signer answers others; what they say in between counts for the plan."""

import asyncio
import gzip
import os
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from controller.people.proof import Runs
from controller.plans.build import Stamp, build_hold
from controller.signing.apart import AT_ONCE, BEGUN_ANEW, Steps, ended
from controller.signing.frames import Done, Refused, Request, Sign, Token, WantRing
from controller.signing.ledger import Ledger
from controller.signing.process import listening
from controller.signing.remote import Wire
from edge_agent.protocol.content import Broadcast, PlanBody, content_hash, pack_body
from edge_agent.protocol.documents import Plan, Signed
from tests.controller.signing.test_apart import Apart, apart
from tests.controller.signing.test_rules import VOICE
from tests.edge_agent.centre import SCOPE, broadcast

__all__ = ["apart"]

DAY = timedelta(days=1)


def asked(apart: Apart, document: Signed, body: bytes | None = None) -> Sign:
    return Sign(document.word, msgspec.json.encode(document), apart.keys.dispatch.kid, body)


def plan(apart: Apart, broadcasts: Sequence[Broadcast]) -> Sign:
    now = apart.clock()
    body = pack_body(PlanBody(scope=SCOPE, broadcasts=tuple(broadcasts)))
    until = now + 30 * DAY
    document = Plan(
        **Stamp(SCOPE, apart.keys.epoch, 1, now).claims(until),
        covers_until=until,
        lease_until=until,
        body_sha256=body.sha256,
        body_bytes=len(body.packed),
    )
    return asked(apart, document, body.packed)


async def series(apart: Apart) -> list[Broadcast]:
    """Every ten minutes, and the yes to it: more than is judged at a stretch."""
    due = apart.due("b-0")
    times = tuple(f"{hour:02}:{minute:02}:00" for hour in range(24) for minute in range(5, 60, 10))
    runs = Runs(zone="UTC", times=times, lasts_ms=4 * 3_600_000, count=1000)
    window: dict[str, Any] = {"not_before_at": apart.clock(), "not_after_at": apart.clock() + 20 * DAY}
    await apart.approve("lan", due, name="schedules/s", runs=runs, **window)
    return [broadcast(f"b-{n}", due.start_at + n * timedelta(minutes=10), VOICE) for n in range(3 * AT_ONCE)]


async def test_a_stop_is_signed_while_a_plan_is_judged(apart: Apart) -> None:
    steps = apart.room.steps(plan(apart, await series(apart)))
    next(steps)
    hold = build_hold(Stamp(SCOPE, apart.keys.epoch, 1, apart.clock()), [])
    assert isinstance(apart.room.handle(asked(apart, hold)), Token)
    assert isinstance(ended(steps), Token)


class Long:
    """A signer whose plan is done only once somebody else was answered."""

    def __init__(self) -> None:
        self.begun, self.is_stopped = asyncio.Event(), False

    def steps(self, request: Request) -> Steps:
        if isinstance(request, Sign):
            self.begun.set()
            while not self.is_stopped:
                yield
        self.is_stopped = True
        return Done()


async def test_at_the_socket_others_are_answered_while_a_plan_is_judged(tmp_path: Path) -> None:
    long = Long()
    async with listening(tmp_path / "s", long, {os.getuid()}):
        wire = Wire(tmp_path / "s")
        slow = asyncio.create_task(wire.asked(Sign("plan", b"{}", "k", gzip.compress(b""))))
        await long.begun.wait()
        assert isinstance(await wire.asked(WantRing(), first=True), Done)
        assert isinstance(await slow, Done)
        wire.close()


async def test_a_yes_that_is_taken_back_meanwhile_counts_no_more(apart: Apart) -> None:
    steps = apart.room.steps(plan(apart, await series(apart)))
    next(steps)
    apart.clock.step(seconds=1)
    await apart.desk.void("schedules/s", apart.clock())
    assert isinstance(ended(steps), Refused)


async def test_a_yes_that_is_taken_back_at_the_console_meanwhile_counts_no_more(apart: Apart, tmp_path: Path) -> None:
    steps = apart.room.steps(plan(apart, await series(apart)))
    next(steps)
    with closing(Ledger(tmp_path / "signer.db")) as console:
        assert console.remove("lan", apart.clock()) == 1
    assert isinstance(ended(steps), Refused)


async def test_a_yes_that_is_used_meanwhile_is_used(apart: Apart) -> None:
    listed = await series(apart)
    steps = apart.room.steps(plan(apart, listed))
    next(steps)
    await apart.sign(msgspec.structs.replace(listed[0], broadcast_id="b-x"))
    assert ended(steps) == Refused({"b-0": "used"})


async def test_a_plan_comes_to_an_end_however_much_is_said_meanwhile(apart: Apart) -> None:
    steps, pauses = apart.room.steps(plan(apart, await series(apart))), 0
    for _ in steps:
        pauses += 1
        apart.clock.step(seconds=30)
        await apart.approve("minh", apart.due(f"b-{pauses}-m"))
    assert pauses == 3 * BEGUN_ANEW


async def test_yeses_that_are_over_are_not_read(apart: Apart) -> None:
    due = apart.due("b-1")
    await apart.approve("lan", due)
    [given] = apart.ledger.yeses_to([content_hash(due.items, due.drill)], due.latest_end_at - timedelta(seconds=1))
    assert given.person_id == "lan"
    assert apart.ledger.yeses_to([given.agreed.content_sha256], due.latest_end_at) == []
