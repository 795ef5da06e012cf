"""Sections 2 and 3: the connection to the broker."""

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import aiomqtt

from .basics import LOG, Json, instant
from .clock import Clock
from .ending import end
from .identity import Identity
from .keeper import Keeper

Work = Callable[[], Coroutine[Any, Any, None]]
GOODBYE_S = 3.0
"""In which the broker takes a goodbye; without it the last will says as much."""
AGAIN_S = 1.0


class Link:
    """Connects again and again. ``take`` is given each message and says whether it had an effect."""

    def __init__(self, identity: Identity, clock: Clock, keeper: Keeper, take: Callable[[str, bytes], bool]) -> None:
        self._identity, self._clock, self._keeper, self._take = identity, clock, keeper, take
        self._client: aiomqtt.Client | None = None
        self._followed: set[str] = set()
        self.meanwhile: tuple[Work, ...] = ()
        """What runs while it is connected."""

    async def say(
        self, word: str, payload: Json | bytes, *, qos: int = 1, retain: bool = False, within_s: float | None = None
    ) -> None:
        if self._client is not None:
            data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            topic = f"loa/v1/{self._identity.own}/{word}"
            await self._client.publish(topic, data, qos=qos, retain=retain, timeout=within_s)

    async def goodbye(self) -> None:
        try:
            leaving = {"state": "leaving", "reason": "shutdown"}
            await self.say("presence", leaving, retain=True, within_s=GOODBYE_S)
        except aiomqtt.MqttError as wrong:
            LOG.warning("goodbye: %s", wrong)

    async def run(self) -> None:
        wait = 1.0
        while True:
            client = self._new_client()
            try:
                async with client:
                    wait = 1.0
                    await self._connected(client)
            except aiomqtt.MqttError as wrong:
                LOG.warning("connection: %s", wrong)
            self._client = None
            await asyncio.sleep(random.uniform(0, wait))
            wait = min(wait * 2, 60)

    def _new_client(self) -> aiomqtt.Client:
        lost = json.dumps({"state": "lost", "boot_id": self._clock.boot_id})
        adoption = self._identity.adoption
        return aiomqtt.Client(
            adoption["broker_host"],
            adoption["broker_port"],
            identifier=self._identity.node,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=aiomqtt.Will(f"loa/v1/{self._identity.own}/presence", lost, qos=1, retain=True),
            clean_start=True,
            keepalive=20,
            timeout=10,
            tls_context=self._identity.tls(client=True, dates=self._clock.good()),
        )

    async def _connected(self, client: aiomqtt.Client) -> None:
        self._followed.clear()
        for word in ("hold", "settings", "receipts/ack", "time/answer"):
            await self._subscribe(client, f"{self._identity.own}/{word}")
        self._client = client
        abilities = {"software": "tiny-agent 1", "output": "virtual", "best_grade": 1}
        online = {"state": "online", "boot_id": self._clock.boot_id, "connected_at": instant(self._clock.now())}
        await self.say("presence", online | {"abilities": abilities}, retain=True)
        await self.say("time/ask", self._clock.ask())
        await self._follow(client)
        await first_of([*(work() for work in self.meanwhile), self._listen(client)])

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            if self._take(str(message.topic), bytes(message.payload)):
                await self._follow(client)

    async def _follow(self, client: aiomqtt.Client) -> None:
        """Subscribe to what is not yet subscribed to, in the order of section 2, and leave what was left."""
        scopes = self._keeper.scopes()
        wished = [f"{scope}/{word}" for word in ("hold", "urgent", "plan") for scope in scopes]
        for place in [*wished, f"{self._identity.own}/command"]:
            if place not in self._followed:
                await self._subscribe(client, place)
        for place in [one for one in self._followed if one.startswith("areas/") and one not in wished]:
            self._followed.discard(place)
            await client.unsubscribe(f"loa/v1/{place}")

    async def _subscribe(self, client: aiomqtt.Client, place: str) -> None:
        codes: Any = await client.subscribe(f"loa/v1/{place}", qos=1)
        if any(code.value >= 0x80 for code in codes):
            raise aiomqtt.MqttError(f"refused: {place}")
        self._followed.add(place)


async def first_of(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run until one of them is over, and raise what it raised."""
    running = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        over = [work for work in running if work.done()]
    finally:
        await end(running, AGAIN_S)
    for work in over:
        work.result()
