"""Takes rollouts forward: looks at what nodes say, decides by the rules, writes it down, then sends.

Rows are the truth: what a former life of the centre began, this one goes on with.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from controller.alarms.service import Alarms
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import BusyError
from controller.events import Event, Topic
from controller.failures import Failures
from controller.ids import new_id
from controller.nodes.live import LiveNodes
from controller.people.actor import Actor
from edge_agent.protocol.documents import CommandAction

from .models import Release, Rollout, RolloutNode
from .repository import Look, bundle_for, bundles_of, course_of, rows_of, spared
from .rules import OPEN, READABLE, TROUBLE, RolloutState, Steps, next_steps
from .service import Releases

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
        async with self._database.transaction() as tx:
            row = await tx.session.get(Rollout, rollout_id, with_for_update=True)
            if row is None or row.state not in OPEN:
                return
            commands = await self._decide(tx, row)
        for scope, fields in commands.items():
            try:
                await self.send(scope, fields, READABLE)
            except BusyError as error:
                _log.warning("update of %s: %s; it is told again", scope, error.message)

    async def _decide(self, tx: Transaction, row: Rollout) -> dict[str, dict[str, Any]]:
        """Write down what comes next; gives what is to be sent after the commit, by scope."""
        now = self._clock()
        rows = await rows_of(tx.session, row.id)
        bundles = await bundles_of(tx.session, row.release)
        look = Look(self._live, now, bundles, await spared(tx.session, now, [node for _, node in rows]))
        members = [look.member(each, node) for each, node in rows]
        steps = next_steps(course_of(row), members, now, running=row.state == RolloutState.RUNNING)
        by_node = {each.node_id: each for each, _ in rows}
        _write(steps, by_node, {each.node_id: each.report for each in members}, now)
        if steps.wave != row.wave:
            row.wave, row.wave_since_at = steps.wave, now
        if steps.changes or steps.lies:
            tx.tell(Event(Topic.ROLLOUT, row.id))
        await self._end(tx, row, steps, by_node, now)
        heard = {node.id: self._live.over(node) for _, node in rows}
        commands: dict[str, dict[str, Any]] = {}
        for each in steps.tell:
            bundle = bundle_for(heard[each.node_id], bundles)
            if bundle is not None:
                commands[f"nodes/{each.node_id}"] = _command(by_node[each.node_id], bundle, now, anew=each.anew)
        await tx.session.flush()
        return commands

    async def _end(
        self, tx: Transaction, row: Rollout, steps: Steps, by_node: Mapping[str, RolloutNode], now: datetime
    ) -> None:
        if steps.ends is None:
            return
        row.state, row.reason, row.ended_at = steps.ends, steps.why, now
        wrong = sorted(name for name, each in by_node.items() if each.state in TROUBLE)
        reasons = sorted({by_node[name].reason or by_node[name].state for name in wrong})
        title = f"{row.release} ({row.version})"
        detail = {"release": row.release, "title": title, "stopped_by": steps.why, "count": len(wrong)}
        subject, kind = f"rollouts/{row.id}", DONE if steps.why is None else STOPPED
        said = {**detail, "nodes": wrong[:100], "reasons": reasons[:20]}
        await audit.write(tx, SYSTEM, kind, subject, said, at=now, area_id=row.area_id)
        if steps.why is not None:
            _log.error("the rollout of release %d (%s) stopped: %s", row.release, row.version, steps.why)
            await self._alarms.raise_(tx, STOPPED, row.area_id, subject, said)


def _write(steps: Steps, by_node: Mapping[str, RolloutNode], reports: Mapping[str, Any], now: datetime) -> None:
    for change in steps.changes:
        row = by_node[change.node_id]
        row.state, row.state_at, row.reason, row.wave = change.state, now, change.reason, change.wave
    for node_id in steps.lies:
        by_node[node_id].unbelieved = reports[node_id].state


def _command(row: RolloutNode, bundle: Release, now: datetime, *, anew: bool) -> dict[str, Any]:
    if anew:
        row.commands = [*row.commands, new_id()][-LAST_COMMANDS:]
    row.sent_at = now
    return {"command_id": row.commands[-1], "action": CommandAction.UPDATE, "release": bundle.token}
