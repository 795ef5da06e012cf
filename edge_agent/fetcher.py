"""Brings plan bodies and recordings to the node ahead of time: urgent at once, the rest by start, spread by jitter.

Two lanes: what is urgent never waits for bulk, and bulk stands still while something urgent is on its way.
"""

import asyncio
import errno
import io
import logging
import random
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edge_agent.download import Throttle, get
from edge_agent.errors import CorruptError, FetchError, GoneError, NoSpaceError
from edge_agent.faults import Fault, FaultBook
from edge_agent.keeper import Keeper
from edge_agent.protocol.content import MAX_BODY_BYTES, PlanBody, Voice
from edge_agent.protocol.documents import Plan
from edge_agent.protocol.listings import Listing
from edge_agent.shelf import RESERVE_BYTES, Shelf
from edge_agent.threads import in_thread

log = logging.getLogger(__name__)

BACKOFF_S = (1.0, 60.0)
"""First and longest wait after a failure; doubled each time, full jitter."""
GONE_S = 30.0
"""Wait after a 404 or 410: the centre may publish a moment later, but is not to be pestered."""
SPREAD_S = 60.0
"""Longest random delay of a fetch: a commune's nodes must not all ask at once."""
SPREAD_SHARE = 10
"""Of the time that is left before the start, at most a tenth is spent waiting."""


@dataclass(frozen=True, slots=True)
class Want:
    """A recording that the node will need."""

    voice: Voice
    start_at: datetime
    urgent: bool


@dataclass(slots=True)
class _Try:
    """What happened to one download so far."""

    not_before_s: float
    """By the loop's clock."""
    failures: int = 0
    fault: Fault | None = None


class Fetcher:
    """Runs until cancelled. ``wanted`` is asked anew whenever something changes."""

    name = "fetcher"

    def __init__(
        self,
        keeper: Keeper,
        shelf: Shelf,
        faults: FaultBook,
        *,
        media_url: str,
        tls: Callable[[], ssl.SSLContext],
        now: Callable[[], datetime],
    ) -> None:
        self._keeper, self._shelf, self._faults = keeper, shelf, faults
        self._base, self._tls, self._now = media_url, tls, now
        self.ready = asyncio.Event()
        self.on_arrival: Callable[[str], None] = lambda _: None
        """Called with the hash of a recording that has come."""
        self._nudges = {urgent: asyncio.Event() for urgent in (True, False)}
        self._tries: dict[str, _Try] = {}
        self._stop = threading.Event()
        self._urgent_under_way = False
        self.is_over: Callable[[str], bool] = lambda _: False
        """Says whether a broadcast has its outcome: nothing more is fetched for it."""
        self.bytes_per_s: Callable[[], int | None] = lambda: None
        """Ceiling of the bulk lane; None for none."""

    def nudge(self) -> None:
        """Look again: orders, files or the link have changed."""
        for event in self._nudges.values():
            event.set()

    def link_is_back(self) -> None:
        """Try at once what failed while there was no link."""
        for one in self._tries.values():
            if one.fault is not Fault.MEDIA_MISSING:
                one.not_before_s = 0.0
        self.nudge()

    def spoiled(self, sha256: str) -> None:
        """Fetch again what has changed on the disk; the fault stands until it is here."""
        self._tries[sha256] = _Try(0.0, fault=Fault.MEDIA_CORRUPT)
        self._faults.put(Fault.MEDIA_CORRUPT, f"{sha256[:12]} has changed on the disk")
        self.nudge()

    def review_faults(self) -> None:
        """End the faults that no download stands for any more; to be called now and then."""
        standing = {one.fault for one in self._tries.values()}
        if self._shelf.free_bytes() < RESERVE_BYTES:
            standing.add(Fault.DISK_LOW)
            self._faults.put(Fault.DISK_LOW, f"less than {RESERVE_BYTES // 2**20} MiB are free")
        for fault in (Fault.FETCH_FAILED, Fault.MEDIA_MISSING, Fault.MEDIA_CORRUPT, Fault.DISK_LOW):
            if fault not in standing:
                self._faults.clear(fault)

    def failed(self, sha256: str) -> Fault | None:
        """Say why a recording is not here, if its download has failed."""
        found = self._tries.get(sha256)
        return found.fault if found else None

    async def run(self) -> None:
        """Fetch for ever."""
        self.ready.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lane(urgent=True), name="fetch-urgent")
                group.create_task(self._lane(urgent=False), name="fetch-bulk")
        finally:
            self._stop.set()  # the worker threads look at it between two pieces

    async def _lane(self, *, urgent: bool) -> None:
        nudge = self._nudges[urgent]
        while True:
            nudge.clear()
            wait_s = await (self._urgent_round() if urgent else self._bulk_round())
            if wait_s is None or wait_s > 0:
                await _wait(nudge, wait_s)

    # What is next. A round does one thing and gives the seconds until the next one; None when nothing is wanted.

    async def _urgent_round(self) -> float | None:
        wants = [want for want in self._wants() if want.urgent]
        plans = self._keeper.bodies_wanted()
        self._urgent_under_way = bool(self._due([want.voice.sha256 for want in wants]))
        try:
            if due := self._due([want.voice.sha256 for want in wants]):
                await self._attempt(due[0], self._fetch_media(next(w for w in wants if w.voice.sha256 == due[0])))
            elif due := self._due([plan.body_sha256 for plan in plans]):
                plan = next(plan for plan in plans if plan.body_sha256 == due[0])
                await self._attempt(due[0], self._fetch_body(plan))
            else:
                return self._pause([w.voice.sha256 for w in wants] + [plan.body_sha256 for plan in plans])
        finally:
            self._urgent_under_way = False
        return 0.0

    async def _bulk_round(self) -> float | None:
        wants = [want for want in self._wants() if not want.urgent]
        self._spread(wants)
        names = [want.voice.sha256 for want in wants]
        due = self._due(names)
        if not due:
            return self._pause(names)
        await self._attempt(due[0], self._fetch_media(next(w for w in wants if w.voice.sha256 == due[0])))
        return 0.0

    def _wants(self) -> list[Want]:
        missing = [want for want in self._all_wanted() if not self._shelf.has(want.voice.sha256)]
        self._forget(self._tries.keys() - {want.voice.sha256 for want in missing} - self._bodies())
        return missing

    def _bodies(self) -> set[str]:
        return {plan.body_sha256 for plan in self._keeper.bodies_wanted()}

    def _forget(self, names: Iterable[str]) -> None:
        for name in list(names):
            self._tries.pop(name, None)
        self.review_faults()

    def _spread(self, wants: list[Want]) -> None:
        """Give every new want a random delay, shorter when its start is near."""
        for want in wants:
            if want.voice.sha256 not in self._tries:
                left_s = max(0.0, (want.start_at - self._now()).total_seconds())
                delay_s = random.uniform(0, min(SPREAD_S, left_s / SPREAD_SHARE))  # noqa: S311 - not a secret
                self._tries[want.voice.sha256] = _Try(_loop_s() + delay_s)

    def _due(self, names: list[str]) -> list[str]:
        return [name for name in names if name not in self._tries or self._tries[name].not_before_s <= _loop_s()]

    def _pause(self, names: list[str]) -> float | None:
        waits = [self._tries[name].not_before_s - _loop_s() for name in names if name in self._tries]
        return max(0.01, min(waits)) if waits else None

    # Doing it.

    async def _attempt(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        attempt = self._tries.setdefault(name, _Try(0.0))
        try:
            await work
        except (FetchError, OSError) as error:  # what the disk refuses ends a download, never the node
            attempt.failures += 1
            attempt.fault = _fault_of(error)
            wait_s = GONE_S if isinstance(error, GoneError) else min(BACKOFF_S[1], BACKOFF_S[0] * 2**attempt.failures)
            attempt.not_before_s = _loop_s() + random.uniform(wait_s / 4, wait_s)  # noqa: S311 - not a secret
            log.warning("%s", error)
            self._faults.put(attempt.fault, str(error))
        else:
            self._forget([name])

    async def _fetch_media(self, want: Want) -> None:
        voice = want.voice
        pause = (lambda: False) if want.urgent else (lambda: self._urgent_under_way)
        throttle = Throttle(self._stop, pause, lambda: None if want.urgent else self.bytes_per_s())
        needed = {one.voice.sha256 for one in self._all_wanted()}
        await in_thread(self._download, voice, throttle, needed)
        log.info("fetched %s, %d bytes", voice.sha256[:12], voice.bytes)
        self.on_arrival(voice.sha256)

    def _all_wanted(self) -> list[Want]:
        settings = self._keeper.settings
        listings = [one for key, one in self._keeper.listings.items() if not self.is_over(key)]
        return wanted(listings, settings.languages) if settings else []

    def _download(self, voice: Voice, throttle: Throttle, needed: set[str]) -> None:
        """Continue or begin one recording. Runs in a worker thread."""
        part = self._shelf.part(voice.sha256)
        self._shelf.make_room(voice.bytes, needed)
        with part.open("ab") as file:
            offset = file.tell()
            if offset > voice.bytes:
                file.truncate(0)
                offset = 0
        if offset < voice.bytes:
            with part.open("r+b") as file:
                file.seek(offset)
                url = f"{self._base}/media/{voice.sha256}.opus"
                get(url, self._tls(), into=file, offset=offset, limit=voice.bytes, throttle=throttle)
        self._shelf.accept_part(voice.sha256)

    async def _fetch_body(self, plan: Plan) -> None:
        if plan.body_bytes > MAX_BODY_BYTES:
            raise CorruptError(f"plan body of {plan.body_bytes} bytes, at most {MAX_BODY_BYTES}")
        packed, body = await in_thread(self._download_body, plan)
        self._keeper.body_arrived(plan, packed, body)
        log.info("plan of %s, version %d, is here", plan.aud, plan.version)

    def _download_body(self, plan: Plan) -> tuple[bytes, PlanBody]:
        """Fetch and read a body. Runs in a worker thread."""
        memory = io.BytesIO()
        url = f"{self._base}/plans/{plan.body_sha256}"
        get(url, self._tls(), into=memory, offset=0, limit=plan.body_bytes, throttle=Throttle(self._stop))
        packed = memory.getvalue()
        return packed, self._keeper.open_body(plan, packed)


def wanted(listings: Iterable[Listing], languages: tuple[str, ...]) -> list[Want]:
    """List what the node will play, in the order in which it will be needed; urgent first, each recording once."""
    wants: dict[str, Want] = {}
    for listing in sorted(listings, key=lambda one: (not one.urgent, one.broadcast.start_at)):
        for item in listing.broadcast.items:
            voice = item.voice_for(languages)
            wants.setdefault(voice.sha256, Want(voice, listing.broadcast.start_at, listing.urgent))
    return list(wants.values())


def _fault_of(error: FetchError | OSError) -> Fault:
    if isinstance(error, OSError):
        return Fault.DISK_LOW if error.errno in {errno.ENOSPC, errno.EDQUOT} else Fault.FETCH_FAILED
    kinds = {GoneError: Fault.MEDIA_MISSING, CorruptError: Fault.MEDIA_CORRUPT, NoSpaceError: Fault.DISK_LOW}
    return kinds.get(type(error), Fault.FETCH_FAILED)


def _loop_s() -> float:
    return asyncio.get_running_loop().time()


async def _wait(event: asyncio.Event, timeout_s: float | None) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
