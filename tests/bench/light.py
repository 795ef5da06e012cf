"""Plays light nodes, many in one process: ``python -m tests.bench.light ORDER``. Orders come line by line as JSON on
standard input, what was found goes back the same way. One thread and epoll: no event loop's own cost in the figures.
"""

import json
import os
import random
import select
import socket
import ssl
import sys
import tempfile
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from edge_agent.protocol import topics
from edge_agent.protocol.documents import BY_WORD, Hold, Signed, TrustedKey
from edge_agent.protocol.errors import ProtocolError
from edge_agent.protocol.reports import Abilities, ClockReport, Health, Held, Online
from edge_agent.protocol.signing import TrustStore, open_document
from edge_agent.protocol.states import ClockState, Grade, KeyUse
from edge_agent.protocol.topics import Word
from tests.bench import mqtt5

KEEPALIVE_S = 20
HEALTH_S = 30.0
"""As real nodes (DESIGN section 4)."""
AFTER_CHANGE_S = 0.2
"""A real node gathers changes so long before it reports."""
READ = 1 << 16
TIDY_S = 0.05
ALIVE_EVERY = 50
"""Connects between two looks at those that are connected already."""
OWN_WORDS = (Word.HOLD, Word.SETTINGS, Word.RECEIPTS_ACK, Word.TIME_ANSWER, Word.URGENT, Word.PLAN, Word.COMMAND)
AREA_WORDS = (Word.HOLD, Word.URGENT, Word.PLAN)


class LightNode:
    """One connection."""

    def __init__(self, node_id: str, sock: ssl.SSLSocket) -> None:
        self.node_id, self.scope, self.sock = node_id, topics.node(node_id), sock
        self.packets = mqtt5.Packets()
        self.unsent: deque[bytes] = deque()
        self.held: dict[str, dict[str, Held]] = {}
        self.holds: set[str] = set()
        self.health_at = 0.0
        self.ping_at = time.monotonic() + KEEPALIVE_S * random.uniform(0.3, 0.7)

    def send(self, packet: bytes) -> None:
        """Send, or keep what the socket does not take."""
        self.unsent.append(packet)
        self.flush()

    def flush(self) -> None:
        """Send what is kept."""
        while self.unsent:
            try:
                sent = self.sock.send(self.unsent[0])
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            rest = self.unsent.popleft()[sent:]
            if rest:
                self.unsent.appendleft(rest)

    def note(self, scope: str, word: Word, document: Signed) -> bool:
        """Take a document over; says whether the holds obeyed are others now."""
        self.held.setdefault(scope, {})[word.value] = Held(epoch=document.epoch, version=document.version)
        if not isinstance(document, Hold):
            return False
        before = set(self.holds)
        self.holds |= {order.hold_id for order in document.active}
        self.holds -= set(document.released)
        return self.holds != before


class Light:
    """All of them."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        keys = [TrustedKey(kid=key["kid"], use=KeyUse(key["use"]), x=key["x"]) for key in order["trusted"]]
        self._trust = TrustStore(keys)
        self._epoll = select.epoll()
        self._by_fd: dict[int, LightNode] = {}
        self._nodes: list[LightNode] = []
        self._watched = ""
        """Topic whose messages are not obeyed: noted is when each node was done with one."""
        self._checkers: frozenset[str] = frozenset()
        """Nodes that check what comes there before they are done; the others only note the arrival."""
        self._done: dict[str, int] = {}
        self._healthy = False
        self._packet_id = 0
        self._tidy_at = 0.0

    # Connecting: one after the other, so that the time of each can be told.

    def connect(self, *, introduce: bool) -> dict[str, Any]:
        """Connect and subscribe all; gives milliseconds of each connect and each subscription."""
        connects, subscribes = [], []
        with tempfile.TemporaryDirectory() as folder:
            pem = Path(folder) / "node.pem"
            context = ssl.create_default_context(cadata=self._order["ca"])
            context.check_hostname = False  # the certificate names what nodes are told, we come by address
            for one in self._order["nodes"]:
                pem.write_text(one["pem"])
                context.load_cert_chain(pem)
                begun = time.perf_counter()
                node = self._connect_one(context, one["id"])
                connected = time.perf_counter()
                self._subscribe(node)
                subscribes.append((time.perf_counter() - connected) * 1000)
                connects.append((connected - begun) * 1000)
                self._welcome(node)
                if introduce:
                    self._introduce(node)
                if len(self._nodes) % ALIVE_EVERY == 0:
                    self.pump(0)  # those that are there must not be given up meanwhile
        return {"connect_ms": connects, "subscribe_ms": subscribes}

    def _welcome(self, node: LightNode) -> None:
        """Live with a node that is connected and has subscribed."""
        node.sock.setblocking(False)
        self._epoll.register(node.sock.fileno(), select.EPOLLIN)
        self._by_fd[node.sock.fileno()] = node
        self._nodes.append(node)

    def _connect_one(self, context: ssl.SSLContext, node_id: str) -> LightNode:
        raw = socket.create_connection(("127.0.0.1", self._order["port"]), timeout=20)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as real nodes do
        node = LightNode(node_id, context.wrap_socket(raw))
        node.sock.sendall(mqtt5.connect(node_id, KEEPALIVE_S))
        body = self._await(node, mqtt5.CONNACK)
        if body[1] != 0:
            raise RuntimeError(f"the broker refuses {node_id}: reason {body[1]:#x}")
        return node

    def _subscribe(self, node: LightNode) -> None:
        wanted = [str(topics.Topic(node.scope, word)) for word in OWN_WORDS]
        wanted += [str(topics.Topic(scope, word)) for scope in self._order["scopes"] for word in AREA_WORDS]
        node.sock.sendall(mqtt5.subscribe(1, wanted))
        self._await(node, mqtt5.SUBACK)

    def _await(self, node: LightNode, kind: int) -> bytes:
        """Read until a packet of that kind; what comes before it is taken as always."""
        while True:
            data = node.sock.recv(READ)
            if not data:
                raise RuntimeError(f"the broker hung up on {node.node_id}")
            found = None
            for got, flags, body in node.packets.feed(data):
                if got == kind:
                    found = body
                elif got == mqtt5.PUBLISH:
                    self._take(node, mqtt5.read_publish(flags, body))
            if found is not None:
                return found

    def _introduce(self, node: LightNode) -> None:
        hello = Online(
            boot_id="light",
            connected_at=datetime.now(UTC),
            abilities=Abilities(software="light node", output="virtual", best_grade=Grade.E0),
        )
        self._say(node, Word.PRESENCE, msgspec.json.encode(hello), retain=True)
        node.health_at = time.monotonic() + random.uniform(0, HEALTH_S)

    # Living.

    def pump(self, timeout_s: float) -> None:
        """Read what has come, and do what is due."""
        for fd, _ in self._epoll.poll(timeout_s, 4096):
            if fd in self._by_fd:
                self._read(self._by_fd[fd])
        now = time.monotonic()
        if now < self._tidy_at:
            return
        self._tidy_at = now + TIDY_S  # looking at a thousand nodes after every read would be in the figures
        for node in [*self._nodes]:
            self._tend(node, now)

    def _tend(self, node: LightNode, now: float) -> None:
        if node.unsent:
            node.flush()
        if node.ping_at <= now:
            node.ping_at = now + KEEPALIVE_S * 0.7
            node.send(mqtt5.ping())
        if self._healthy and node.health_at <= now:
            node.health_at = now + HEALTH_S
            self._report(node)

    def _read(self, node: LightNode) -> None:
        while True:
            try:
                data = node.sock.recv(READ)
            except ssl.SSLWantReadError:
                return
            if not data:
                self._hung_up(node)
                return
            for kind, flags, body in node.packets.feed(data):
                if kind == mqtt5.PUBLISH:
                    message = mqtt5.read_publish(flags, body)
                    if message.packet_id is not None:
                        node.send(mqtt5.puback(message.packet_id))
                    self._take(node, message)

    def _hung_up(self, node: LightNode) -> None:
        raise RuntimeError(f"the broker hung up on {node.node_id}")

    def _take(self, node: LightNode, message: mqtt5.Publish) -> None:
        watched = message.topic == self._watched
        if watched and node.node_id not in self._checkers:
            self._done[node.node_id] = time.monotonic_ns()
            return
        topic = topics.parse(message.topic)
        if topic.word not in BY_WORD:
            return
        try:
            document = open_document(message.payload, BY_WORD[topic.word], audience=topic.scope, trust=self._trust)
        except ProtocolError as error:
            raise RuntimeError(f"{message.topic}: {error}") from error
        if watched:
            self._done[node.node_id] = time.monotonic_ns()
        if node.note(topic.scope, topic.word, document):
            node.health_at = min(node.health_at, time.monotonic() + AFTER_CHANGE_S)

    def _report(self, node: LightNode) -> None:
        health = Health(
            sent_at=datetime.now(UTC),
            uptime_ms=1,
            held=node.held,
            holds=tuple(sorted(node.holds)),
            clock=ClockReport(state=ClockState.TRUSTED, offset_ms=0.1),
            disk_free_bytes=1 << 33,
            memory_bytes=1 << 26,
            store_id="light",
            last_seq=0,
            acked_seq=0,
        )
        self._say(node, Word.HEALTH, msgspec.json.encode(health))

    def _say(self, node: LightNode, word: Word, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        packet_id = None
        if qos:
            packet_id = self._packet_id = self._packet_id % 60_000 + 1
        node.send(mqtt5.publish(str(topics.Topic(node.scope, word)), payload, packet_id=packet_id, retain=retain))

    # Orders.

    def obey(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """Do one thing; gives an answer where there is one."""
        match order["do"]:
            case "connect":
                return self.connect(introduce=order["introduce"])
            case "health":
                self._healthy = order["on"]
            case "watch":
                self._watched, self._checkers, self._done = order["topic"], frozenset(order["checkers"]), {}
            case "found":
                until = time.monotonic() + order["wait_s"]
                while len(self._done) < len(self._nodes) and time.monotonic() < until:
                    self.pump(0.05)
                return {"done": self._done}
            case "receipts":
                return self._burst(order["files"])
            case other:
                raise ValueError(f"unknown order {other!r}")
        return {}

    def _burst(self, files: list[str]) -> dict[str, Any]:
        """Send signed receipts, one file a node, as fast as the broker takes them."""
        tokens = [Path(file).read_bytes() for file in files]
        begun = time.time()
        for node, token in zip(self._nodes, tokens, strict=True):
            self._say(node, Word.RECEIPTS, token, qos=1)
        while any(node.unsent for node in self._nodes):
            self.pump(0.01)
        return {"begun": begun, "sent": time.time()}

    def run(self) -> None:
        """Live until standard input ends."""
        stdin = sys.stdin.fileno()
        self._epoll.register(stdin, select.EPOLLIN)
        buffer = b""
        while True:
            self.pump(0.05)
            if not select.select([stdin], [], [], 0)[0]:
                continue
            piece = os.read(stdin, READ)
            if not piece:
                return
            *lines, buffer = (buffer + piece).split(b"\n")
            for line in lines:
                sys.stdout.write(json.dumps(self.obey(json.loads(line))) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    Light(json.loads(Path(sys.argv[1]).read_text())).run()
