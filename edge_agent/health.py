"""Says how the node is: every 30 s and soon after a change. A heartbeat, not a record."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edge_agent.checks.disk_space import free_files
from edge_agent.checks.temperature import degrees
from edge_agent.clock import Clock
from edge_agent.faults import FaultBook
from edge_agent.inbox import Inbox
from edge_agent.keeper import Keeper
from edge_agent.ledger import Ledger
from edge_agent.link import Link
from edge_agent.protocol.reports import CacheReport, ClockReport, Health, NowPlaying, ReferenceReport, SelfTestReport
from edge_agent.protocol.updates import UpdateReport
from edge_agent.reporter import Reporter
from edge_agent.store import Store

GATHER_S = 0.2
"""Seconds in which changes are put into one report."""
INTERVAL_S = 30.0
"""Until settings say otherwise."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
"""16 KiB on a Raspberry Pi 5."""


class Seen(NamedTuple):
    """What others have last seen; named as in the report."""

    now_playing: NowPlaying | None
    self_test: SelfTestReport | None
    identified: SelfTestReport | None
    reference: ReferenceReport | None
    supply_low: bool | None
    link_rtt_ms: float | None
    link_reconnects: int
    link_kind: str | None
    link_signal: int | None
    cache: CacheReport | None
    storage_errors: int | None
    muted: bool | None
    amplifier_on: bool | None
    release: int
    update: UpdateReport | None


class HealthReporter:
    """Runs until cancelled."""

    name = "health"

    def __init__(
        self,
        *,
        link: Link,
        clock: Clock,
        keeper: Keeper,
        ledger: Ledger,
        store: Store,
        inbox: Inbox,
        reporter: Reporter,
        faults: FaultBook,
        seen: Callable[[], Seen],
        disk: Path,
    ) -> None:
        self._link, self._clock, self._keeper, self._ledger, self._store = link, clock, keeper, ledger, store
        self._inbox, self._reporter, self._faults = inbox, reporter, faults
        self._seen, self._disk = seen, disk
        self._started_s = time.monotonic()
        self._nudge = asyncio.Event()
        self.ready = asyncio.Event()

    def nudge(self) -> None:
        """Something that people watch has changed."""
        self._nudge.set()

    async def run(self) -> None:
        """Report for ever."""
        self.ready.set()
        while True:
            await self._link.publish(self.report())
            settings = self._keeper.settings
            try:
                async with asyncio.timeout(settings.health_interval_ms / 1000 if settings else INTERVAL_S):
                    await self._nudge.wait()
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass
            self._nudge.clear()

    def report(self) -> Health:
        """Put together the state of now."""
        seen, offset_ms = self._seen(), self._clock.offset_ms
        return Health(
            sent_at=self._clock.now(),
            uptime_ms=int((time.monotonic() - self._started_s) * 1000),
            held=self._keeper.held(),
            holds=tuple(sorted(self._keeper.holds))[:256],
            clock=ClockReport(
                state=self._clock.state,
                offset_ms=None if offset_ms is None else round(offset_ms, 3),
                why=self._clock.why_untrusted,
            ),
            faults=self._faults.standing()[:64],
            dropped=dict(self._inbox.dropped.most_common(64)),
            disk_free_bytes=shutil.disk_usage(self._disk).free,
            memory_bytes=resident_bytes(),
            disk_free_files=free_files(self._disk),
            temperature_c=degrees(),
            store_id=self._store.store_id,
            last_seq=self._ledger.last_seq,
            acked_seq=self._reporter.acked_seq,
            lease_until=min((until_at for _, until_at in self._keeper.leases()), default=None),
            **seen._asdict(),
            keys=tuple(key.kid for key in self._keeper.trust.keys),
        )


def resident_bytes() -> int:
    """Resident size of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
