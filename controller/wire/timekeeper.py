"""Answers nodes that ask for the time, at once and signed: trust for a node without a clock."""

import asyncio
import logging
from collections import Counter
from datetime import timedelta

import msgspec

from controller.clock import Clock
from controller.errors import LoaError
from edge_agent.protocol import topics
from edge_agent.protocol.documents import TimeAnswer
from edge_agent.protocol.fields import UNREADABLE
from edge_agent.protocol.reports import TimeAsk

from .bridge import Bridge
from .signer import Signer

READABLE = timedelta(seconds=30)
MAX_ASK_BYTES = 256
MAX_PENDING = 1_000
"""More questions at once are dropped: a late answer is worth nothing, and nodes ask again."""

_log = logging.getLogger(__name__)
_ask = msgspec.json.Decoder(TimeAsk)


class Timekeeper:
    """Gives the centre's time."""

    def __init__(self, clock: Clock, signer: Signer, bridge: Bridge) -> None:
        self._clock, self._signer, self._bridge = clock, signer, bridge
        self._pending: set[asyncio.Task[None]] = set()
        self.dropped: Counter[str] = Counter()
        """Questions without an answer, by reason."""

    def note_ask(self, node_id: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001  a bridge's Handler
        """Answer a question; it must not wait behind anything."""
        if retained or len(payload) > MAX_ASK_BYTES:
            self.dropped["malformed"] += 1
            return
        try:
            nonce = _ask.decode(payload).nonce
        except UNREADABLE:
            self.dropped["malformed"] += 1
            return
        if len(self._pending) >= MAX_PENDING:
            self.dropped["busy"] += 1
            return
        task = asyncio.get_running_loop().create_task(self._answer(node_id, nonce), name="time-answer")
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _answer(self, node_id: str, nonce: str) -> None:
        scope = topics.node(node_id)
        try:
            token = await self._signer.answer(TimeAnswer, scope, READABLE, nonce=nonce, time_at=self._clock())
            await self._bridge.publish_document(scope, TimeAnswer.word, token, expiry_s=int(READABLE.total_seconds()))
        except (LoaError, ValueError) as error:  # a signer that is behind signs no time of before
            _log.debug("the time for %s: %s", node_id, error)
