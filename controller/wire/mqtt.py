"""One MQTT 5 connection on the event loop: paho, with the reason code of every publish given to whoever published.

(aiomqtt, which the node uses, hides those codes, and a refused publish would look like a success.)
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from controller.errors import LoaError

CONNECT_S = 10.0
KEEPALIVE_S = 20
MISC_S = 1.0
"""How often paho looks at its keepalive."""
MAX_INFLIGHT = 500
"""Publishes that may wait for their acknowledgement; the broker allows twice as many."""

OnMessage = Callable[[str, bytes, bool], None]
"""``topic, payload, retained``; must not raise and not wait."""


class LinkError(LoaError):
    """Not connected, or the connection broke before the broker answered."""

    code = "link"


class RefusedError(LoaError):
    """The broker refused a publish or a subscription: its access rules are not ours."""

    code = "refused"


class Connection:
    """One life of a connection: opened once, over when ``lost`` is done."""

    def __init__(self, client_id: str, tls: ssl.SSLContext, on_message: OnMessage) -> None:
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        """Done with the reason when the connection is over."""
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._on_message = on_message
        self._misc: asyncio.Task[None] | None = None
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTv5, reconnect_on_failure=False
        )
        client.tls_set_context(tls)
        client.max_inflight_messages_set(MAX_INFLIGHT)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_message, client.on_publish = self._received, self._published
        client.on_subscribe = self._subscribed
        client.on_socket_open, client.on_socket_close = self._socket_open, self._socket_close
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._no_more_write

    async def open(self, host: str, port: int) -> None:
        """Connect, with a clean start.

        Raises:
            LinkError: unreachable, or refused.
        """
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.to_thread(self._client.connect, host, port, KEEPALIVE_S, clean_start=True)
                self._misc = asyncio.create_task(self._look_at_keepalive(), name="mqtt-keepalive")
                await self._opened
        except (OSError, TimeoutError, LinkError) as error:
            await self.close()
            raise LinkError(f"no connection to the broker at {host}:{port}: {error or 'no answer'}") from None

    async def close(self) -> None:
        """Say goodbye, if there is still a connection."""
        self._client.disconnect()
        if self._client.socket() is not None:
            self._client.loop_write()
        self._over("closed")
        if self._misc is not None:
            self._misc.cancel()

    async def subscribe(self, topics: list[str], qos: int = 1) -> None:
        """Subscribe to all of them.

        Raises:
            LinkError: the connection broke.
            RefusedError: the broker does not grant one of them.
        """
        result, mid = self._client.subscribe([(topic, qos) for topic in topics])
        if result != MQTT_ERR_SUCCESS or mid is None:
            raise LinkError("not connected to the broker")
        await self._answer(mid)

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool, expiry_s: int | None = None) -> None:
        """Publish, and wait for the broker's acknowledgement.

        Raises:
            LinkError: not connected, or the connection broke.
            RefusedError: the broker said no.
        """
        properties = None
        if expiry_s is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's own omission
            properties.MessageExpiryInterval = expiry_s
        if self.lost.done():
            raise LinkError("not connected to the broker")
        info = self._client.publish(topic, payload, qos, retain, properties)
        if info.rc != MQTT_ERR_SUCCESS:
            raise LinkError("not connected to the broker")
        await self._answer(info.mid)

    async def _answer(self, mid: int) -> None:
        waiter = self._waiting[mid] = self._loop.create_future()
        try:
            await waiter
        finally:
            del self._waiting[mid]

    def _settle(self, mid: int, codes: list[ReasonCode]) -> None:
        waiter = self._waiting.get(mid)
        if waiter is None or waiter.done():
            return
        refused = [code for code in codes if code.is_failure]
        if refused:
            waiter.set_exception(RefusedError(f"the broker refused: {refused[0]}"))
        else:
            waiter.set_result(None)

    def _over(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
        if not self._opened.done():
            self._opened.set_exception(LinkError(reason))
            self._opened.exception()  # whoever waits has it; nobody waiting is no mistake
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(LinkError(f"the connection to the broker broke: {reason}"))

    # What paho calls, on the loop unless said otherwise.

    def _connected(
        self, _client: Client, _userdata: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._over(str(reason))
        elif not self._opened.done():
            self._opened.set_result(None)

    def _disconnected(
        self, _client: Client, _userdata: Any, _flags: DisconnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        self._over(str(reason))

    def _received(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._on_message(message.topic, bytes(message.payload), message.retain)

    def _published(
        self, _client: Client, _userdata: Any, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._settle(mid, [reason])

    def _subscribed(
        self, _client: Client, _userdata: Any, mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self._settle(mid, reasons)

    # The socket. ``connect`` runs in a thread, so these may be called from there.

    def _socket_open(self, _client: Client, _userdata: Any, opened: Any) -> None:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._on_loop(self._loop.add_reader, opened, self._read)

    def _socket_close(self, _client: Client, _userdata: Any, closed: Any) -> None:
        descriptor = closed.fileno()
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)

    def _want_write(self, _client: Client, _userdata: Any, writing: Any) -> None:
        self._on_loop(self._loop.add_writer, writing, self._write)

    def _no_more_write(self, _client: Client, _userdata: Any, writing: Any) -> None:
        self._loop.remove_writer(writing.fileno())

    def _on_loop(self, watch: Callable[[int, Callable[[], None]], None], watched: Any, act: Callable[[], None]) -> None:
        def begin() -> None:
            if watched.fileno() < 0:
                return
            if self.lost.done():  # nobody waits any more: it would take its successor's session, of the same name
                watched.close()
            else:
                watch(watched.fileno(), act)

        if threading.get_ident() == self._thread:
            watch(watched.fileno(), act)
        else:
            self._loop.call_soon_threadsafe(begin)

    def _read(self) -> None:
        try:
            self._client.loop_read()
            # TLS may hold more than what the socket still shows.
            while (held := self._client.socket()) is not None and getattr(held, "pending", lambda: 0)() > 0:
                self._client.loop_read()
        except OSError as error:
            self._over(str(error))

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except OSError as error:
            self._over(str(error))

    async def _look_at_keepalive(self) -> None:
        while not self.lost.done():
            self._client.loop_misc()
            await asyncio.wait([self.lost], timeout=MISC_S)
