"""Brings plan bodies and recordings to the node ahead of time: urgent at once, the rest by start, spread by jitter.

A lane for emergencies, one for what is urgent, one for bulk: none waits for a later one, which stands still meanwhile.
"""

import asyncio
import errno
import io
import logging
import random
import ssl
import threading
from collections.abc import Callable, Container, Coroutine, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from edge_agent.checks.disk_space import shortage
from edge_agent.download import Throttle, get
from edge_agent.errors import AgentError, ConfigError, CorruptError, FetchError, GoneError, NoSpaceError
from edge_agent.faults import Fault, FaultBook
from edge_agent.keeper import Keeper
from edge_agent.protocol.content import MAX_BODY_BYTES, PlanBody, Voice
from edge_agent.protocol.documents import Plan
from edge_agent.protocol.listings import Listing
from edge_agent.protocol.states import Level
from edge_agent.shelf import Shelf
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
SAFE = timedelta(hours=24)
"""What is due so soon stays, whatever else would need the room."""
_SOME_DAY = datetime.max.replace(tzinfo=UTC)
"""When that is needed which is only kept."""


class Lane(IntEnum):
    """Who has the link first."""

    EMERGENCY = 0
    URGENT = 1
    BULK = 2


@dataclass(frozen=True, slots=True)
class Want:
    """A recording that the node will need."""

    voice: Voice
    start_at: datetime
    """When it is needed."""
    urgent: bool
    level: Level

    @property
    def lane(self) -> Lane:
        """An emergency's, even when it was planned long ago."""
        if self.level is Level.EMERGENCY:
            return Lane.EMERGENCY
        return Lane.URGENT if self.urgent else Lane.BULK


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
        bulk_bytes_per_s: int | None = None,
    ) -> None:
        """``bulk_bytes_per_s``: this machine's ceiling of what is fetched ahead, beside that of settings, if any."""
        self._keeper, self._shelf, self._faults = keeper, shelf, faults
        self._base, self._tls, self._now = media_url, tls, now
        self.ready = asyncio.Event()
        self.on_arrival: Callable[[str], None] = lambda _: None
        """Called with the hash of a recording that has come."""
        self._nudges = {lane: asyncio.Event() for lane in Lane}
        self._tries: dict[str, _Try] = {}
        self._stop = threading.Event()
        self._missed_s: dict[str, float] = {}
        """Pinned recordings that are not here, and since when, by the loop's clock."""
        self._under_way: dict[str, Lane] = {}
        """Recordings being fetched; replaced, never changed, since worker threads look at it."""
        self.is_over: Callable[[str], bool] = lambda _: False
        """Says whether a broadcast has its outcome: nothing more is fetched for it."""
        self.bulk_bytes_per_s = bulk_bytes_per_s

    def nudge(self) -> None:
        """Look again: orders, files or the link have changed."""
        if self._under_way:
            lanes = {want.voice.sha256: want.lane for want in self._all_wanted()}
            self._under_way = {sha256: lanes.get(sha256, lane) for sha256, lane in self._under_way.items()}
        self._wake()

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
        short = shortage(self._shelf.free_bytes(), self._shelf.free_inodes())
        if short is not None:
            standing.add(Fault.DISK_LOW)
            self._faults.put(Fault.DISK_LOW, short)
        for fault in (Fault.FETCH_FAILED, Fault.MEDIA_MISSING, Fault.MEDIA_CORRUPT, Fault.DISK_LOW):
            if fault not in standing:
                self._faults.clear(fault)
        self._review_pinned()

    def _review_pinned(self) -> None:
        """Tell of what an emergency may have to do without, once it has had the time that its download may wait."""
        pinned = self._pinned()
        missing = [sha256 for sha256 in sorted(pinned) if not self._shelf.has(sha256)]
        if not self._missed_s.keys() >= set(missing):
            self._wake()  # one that was here may have gone: nothing else asks for it
        self._missed_s = {sha256: self._missed_s.get(sha256, _loop_s()) for sha256 in missing}
        late = [sha256[:12] for sha256, since_s in self._missed_s.items() if _loop_s() >= since_s + SPREAD_S]
        detail = f"{len(late)} of {len(pinned)} recordings kept for emergencies are not here: {', '.join(late[:10])}"
        self._faults.turn(Fault.PINNED_MISSING, bool(late), detail)

    def _pinned(self) -> set[str]:
        settings = self._keeper.settings
        return {voice.sha256 for voice in settings.pinned} if settings else set()

    def needed(self) -> set[str]:
        """Name the recordings that are to sound, or to be kept."""
        return {want.voice.sha256 for want in self._all_wanted()}

    def is_fetching(self) -> bool:
        """Say whether a recording is on its way. Called by worker threads too."""
        return bool(self._under_way)

    def bulk_rate(self) -> int | None:
        """Give the ceiling of what is not urgent, bytes a second: the lower of two. Called by worker threads too."""
        settings = self._keeper.settings
        said = settings.download_kbit_s if settings is not None else None
        ceilings = [self.bulk_bytes_per_s, None if said is None else said * 125]
        return min((each for each in ceilings if each is not None), default=None)

    def has_urgent(self) -> bool:
        """Say whether what must sound soon is on its way. Called by worker threads too."""
        return self._stands_still(Lane.BULK)

    def failed(self, sha256: str) -> Fault | None:
        """Say why a recording is not here, if its download has failed."""
        found = self._tries.get(sha256)
        return found.fault if found else None

    async def run(self) -> None:
        """Fetch for ever."""
        self.ready.set()
        try:
            async with asyncio.TaskGroup() as group:
                for lane in Lane:
                    group.create_task(self._serve(lane), name=f"fetch-{lane.name.lower()}")
        finally:
            self._stop.set()  # the worker threads look at it between two pieces

    async def _serve(self, lane: Lane) -> None:
        nudge = self._nudges[lane]
        while True:
            nudge.clear()
            wait_s = await self._round(lane)
            if wait_s is None or wait_s > 0:
                await _wait(nudge, wait_s)

    # What is next. A round does one thing and gives the seconds until the next one; None when nothing is wanted.

    async def _round(self, lane: Lane) -> float | None:
        wants = {want.voice.sha256: want for want in self._wants() if want.lane is lane}
        self._spread([want for want in wants.values() if not want.urgent])
        self._hurry([name for name, want in wants.items() if want.urgent])
        # A plan's body goes behind what is urgent already: it is needed to know what else will be.
        bodies = {plan.body_sha256: plan for plan in self._keeper.bodies_wanted()} if lane is Lane.URGENT else {}
        names = [name for name in (*wants, *bodies) if name not in self._under_way]
        due = self._due(names)
        if not due:
            return self._pause(names)
        if due[0] in wants:
            await self._attempt(due[0], self._fetch_media(wants[due[0]]))
        else:
            await self._attempt(due[0], self._fetch_body(bodies[due[0]]))
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

    def _hurry(self, names: list[str]) -> None:
        """Spend no random delay on what has become urgent; after a failure it waits as everything does."""
        for name in names:
            found = self._tries.get(name)
            if found is not None and not found.failures:
                found.not_before_s = 0.0

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
        except (FetchError, ConfigError, OSError) as error:  # what the disk refuses ends a download, never the node
            attempt.failures += 1
            attempt.fault = _fault_of(error)
            wait_s = GONE_S if isinstance(error, GoneError) else min(BACKOFF_S[1], BACKOFF_S[0] * 2**attempt.failures)
            attempt.not_before_s = _loop_s() + random.uniform(wait_s / 4, wait_s)  # noqa: S311 - not a secret
            log.warning("%s", error)
            self._faults.put(attempt.fault, str(error))
        else:
            self._forget([name])

    async def _fetch_media(self, want: Want) -> None:
        voice, name = want.voice, want.voice.sha256

        def ceiling() -> int | None:
            return self.bulk_rate() if self._lane_of(name) is Lane.BULK else None

        throttle = Throttle(self._stop, lambda: self._stands_still(self._lane_of(name)), ceiling)
        wants = self._all_wanted()
        needed = {one.voice.sha256 for one in wants}
        spare = spare_for(want, wants, self._now(), pinned=self._pinned())
        self._under_way = {**self._under_way, name: want.lane}
        try:
            await in_thread(self._download, voice, throttle, needed, spare)
        finally:
            self._under_way = {key: lane for key, lane in self._under_way.items() if key != name}
            self._wake()  # it may have come to belong to another lane meanwhile, which has left it to this one
        log.info("fetched %s, %d bytes", voice.sha256[:12], voice.bytes)
        self.on_arrival(voice.sha256)

    def _wake(self) -> None:
        for event in self._nudges.values():
            event.set()

    def _lane_of(self, sha256: str) -> Lane:
        return self._under_way.get(sha256, Lane.BULK)

    def _stands_still(self, lane: Lane) -> bool:
        """Say whether something that comes first is on its way. Called by worker threads."""
        return min(self._under_way.values(), default=lane) < lane

    def _all_wanted(self) -> list[Want]:
        settings = self._keeper.settings
        listings = [one for key, one in self._keeper.listings.items() if not self.is_over(key)]
        return wanted(listings, settings.languages, settings.pinned) if settings else []

    def _download(self, voice: Voice, throttle: Throttle, needed: set[str], spare: list[str]) -> None:
        """Continue or begin one recording. Runs in a worker thread."""
        part = self._shelf.part(voice.sha256)
        self._shelf.make_room(voice.bytes, needed, spare=spare)
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
        throttle = Throttle(self._stop, lambda: self._stands_still(Lane.URGENT))
        get(url, self._tls(), into=memory, offset=0, limit=plan.body_bytes, throttle=throttle)
        packed = memory.getvalue()
        return packed, self._keeper.open_body(plan, packed)


def wanted(listings: Iterable[Listing], languages: tuple[str, ...], pinned: tuple[Voice, ...] = ()) -> list[Want]:
    """List what the node will need, each recording once, in the order in which it is fetched.

    Emergencies and what is urgent, then what is kept always, then the rest by start.
    """
    first: dict[str, Want] = {}
    later: dict[str, Want] = {}
    for listing in sorted(listings, key=_need):
        due = listing.broadcast
        for voice in due.voices_for(languages):
            want = Want(voice, due.start_at, listing.urgent, due.level)
            (later if want.lane is Lane.BULK else first).setdefault(voice.sha256, want)
    kept = {voice.sha256: Want(voice, _SOME_DAY, urgent=False, level=Level.NORMAL) for voice in pinned}
    order = {**first, **{name: later.get(name, want) for name, want in kept.items()}, **later}
    return [first.get(name, want) for name, want in order.items()]


def spare_for(want: Want, wants: Iterable[Want], now: datetime, *, pinned: Container[str]) -> list[str]:
    """List what may go again when the disk is full, so that one recording fits; what is due last goes first.

    Never what is ``pinned`` or due within a day, and never what is due before the one that is to fit.
    """
    floor_at = now + SAFE if want.voice.sha256 in pinned else max(now + SAFE, want.start_at)
    later = [
        one for one in wants if one.lane is Lane.BULK and one.start_at > floor_at and one.voice.sha256 not in pinned
    ]
    return [one.voice.sha256 for one in sorted(later, key=lambda one: one.start_at, reverse=True)]


def _need(listing: Listing) -> tuple[bool, bool, int, datetime]:
    """Sort emergencies first, then what is urgent, of that the higher level first, then by start."""
    due = listing.broadcast
    rank = -due.level.rank if listing.urgent else 0
    return due.level is not Level.EMERGENCY, not listing.urgent, rank, due.start_at


def _fault_of(error: AgentError | OSError) -> Fault:
    if isinstance(error, OSError):
        return Fault.DISK_LOW if error.errno in {errno.ENOSPC, errno.EDQUOT} else Fault.FETCH_FAILED
    kinds: dict[type[AgentError], Fault] = {
        GoneError: Fault.MEDIA_MISSING,
        CorruptError: Fault.MEDIA_CORRUPT,
        NoSpaceError: Fault.DISK_LOW,
    }
    return kinds.get(type(error), Fault.FETCH_FAILED)


def _loop_s() -> float:
    return asyncio.get_running_loop().time()


async def _wait(event: asyncio.Event, timeout_s: float | None) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
