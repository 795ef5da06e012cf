"""Sections 13 and 14: what the node says of itself, while it is connected."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from .basics import HOUR, Json, S, instant
from .clock import Clock
from .documents import RETAINED
from .identity import Identity
from .keeper import Keeper
from .outbox import Outbox
from .store import Store


class Say(Protocol):
    """Publishes a word under the node's own name."""

    def __call__(self, word: str, payload: Json | bytes, *, qos: int = 1) -> Awaitable[None]: ...


class Reporter:
    """Health, receipts, and questions for the time."""

    def __init__(
        self,
        identity: Identity,
        store: Store,
        clock: Clock,
        keeper: Keeper,
        outbox: Outbox,
        now_playing: Callable[[], Json | None],
        say: Say,
    ) -> None:
        self._identity, self._store, self._kept, self._clock = identity, store, store.kept, clock
        self._keeper, self._outbox, self._now_playing, self._say = keeper, outbox, now_playing, say

    async def health(self) -> None:
        said_at = 0
        last: Json = {}
        while True:
            report, steady = self._report(), self._clock.steady()
            every = (self._keeper.settings or {"health_interval_ms": 30000})["health_interval_ms"] * 1000
            if report != last or steady - said_at >= every:
                last, said_at = report, steady
                times = {"sent_at": instant(self._clock.now()), "uptime_ms": (steady - self._clock.started) // 1000}
                await self._say("health", report | times, qos=0)
            if steady - self._clock.asked >= (HOUR if self._clock.state() == "trusted" else 10 * S):
                await self._say("time/ask", self._clock.ask())
            await asyncio.sleep(0.3)

    async def receipts(self) -> None:
        self._outbox.connected()
        while True:
            self._store.news.clear()
            self._outbox.look()
            while events := self._outbox.batch():
                payload = {
                    "iss": self._identity.node,
                    "iat": self._clock.now() // S,
                    "store_id": self._kept["store_id"],
                    "events": events,
                }
                await self._say("receipts", self._identity.signed("loa-receipts", payload))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._store.news.wait()

    def _report(self) -> Json:
        return {
            "held": self._held(),
            "holds": self._keeper.holds[:256],
            "now_playing": self._playing(),
            "clock": {"state": self._clock.state(), "offset_ms": self._clock.offset_ms},
            "faults": [{"code": code, "since_at": instant(at)} for code, at in self._faults().items()],
            "dropped": dict(self._keeper.dropped),
            "store_id": self._kept["store_id"],
            "last_seq": self._store.seq,
            "acked_seq": self._outbox.acked,
        }

    def _held(self) -> dict[str, Json]:
        held: dict[str, Json] = {}
        for place, (epoch, version) in self._kept["versions"].items():
            kind, name, word = place.split("/", 2)
            if word in RETAINED and f"{kind}/{name}" in self._keeper.scopes():
                one = {"epoch": epoch, "version": version}
                if word == "plan":
                    one["complete"] = self._keeper.plan_of(f"{kind}/{name}") == (epoch, version)
                held.setdefault(f"{kind}/{name}", {})[word] = one
        return held

    def _faults(self) -> dict[str, int]:
        faults, now = self._keeper.faults, self._clock.now()
        for code, wrong in (("no_settings", not self._keeper.settings), ("clock_untrusted", not self._clock.good())):
            if wrong:
                faults.setdefault(code, now)
            else:
                faults.pop(code, None)
        return faults

    def _playing(self) -> Json | None:
        found = self._now_playing()
        if found is None:
            return None
        item, started_at, ends_at = found["sounding"]
        times = {"started_at": instant(started_at), "ends_at": instant(ends_at)}
        return {"broadcast_id": found["broadcast_id"], "item": item} | times
