"""What has happened, told to whoever listens inside this process: the dispatcher, live pages, the API's event stream.

An event is a hint to look at the rows again, never a record: a listener that falls behind loses hints and is told so.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class Topic(StrEnum):
    """Kinds of events; also the names on the event stream."""

    AREA = "area"
    NODE = "node"
    RECORDING = "recording"
    BULLETIN = "bulletin"
    PROGRAMME = "programme"
    APPROVAL = "approval"
    """A request for a yes."""
    BROADCAST = "broadcast"
    PLAY = "play"
    HOLD = "hold"
    SCHEDULE = "schedule"
    """Also a calendar: the dates of what is aired may have changed."""
    EMERGENCY = "emergency"
    MESSAGE = "message"
    """One that lies ready for an emergency."""
    ENROLMENT = "enrolment"
    ALARM = "alarm"
    FAULT = "fault"
    """Of a node: it began, ended, or somebody looks after it."""
    ROLLOUT = "rollout"
    """A release on its way to nodes."""
    PERSON = "person"
    """An account: who somebody is, what they may do, or whether they may sign in."""
    AUDIT = "audit"
    """Something was written down: who did what."""
    REVOCATION = "revocation"
    """A node is in strange hands. Inside only."""
    DOCUMENTS = "documents"
    """Signed documents became dirty. Inside only."""
    MISSED = "missed"
    """This listener fell behind: look at everything again."""


@dataclass(frozen=True)
class Event:
    """Something changed; ``key`` is the row's id, for a play its ``broadcast_id``."""

    topic: Topic
    key: str = ""
    node_id: str | None = None
    """For a play: whose."""


class EventBus:
    """Fan-out within the process. Publishing never blocks."""

    def __init__(self, *, backlog: int = 1000) -> None:
        self._backlog = backlog
        self._queues: set[asyncio.Queue[Event]] = set()
        self._noting: list[Callable[[Event], None]] = []

    def publish(self, event: Event) -> None:
        """Tell all listeners; one that is full gets a single ``MISSED`` instead of its backlog."""
        for note in self._noting:
            note(event)
        for queue in self._queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(Event(Topic.MISSED))
            else:
                queue.put_nowait(event)

    def note_in(self, note: Callable[[Event], None]) -> None:
        """Call this at every event, for as long as the bus lives. It only notes: it does not wait and does not fail."""
        self._noting.append(note)

    @contextmanager
    def listen(self) -> Iterator[AsyncIterator[Event]]:
        """Listen from this moment on, for the length of the block."""
        queue: asyncio.Queue[Event] = asyncio.Queue(self._backlog)
        self._queues.add(queue)

        async def events() -> AsyncIterator[Event]:
            while True:
                yield await queue.get()

        try:
            yield events()
        finally:
            self._queues.discard(queue)
