"""Section 14: which events the centre has, and which are to be sent."""

from .basics import Json, S
from .clock import Clock
from .store import Store


class Outbox:
    """How far receipts were sent and acknowledged."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._kept, self._clock = store, store.kept, clock
        self._sent = self.acked
        self._due, self._wait = 0, 5 * S

    @property
    def acked(self) -> int:
        return int(self._kept["acked"])

    def connected(self) -> None:
        """Send again what has not been acknowledged."""
        self._sent = self.acked

    def take(self, ack: Json) -> None:
        if ack["store_id"] != self._kept["store_id"]:
            return
        self._kept["acked"] = max(self.acked, min(ack["stored_through_seq"], self._store.seq))
        self._wait = 5 * S
        self._sent = max(self._sent, self.acked)
        if ack["send_from_seq"] is not None:
            self._sent = min(self._sent, ack["send_from_seq"] - 1)
        self._store.news.set()

    def look(self) -> None:
        """Begin again when no acknowledgement has come in time."""
        if self._sent > self.acked and self._clock.steady() >= self._due:
            self._sent = self.acked
            self._wait = min(self._wait * 2, 60 * S)

    def batch(self) -> list[Json]:
        """Give the events of the next message; they count as sent."""
        found = self._store.events_after(self._sent)
        if found:
            self._sent = found[-1][0]
            self._due = self._clock.steady() + self._wait
        return [event for _, event in found]
