"""Takes rollouts forward: looks at what nodes say, decides by the rules, writes it down, then sends.

Rows are the truth: what a former life of the centre began, this one goes on with.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from controller.alarms.service import Alarms
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction, in_pieces
from controller.errors import BusyError
from controller.events import Event, Topic
from controller.failures import Failures
from controller.ids import new_id
from controller.nodes.live import LiveNodes
from controller.people.actor import Actor
from edge_agent.protocol.documents import CommandAction
from edge_agent.protocol.updates import UpdateReport

from .models import Rollout, RolloutNode
from .repository import Nodes, bundles_of, course_of, settled_of, soaking_in
from .rules import AT_ONCE, READABLE, next_steps
from .service import Releases
from .states import OPEN, TROUBLE, Course, Member, RolloutState, State, Steps, Tell

STEER, STEER_S = "rollouts", 20
"""Name of the regular work; nodes report every 30 s."""
STOPPED = "rollouts.stopped"
"""Kind of the alarm, and in the audit: a rollout came to its end by itself."""
DONE = "rollouts.done"
SYSTEM = Actor(None, "rollouts")
LAST_COMMANDS = 8
"""Names kept of a node's commands: an answer to an older one comes no more."""

SendUpdate = Callable[[str, dict[str, Any], timedelta], Awaitable[None]]
"""Sign a command for a scope, good for so long, and publish it; raises ``BusyError`` if the broker does not take it."""

_log = logging.getLogger(__name__)


async def _nobody(_scope: str, _fields: dict[str, Any], _readable: timedelta) -> None:
    raise BusyError("the centre is not connected to its broker yet")


class Steering:
    """Looks after the rollouts that are not over. Its regular work is ``look``."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        live: LiveNodes,
        *,
        alarms: Alarms,
        releases: Releases,
        failures: Failures,
    ) -> None:
        self._database, self._clock, self._live, self._alarms = database, clock, live, alarms
        self._releases, self._failures = releases, failures
        self._tidied = False
        self.send: SendUpdate = _nobody
        """The wire's."""
        self.lot: Callable[[str, str], bytes] = drawn
        """Gives a node's place in the order in which those of a rollout are told."""

    async def look(self) -> None:
        """Take every rollout forward by what is known now."""
        if not self._tidied:
            await self._releases.tidy()
            self._tidied = True
        async with self._database.reading() as session:
            query = select(Rollout.id).where(Rollout.state.in_(OPEN)).order_by(Rollout.created_at, Rollout.id)
            open_ones = list(await session.scalars(query))
        await self._failures.each(STEER, open_ones, self._take_forward)

    async def _take_forward(self, rollout_id: str) -> None:
        seen = await self._see(rollout_id)
        if seen is None:
            return
        # A province's nodes take a while to go through: nothing else waits for it, and no row is locked meanwhile.
        steps = await asyncio.to_thread(
            next_steps, seen.course, seen.members, seen.now, running=seen.state == RolloutState.RUNNING
        )
        for some in in_pieces([each for each in steps.changes if each.state is not State.TOLD], AT_ONCE):
            if not await self._write(seen, replace(NOTHING, changes=tuple(some), wave=seen.course.wave)):
                return
        rest = replace(steps, changes=tuple(each for each in steps.changes if each.state is State.TOLD))
        if rest != replace(NOTHING, wave=seen.course.wave):
            await self._write(seen, rest)

    async def _see(self, rollout_id: str) -> "_Seen | None":
        """Read how a rollout and its nodes stand."""
        now = self._clock()
        async with self._database.reading() as session:
            row = await session.get(Rollout, rollout_id)
            if row is None or row.state not in OPEN:
                return None
            nodes = Nodes(session, self._live, now, await bundles_of(session, row.release))
            await nodes.look_for_emergencies()
            soaking = soaking_in(course_of(row))
            members = await settled_of(session, row.id, soaking)
            async for some in nodes.read(row.id, settled=False, soaking=soaking):
                members += [member for _, member in some]
        members.sort(key=lambda each: self.lot(row.id, each.node_id))
        return _Seen(row.id, row.state, course_of(row), members, nodes.tokens, now)

    async def _write(self, seen: "_Seen", steps: Steps) -> bool:
        """Write steps down and send what is to be sent; False, and nothing is done, if somebody was faster."""
        reports = {each.node_id: each.report for each in seen.members}
        touched = sorted(
            {each.node_id for each in steps.changes} | {each.node_id for each in steps.tell} | {*steps.lies}
        )
        async with self._database.transaction() as tx:
            row = await tx.session.get(Rollout, seen.rollout_id, with_for_update=True)
            if row is None or (row.state, row.wave) != (seen.state, seen.course.wave):
                return False
            by_node = await _rows(tx, row.id, touched)
            _write_down(steps, by_node, reports, seen.now)
            commands = {
                f"nodes/{each.node_id}": _command(by_node[each.node_id], seen.tokens[each.node_id], seen.now, each)
                for each in steps.tell
            }
            if steps.wave != row.wave:
                row.wave, row.wave_since_at = steps.wave, seen.now
            await self._end(tx, row, steps)
            tx.tell(Event(Topic.ROLLOUT, row.id))
        for scope, fields in commands.items():
            try:
                await self.send(scope, fields, READABLE)
            except BusyError as error:
                _log.warning("update of %s: %s; it is told again", scope, error.message)
        return True

    async def _end(self, tx: Transaction, row: Rollout, steps: Steps) -> None:
        if steps.ends is None:
            return
        now = self._clock()
        row.state, row.reason, row.ended_at = steps.ends, steps.why, now
        await tx.session.flush()
        in_trouble = select(RolloutNode.node_id, RolloutNode.state, RolloutNode.reason).where(
            RolloutNode.rollout_id == row.id, RolloutNode.state.in_(TROUBLE)
        )
        wrong = (await tx.session.execute(in_trouble.order_by(RolloutNode.node_id))).all()
        reasons = sorted({reason or state for _, state, reason in wrong})
        title, names = f"{row.release} ({row.version})", [node_id for node_id, _, _ in wrong]
        said = {"release": row.release, "title": title, "stopped_by": steps.why, "count": len(wrong)}
        said |= {"nodes": names[:100], "reasons": reasons[:20]}
        subject, kind = f"rollouts/{row.id}", DONE if steps.why is None else STOPPED
        await audit.write(tx, SYSTEM, kind, subject, said, at=now, area_id=row.area_id)
        if steps.why is not None:
            _log.error("the rollout of release %d (%s) stopped: %s", row.release, row.version, steps.why)
            await self._alarms.raise_(tx, STOPPED, row.area_id, subject, said)


@dataclass(frozen=True)
class _Seen:
    """How a rollout stood when it was looked at."""

    rollout_id: str
    state: str
    course: Course
    members: list[Member]
    tokens: Mapping[str, str]
    """By node: what it would be sent."""
    now: datetime


NOTHING = Steps()


def drawn(rollout_id: str, node_id: str) -> bytes:
    """Draw a node's place in the order in which nodes are told.

    Anew for each rollout: one node that spoils a first wave is not first again, and nobody knows who will be.
    """
    return hashlib.sha256(f"{rollout_id}/{node_id}".encode()).digest()


async def _rows(tx: Transaction, rollout_id: str, node_ids: Sequence[str]) -> dict[str, RolloutNode]:
    found: dict[str, RolloutNode] = {}
    for some in in_pieces(node_ids):
        query = select(RolloutNode).where(RolloutNode.rollout_id == rollout_id, RolloutNode.node_id.in_(some))
        found |= {row.node_id: row for row in await tx.session.scalars(query)}
    return found


def _write_down(
    steps: Steps, by_node: Mapping[str, RolloutNode], reports: Mapping[str, UpdateReport | None], now: datetime
) -> None:
    for change in steps.changes:
        row = by_node[change.node_id]
        row.state, row.state_at, row.reason, row.wave = change.state, now, change.reason, change.wave
    for node_id in steps.lies:
        said = reports[node_id]
        by_node[node_id].unbelieved = said.state if said is not None else None


def _command(row: RolloutNode, token: str, now: datetime, tell: Tell) -> dict[str, Any]:
    if tell.anew:
        row.commands = [*row.commands, new_id()][-LAST_COMMANDS:]
    row.sent_at = now
    return {"command_id": row.commands[-1], "action": CommandAction.UPDATE, "release": token}
