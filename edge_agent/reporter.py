"""Sends play events until the centre says that it has stored them. The outbox is the store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec

from edge_agent.ledger import Ledger
from edge_agent.protocol.documents import ReceiptsAck
from edge_agent.protocol.reports import PlayEvent, Receipts
from edge_agent.protocol.signing import SigningKey
from edge_agent.store import Store

log = logging.getLogger(__name__)

BATCH = 200
"""Events in one message (``Receipts.events``)."""
RESEND_S = (5.0, 60.0)
"""First and longest wait for an acknowledgement; doubled each time."""
KEEP = timedelta(days=30)
"""How long acknowledged events can be asked for again (DESIGN section 4)."""
GATHER_S = 0.1
"""Seconds in which events that come together are put into one message."""
MAX_KEPT = 100_000
"""Events kept at most: 30 days of 3,000 a day."""

Send = Callable[[bytes], Awaitable[bool]]
"""Publishes signed receipts; False when there is no link."""


class Reporter:
    """Runs until cancelled."""

    name = "reporter"

    def __init__(
        self, node_id: str, store: Store, ledger: Ledger, key: SigningKey, *, now: Callable[[], datetime], send: Send
    ) -> None:
        self._node_id, self._store, self._ledger, self._key = node_id, store, ledger, key
        self._now, self._send = now, send
        self.ready = asyncio.Event()
        self._nudge = asyncio.Event()
        self.acked_seq = int(store.meta("acked_seq") or b"0")
        self._sent_seq = self.acked_seq
        """Sent since the last connect, or since the last resend."""
        self._goes_back = 0
        """How often it has gone back to send again."""
        self._wait_s = RESEND_S[0]
        self._resend_s: float | None = None
        self._back_s = 0.0
        """Until then what was sent already is not sent again because the centre asks for it."""
        ledger.on_event = self.nudge

    def nudge(self) -> None:
        """There may be something to send."""
        self._nudge.set()

    def use_key(self, key: SigningKey) -> None:
        """Sign with this key from now on, also what is sent again."""
        self._key = key

    def connected(self) -> None:
        """Send all again that is not acknowledged."""
        self._wait_s = RESEND_S[0]
        self._send_again_from(self.acked_seq)
        self.nudge()

    def take_ack(self, ack: ReceiptsAck) -> None:
        """Note what the centre has stored, or what it wants again."""
        if ack.store_id != self._store.store_id:
            return
        acked_seq = min(ack.stored_through_seq, self._ledger.last_seq)
        if ack.send_from_seq is not None:
            acked_seq = min(acked_seq, ack.send_from_seq - 1)
            self._go_back(acked_seq)
        elif acked_seq <= self.acked_seq:
            return
        if acked_seq > self.acked_seq:
            self._wait_s = RESEND_S[0]
        self.acked_seq = acked_seq
        self._sent_seq = max(self._sent_seq, acked_seq)
        with self._store.writing():
            self._store.put_meta("acked_seq", str(acked_seq).encode())
            self._forget()
        self.nudge()

    async def run(self) -> None:
        """Send what is new at once, and what stays unanswered again and again."""
        self.ready.set()
        while True:
            await asyncio.sleep(GATHER_S)
            self._nudge.clear()
            while events := self._after(self._sent_seq):
                back = self._goes_back
                if not await self._send(self._sign(events)):
                    break
                if self._goes_back == back:  # else more than this is wanted again, which was asked for meanwhile
                    self._sent_seq = max(self._sent_seq, events[-1].seq)
                self._resend_s = _loop_s() + self._wait_s
            await self._wait()

    async def _wait(self) -> None:
        unanswered = self._sent_seq > self.acked_seq
        left_s = max(0.0, (self._resend_s or 0.0) - _loop_s()) if unanswered else None
        try:
            async with asyncio.timeout(left_s):
                await self._nudge.wait()
        except TimeoutError:
            log.info("receipts from %d on are not acknowledged, sending again", self.acked_seq + 1)
            self._send_again_from(self.acked_seq)
            self._back_s = _loop_s() + self._wait_s
            self._wait_s = min(self._wait_s * 2, RESEND_S[1])

    def _go_back(self, acked_seq: int) -> None:
        """Send again what follows, once in a wait: the centre may ask for ever for what is not kept any more."""
        if _loop_s() >= self._back_s:
            self._back_s = _loop_s() + self._wait_s
            self._send_again_from(acked_seq)

    def _send_again_from(self, seq: int) -> None:
        """Send what follows, also when something is being sent just now."""
        self._sent_seq = seq
        self._goes_back += 1

    def _after(self, seq: int) -> tuple[PlayEvent, ...]:
        rows = self._store.rows("SELECT event FROM events WHERE seq > ? ORDER BY seq LIMIT ?", seq, BATCH)
        return tuple(msgspec.json.decode(blob, type=PlayEvent) for (blob,) in rows)

    def _sign(self, events: tuple[PlayEvent, ...]) -> bytes:
        receipts = Receipts(
            iss=self._node_id,
            iat=max(0, int(self._now().timestamp())),
            store_id=self._store.store_id,
            kept_from_seq=self._store.rows("SELECT min(seq) FROM events")[0][0],
            events=events,
        )
        return self._key.sign(receipts)

    def _forget(self) -> None:
        oldest_s = int((self._now() - KEEP).timestamp())
        self._store.run(
            "DELETE FROM events WHERE seq <= ? AND (written_s < ? OR seq <= ?)",
            self.acked_seq,
            oldest_s,
            self._ledger.last_seq - MAX_KEPT,
        )


def _loop_s() -> float:
    return asyncio.get_running_loop().time()
