"""One-off acts that a person asks of a node: a self-test, its number, a new acoustic reference. Its health answers.

Nothing is kept for a node that is away: a tone that sounds an hour after the click helps nobody.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from controller.audit import service as audit
from controller.broadcasts.models import Broadcast
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import BusyError, ConflictError, NotFoundError
from controller.ids import new_id
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.recordings.models import Recording
from edge_agent.protocol.documents import CommandAction
from edge_agent.protocol.states import Level

from .live import LiveNodes
from .models import Node
from .rules import NodeStatus
from .schemas import AskedOut

Send = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Sign a command for a scope and publish it; raises ``BusyError`` when the broker does not take it."""


class NodeAwayError(ConflictError):
    """The node is not connected: it would not hear the command."""

    code = "node_away"


class NodeUnableError(ConflictError):
    """The node does not offer that: it is too old, or has nothing that listens."""

    code = "node_unable"


class NodeSoundsError(ConflictError):
    """The node sounds an emergency: it is not restarted now."""

    code = "node_sounds"


Also = Callable[[Transaction, str, datetime], Awaitable[None]]
"""What is written with the asking, by the command's id."""


async def _nothing(_tx: Transaction, _command_id: str, _now: datetime) -> None:
    return


async def _nobody(_scope: str, _fields: dict[str, Any]) -> None:
    raise BusyError("the centre is not connected to its broker yet")


class NodeActs:
    """Asks nodes."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes) -> None:
        self._database, self._clock, self._live = database, clock, live
        self.send: Send = _nobody
        """The wire's."""

    async def self_test(self, actor: Actor, node_id: str) -> AskedOut:
        """Let a node play its short tone, and say whether it heard it.

        Raises:
            NotFoundError: there is no such node.
            ForbiddenError: the person may not do that there.
            NodeAwayError: it is not connected.
            NodeUnableError: it does not offer that.
            BusyError: the broker did not take it.
        """
        return await self.ask(actor, node_id, CommandAction.SELF_TEST)

    async def identify(self, actor: Actor, node_id: str) -> AskedOut:
        """Let a node say its number aloud (``call_number``).

        Raises:
            NotFoundError, ForbiddenError, NodeAwayError, NodeUnableError, BusyError: as above.
        """
        return await self.ask(actor, node_id, CommandAction.IDENTIFY)

    async def restart(self, actor: Actor, node_id: str) -> AskedOut:
        """Let a node's program start anew. What it plays is cut and goes on with its next item.

        Raises:
            NotFoundError, ForbiddenError, NodeAwayError, NodeUnableError, BusyError: as above.
            NodeSoundsError: an emergency sounds there.
        """

        async def spare(tx: Transaction, _command_id: str, _now: datetime) -> None:
            playing = (self._live.health(node_id) or {}).get("now_playing")
            row = await tx.session.get(Broadcast, playing["broadcast_id"]) if playing else None
            if row is not None and row.level == Level.EMERGENCY:
                raise NodeSoundsError("the node sounds an emergency", id=node_id)

        return await self.ask(actor, node_id, CommandAction.RESTART, also=spare)

    async def reference(self, actor: Actor, node_id: str, recording_id: str | None) -> AskedOut:
        """Let a node take its acoustic reference from the next session with a tune, or from the next at all.

        Raises:
            NotFoundError: there is no such node, or no such recording.
            ForbiddenError, NodeAwayError, NodeUnableError, BusyError: as above.
        """
        return await self.ask(actor, node_id, CommandAction.REFERENCE, recording_id)

    async def ask(
        self,
        actor: Actor,
        node_id: str,
        action: CommandAction,
        recording_id: str | None = None,
        *,
        act: Act = Act.NODES_TEST,
        also: Also = _nothing,
    ) -> AskedOut:
        """Ask for something; ``act`` is the right that it takes.

        Raises:
            NotFoundError, ForbiddenError, NodeAwayError, NodeUnableError, BusyError: as above.
        """
        now, command_id = self._clock(), new_id()
        async with self._database.transaction() as tx:
            seen, row = await rights.sight(tx.session, actor), await tx.session.get(Node, node_id)
            if row is None or row.removed_at is not None or not seen.sees(row.area_id):
                raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
            await rights.require(tx.session, actor, act, [row.area_id])
            fields: dict[str, Any] = {"command_id": command_id, "action": action}
            if recording_id is not None:
                tune = await tx.session.get(Recording, recording_id)
                if tune is None or not seen.sees(tune.area_id) or tune.sha256 is None:
                    raise NotFoundError("there is no such recording", resource="recordings", id=recording_id[:64])
                fields["sha256"] = tune.sha256
            self._check_able(row, action)
            await also(tx, command_id, now)
            detail = {"action": action.value, "command_id": command_id, "recording_id": recording_id}
            await audit.write(tx, actor, act, f"nodes/{node_id}", detail, at=now, area_id=row.area_id)
        await self.send(f"nodes/{node_id}", fields)
        return AskedOut(command_id=command_id, asked_at=now)

    def _check_able(self, row: Node, action: CommandAction) -> None:
        if self._live.status(row, self._clock()) is not NodeStatus.ONLINE:
            raise NodeAwayError("the node is not connected", id=row.id)
        if action.value not in (self._live.over(row).abilities or {}).get("commands", ("restart",)):
            raise NodeUnableError(f"the node does not offer {action.value}", id=row.id, action=action.value)
