"""The controller's one connection to the broker: publishes for whoever asks, hands on what nodes say.

The broker's memory may be gone after every connect, so whoever keeps documents is told to publish them all again.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from collections.abc import Set as AbstractSet

from controller.config import Config
from controller.errors import LoaError
from edge_agent.protocol import topics
from edge_agent.protocol.documents import BY_WORD
from edge_agent.protocol.errors import BadTopicError
from edge_agent.protocol.topics import NODE_WRITES, Word

from .mqtt import Connection, LinkError
from .pki import CENTRE, Authority

RECONNECT_S = (0.2, 0.5, 1.0, 2.0)
"""Upper limits of the waits between attempts, drawn with full jitter; the broker stands next to us."""

Handler = Callable[[str, bytes, bool], None]
"""``node_id, payload, retained``; must not raise and not wait."""

_log = logging.getLogger(__name__)


class Bridge:
    """Keeps the connection until cancelled."""

    name = "bridge"

    def __init__(self, config: Config, authority: Authority) -> None:
        host = config.node_host
        # The certificate covers loopback; "everywhere" is no address to connect to.
        self.host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host
        self.port, self._authority = config.broker_port, authority
        self._handlers: Mapping[Word, Handler] = {}
        self._on_connect: Callable[[], Coroutine[None, None, None]] | None = None
        self._connection: Connection | None = None
        self._unheard: AbstractSet[str] = frozenset()
        self.dropped: Counter[str] = Counter()
        """Messages without effect, by reason."""
        self.ready = asyncio.Event()

    def attach(self, handlers: Mapping[Word, Handler], on_connect: Callable[[], Coroutine[None, None, None]]) -> None:
        """Say who takes which word, and what is done after every connect. Before ``run``."""
        self._handlers, self._on_connect = handlers, on_connect

    def do_not_hear(self, node_ids: AbstractSet[str]) -> None:
        """Drop whatever comes in the name of these nodes."""
        self._unheard = node_ids

    @property
    def connected(self) -> bool:
        """Whether a publish has a chance."""
        return self._connection is not None and not self._connection.lost.done()

    async def run(self) -> None:
        """Connect, and connect again whenever the connection is lost."""
        attempt = 0
        while True:
            try:
                connection = self._new()
                try:
                    await connection.open(self.host, self.port)
                    attempt = 0
                    await self._serve(connection)
                finally:
                    self._connection = None
                    await connection.close()
            except LoaError as error:
                _log.warning("%s", error.message)
            await asyncio.sleep(random.uniform(0.02, RECONNECT_S[min(attempt, len(RECONNECT_S) - 1)]))  # noqa: S311  jitter
            attempt += 1

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, expiry_s: int | None = None
    ) -> None:
        """Publish, and wait for the broker's acknowledgement. Messages leave in the order of the calls.

        Raises:
            LinkError: there is no connection, or it broke.
            RefusedError: the broker said no.
        """
        if self._connection is None:
            raise LinkError("not connected to the broker")
        await self._connection.publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)

    async def publish_document(self, scope: str, word: str, token: bytes, *, expiry_s: int | None = None) -> None:
        """Publish a signed document as its kind is published.

        Raises:
            LinkError: there is no connection, or it broke.
            RefusedError: the broker said no.
        """
        kind = BY_WORD[Word(word)]
        topic = str(topics.Topic(scope, kind.word))
        await self.publish(topic, token, qos=kind.qos, retain=kind.retain, expiry_s=expiry_s)

    def _new(self) -> Connection:
        try:
            return Connection(CENTRE, self._authority.centre_context(), self._take)
        except OSError as error:  # a disk that is gone for a while
            raise LinkError(f"the centre's own certificate cannot be read: {error}") from error

    async def _serve(self, connection: Connection) -> None:
        self._connection = connection
        again = asyncio.create_task(self._on_connect(), name="publish-again") if self._on_connect else None
        try:
            await connection.subscribe([f"{topics.ROOT}/nodes/+/{word}" for word in sorted(NODE_WRITES)])
            self.ready.set()
            # The link may break while thousands of documents are on their way.
            await asyncio.wait([each for each in (again, connection.lost) if each], return_when=asyncio.FIRST_COMPLETED)
            if again is not None and again.done():
                again.result()
            _log.warning("the connection to the broker broke: %s", await connection.lost)
        finally:
            if again is not None:
                again.cancel()
                await asyncio.wait([again])

    def _take(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001  the shape of OnMessage
        try:
            found = topics.parse(topic)
        except BadTopicError as error:
            self.dropped[error.code] += 1
            return
        handler = self._handlers.get(found.word)
        if handler is None or not found.scope.startswith("nodes/"):
            self.dropped["not_expected"] += 1
        elif (node_id := found.scope.removeprefix("nodes/")) in self._unheard:
            self.dropped["revoked"] += 1
        elif payload:
            handler(node_id, payload, retained)
