"""Plays light nodes that come back by the agent's own rule: ``python -m tests.faults.returning ORDER``.

Real connections, certificates and handshakes, one after the other: what comes back in one second is at most what one
thread can connect in it.
"""

import heapq
import json
import random
import ssl
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_agent.link import BACKOFF_S, next_wait_s
from tests.bench.light import Light, LightNode


class Returning(Light):
    """See the module."""

    def __init__(self, order: dict[str, Any]) -> None:
        super().__init__(order)
        self._pems = {one["id"]: one["pem"] for one in order["nodes"]}
        self._waiting: list[tuple[float, str, float]] = []
        """When each tries again (monotonic), and how long it had waited for that at most."""
        self._lost_at: list[float] = []
        self._due_at: list[float] = []
        """When those that are back were to try, which one thread may be late for."""
        self._back_at: list[float] = []
        """Unix time, of this storm."""
        self._tries = 0

    def _hung_up(self, node: LightNode) -> None:
        self._epoll.unregister(node.sock.fileno())
        del self._by_fd[node.sock.fileno()]
        self._nodes.remove(node)
        node.sock.close()
        self._lost_at.append(time.time())
        self._later(node.node_id, next_wait_s(BACKOFF_S[0], served=True))

    def _later(self, node_id: str, wait_s: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + random.uniform(0, wait_s), node_id, wait_s))

    def _read(self, node: LightNode) -> None:
        try:
            super()._read(node)
        except OSError:
            self._hung_up(node)

    def _tend(self, node: LightNode, now: float) -> None:
        try:
            super()._tend(node, now)
        except OSError:
            self._hung_up(node)

    def pump(self, timeout_s: float) -> None:
        """Live, and let one come back whose time it is."""
        super().pump(0 if self._waiting and self._waiting[0][0] <= time.monotonic() else timeout_s)
        if self._waiting and self._waiting[0][0] <= time.monotonic():
            due_s, node_id, wait_s = heapq.heappop(self._waiting)
            self._tries += 1
            try:
                self._come_back(node_id)
            except (OSError, RuntimeError):  # refused, or hung up on in between
                self._later(node_id, next_wait_s(wait_s, served=False))
            else:
                self._back_at.append(time.time())
                self._due_at.append(time.time() - (time.monotonic() - due_s))

    def _come_back(self, node_id: str) -> None:
        context = ssl.create_default_context(cadata=self._order["ca"])
        context.check_hostname = False  # as in ``connect``
        with tempfile.NamedTemporaryFile("w") as pem:
            pem.write(self._pems[node_id])
            pem.flush()
            context.load_cert_chain(pem.name)
        node = self._connect_one(context, node_id)
        self._subscribe(node)
        self._introduce(node)
        self._welcome(node)

    def obey(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """As all light nodes; ``storm`` begins to count, ``back`` waits until all are there."""
        match order["do"]:
            case "storm":
                self._lost_at, self._due_at, self._back_at, self._tries = [], [], [], 0
                return {}
            case "back":
                until = time.monotonic() + order["wait_s"]
                everybody = len(self._pems)
                while time.monotonic() < until and (len(self._nodes) < everybody or not self._back_at):
                    self.pump(0.05)
                found = {"lost_at": self._lost_at, "due_at": self._due_at, "back_at": self._back_at}
                return {"there": len(self._nodes), "tries": self._tries, **found}
            case _:
                return super().obey(order)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        Returning(json.loads(Path(sys.argv[1]).read_text())).run()
