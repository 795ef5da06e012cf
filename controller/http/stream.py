"""Events for pages: server-sent, small, coalesced. An event says "look again", never what there is to see."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator

from controller.errors import LoaError, NotSignedInError
from controller.events import Event, Topic
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import EVERYTHING, Sight
from controller.services import Services

from .audience import TO_THE_ENTITLED, heard

HEARTBEAT_S = 15.0
"""A comment this often keeps proxies from closing the stream, and finds out that a client is gone."""
GATHER_S = 0.1
"""Hints that come within this time are told once."""
RETRY_MS = 2000

MOST_WAITING = 1000
STREAMS_PER_PERSON = 20
"""Open pages of one person."""

INSIDE = frozenset({Topic.DOCUMENTS, Topic.REVOCATION})
"""Topics that pages do not hear of."""


class OpenStreams:
    """The streams of one application: bounded for each person, and ended before the server stops."""

    def __init__(self) -> None:
        self._of_person: Counter[str] = Counter()
        self._gathering: set[_Gathered] = set()
        self._closed = False

    def close(self) -> None:
        """End all streams, also those that are opened from now on: a server waits for them before it stops."""
        self._closed = True
        for gathered in self._gathering:
            gathered.end()

    async def stream(
        self,
        services: Services,
        *,
        person_id: str,
        token: str,
        broadcast_id: str | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> AsyncIterator[str]:
        """Give a stream's text until its session ends. With ``broadcast_id``, other broadcasts are left out."""
        if self._of_person[person_id] >= STREAMS_PER_PERSON:
            yield "event: too_many\ndata: {}\n\n"
            return
        gathered = _Gathered()
        self._of_person[person_id] += 1
        self._gathering.add(gathered)
        try:
            with services.events.listen() as events:
                filling = asyncio.create_task(gathered.fill(events), name="event-stream")
                try:
                    yield f"retry: {RETRY_MS}\n: listening\n\n"
                    clock = asyncio.get_running_loop().time
                    ear = _Ear(services, Actor(person_id, "event stream"))
                    looked_at = clock()
                    while not self._closed:
                        batch = await gathered.batch(heartbeat_s)
                        if not batch or clock() - looked_at >= heartbeat_s:  # a busy centre is never quiet
                            if not await _still_signed_in(services, token):
                                return
                            ear.forget()
                            looked_at = clock()
                        wanted = [event for event in batch if _wanted(event, broadcast_id)]
                        text = "".join(_text(event) for event in await ear.heard(wanted))
                        if text or not batch:
                            yield text or ": still here\n\n"
                finally:
                    filling.cancel()
        finally:
            self._gathering.discard(gathered)
            self._of_person[person_id] -= 1


class _Gathered:
    """Events that wait for a client, each once; one that reads too slowly is told to look at everything."""

    def __init__(self) -> None:
        self._waiting: dict[Event, None] = {}
        self._more = asyncio.Event()

    async def fill(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting = {Event(Topic.MISSED): None}
            self._waiting[event] = None
            self._more.set()

    def end(self) -> None:
        """Let whoever waits for a batch go on."""
        self._more.set()

    async def batch(self, within_s: float) -> list[Event]:
        """Give what gathered; nothing when nothing happened for so long."""
        try:
            async with asyncio.timeout(within_s):
                await self._more.wait()
        except TimeoutError:
            return []
        await asyncio.sleep(GATHER_S)
        batch, self._waiting = list(self._waiting), {}
        self._more.clear()
        return batch


class _Ear:
    """Lets through what one person may hear of. What is in sight is found out anew with every look at the session."""

    def __init__(self, services: Services, actor: Actor) -> None:
        self._services, self._actor = services, actor
        self._seen: Sight | None = None

    def forget(self) -> None:
        """Find out anew what is in sight."""
        self._seen = None

    async def heard(self, events: list[Event]) -> list[Event]:
        if not events:
            return []
        if any(event.topic is Topic.AREA for event in events):  # areas that moved may be in sight now, or no longer
            self.forget()
        if self._seen == EVERYTHING and TO_THE_ENTITLED.isdisjoint(event.topic for event in events):
            return events
        async with self._services.database.reading() as session:
            try:
                if self._seen is None:
                    self._seen = await rights.sight(session, self._actor)
                return await heard(session, self._actor, self._seen, events)
            except NotSignedInError:  # the stream ends with the next look at the session
                return []


def _wanted(event: Event, broadcast_id: str | None) -> bool:
    if event.topic in INSIDE:
        return False
    of_a_broadcast = event.topic in {Topic.PLAY, Topic.BROADCAST}
    return broadcast_id is None or not of_a_broadcast or event.key == broadcast_id


async def _still_signed_in(services: Services, token: str) -> bool:
    try:
        await services.people.whoami(token)
    except LoaError:
        return False
    return True


def _text(event: Event) -> str:
    said = {"key": event.key} | ({"node_id": event.node_id} if event.node_id else {})
    return f"event: {event.topic}\ndata: {json.dumps(said)}\n\n"
