"""Somebody else at the broker, with whatever certificate they got hold of."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from controller.demo.commune import Commune, DemoNode
from controller.wire.keys import load_keys
from controller.wire.mqtt import Connection, LinkError
from edge_agent.protocol.documents import Urgent
from edge_agent.protocol.signing import TrustStore, open_document
from edge_agent.protocol.topics import Topic, Word
from tests.e2e.waiting import until

T = TypeVar("T")

Work = Callable[["Neighbour"], Awaitable[T]]


class Neighbour:
    """One connection. The broker gives it the name of its certificate, so the rightful owner is thrown out for it."""

    def __init__(self, connection: Connection, heard: dict[str, bytes]) -> None:
        self._connection, self._heard = connection, heard

    async def retained(self, scope: str, word: Word) -> bytes:
        """Give what stands on a topic."""
        topic = str(Topic(scope, word))
        await self._connection.subscribe([topic])
        return await until(lambda: self._heard.get(topic, b""), 20, f"something retained on {topic}")

    async def publish(self, scope: str, word: Word, payload: bytes, *, retain: bool = False) -> None:
        """Publish, and wait for the broker's answer; raises ``RefusedError`` when it says no."""
        await self._connection.publish(str(Topic(scope, word)), payload, qos=1, retain=retain)


@asynccontextmanager
async def as_centre(commune: Commune) -> AsyncIterator[Neighbour]:
    """Connect with the centre's own certificate: all rights at the broker, no signing key."""
    keys = commune.centre_state / "keys"
    async with _connected(commune, keys / "ca.crt", keys / "centre.crt", keys / "centre.key") as neighbour:
        yield neighbour


@asynccontextmanager
async def as_node(commune: Commune, node: DemoNode) -> AsyncIterator[Neighbour]:
    """Connect with a node's certificate."""
    folder = node.folder
    async with _connected(commune, folder / "ca.crt", folder / "node.crt", folder / "node.key") as neighbour:
        yield neighbour


def read_urgent(token: bytes, scope: str, commune: Commune) -> Urgent:
    """Read an urgent of the centre."""
    keys = load_keys(commune.centre_state / "keys")
    return open_document(token, Urgent, audience=scope, trust=TrustStore(keys.trusted))


@asynccontextmanager
async def _connected(commune: Commune, ca: Path, certificate: Path, key: Path) -> AsyncIterator[Neighbour]:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    context.load_cert_chain(certificate, key)
    heard: dict[str, bytes] = {}
    connection = Connection("neighbour", context, lambda topic, payload, _retained: heard.update({topic: payload}))
    await connection.open("127.0.0.1", int(commune.env["LOA_BROKER_PORT"]))
    try:
        yield Neighbour(connection, heard)
    finally:
        await connection.close()


async def persistently(connect: Callable[[], AbstractAsyncContextManager[Neighbour]], work: Work[T]) -> T:
    """Do something at the broker; begin anew when the rightful owner of the certificate throws us out."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with connect() as neighbour:
                    return await work(neighbour)
            except LinkError:
                await asyncio.sleep(0.05)
