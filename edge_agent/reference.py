"""The acoustic reference: how the signature tune's session sounded when a person said that all is well, and since.

Nothing sounds for it. It is kept through restarts; the comparing is the ears' business.
"""

import asyncio
import logging
import statistics
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import msgspec

from edge_agent.faults import Fault, FaultBook
from edge_agent.heard import Change, Way
from edge_agent.hearing import Listened
from edge_agent.judge import Judge
from edge_agent.protocol.reports import ReferenceReport
from edge_agent.stage import OWN
from edge_agent.store import Store

log = logging.getLogger(__name__)

_META = "reference"
MOST_WAYS = 12
"""Pieces of one session that count: a minute of sound."""
WORDS: dict[Change, str] = {
    "weaker": "a horn may be dead or turned away, or the amplifier turned down",
    "different": "a horn, the microphone or what stands around them may have been moved",
    "silent": "nothing was heard of the session with the tune",
    "same": "",
}


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the store keeps."""

    wanted: bool = False
    wanted_sha256: str | None = None
    sha256: str | None = None
    taken_at: datetime | None = None
    ways: tuple[Way, ...] = ()
    delay_ms: float | None = None
    """How late our own horns come in; None for one that was taken before this was kept."""
    change: Change | None = None
    judged_at: datetime | None = None
    level_db: float | None = None
    times: int = 0
    """Sessions one after the other that told of a change."""


class _Session:
    """What was heard of one play so far."""

    def __init__(self) -> None:
        self.recordings: list[str] = []
        self.ways: list[Way] = []
        self.delays_ms: list[float] = []
        self.told: list[str] = []


class Reference:
    """Takes it when a person has asked, and compares every later session in which the tune sounds."""

    def __init__(self, store: Store, judge: Judge, faults: FaultBook, now: Callable[[], datetime]) -> None:
        self._store, self._judge, self._faults, self._now = store, judge, faults, now
        saved = store.meta(_META)
        self._kept = _Kept() if saved is None else msgspec.json.decode(saved, type=_Kept)
        self._sessions: dict[str, _Session] = defaultdict(_Session)
        self._work: set[asyncio.Task[None]] = set()
        self.on_change: Callable[[], None] = lambda: None
        self._raise()

    @property
    def report(self) -> ReferenceReport:
        """As the centre is told."""
        kept = self._kept
        return ReferenceReport(
            wanted=kept.wanted,
            sha256=kept.sha256,
            taken_at=kept.taken_at,
            change=kept.change,
            judged_at=kept.judged_at,
            level_db=kept.level_db,
        )

    @property
    def delay_ms(self) -> float | None:
        """How late our own horns come in, while there is a reference."""
        return self._kept.delay_ms

    def want(self, sha256: str | None) -> None:
        """Take it anew at the next session with this tune, or at the next at all; the old one counts no more."""
        self._put(_Kept(wanted=True, wanted_sha256=sha256))

    def note_item(self, one: Listened) -> None:
        """An item is over, and all that will be heard of it is."""
        sound = one.cue.sound
        if sound.broadcast_id in OWN:
            return
        session = self._sessions[sound.broadcast_id]
        session.recordings.append(sound.voice.sha256)
        session.ways += one.ways
        session.delays_ms += one.delays_ms
        session.told.append(one.sensed)

    def session_over(self, broadcast_id: str) -> None:
        """A play is reported."""
        session = self._sessions.pop(broadcast_id, None)
        if session is None or not session.recordings:
            return
        if self._kept.wanted:
            self._take(session)
        elif self._kept.sha256 in session.recordings and self._kept.ways:
            task = asyncio.create_task(self._compare(session), name="compare with the reference")
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    def _take(self, session: _Session) -> None:
        tune = self._kept.wanted_sha256 or session.recordings[0]
        if tune in session.recordings and session.ways:
            ways = tuple(session.ways[:MOST_WAYS])
            delay_ms = statistics.median(session.delays_ms)
            self._put(_Kept(sha256=tune, taken_at=self._now(), ways=ways, delay_ms=delay_ms))
            log.info("the acoustic reference has been taken, from %d pieces", len(ways))

    async def _compare(self, session: _Session) -> None:
        reference, level_db = self._kept, None
        if session.ways:
            found = await self._judge.compare(reference.ways, tuple(session.ways[:MOST_WAYS]))
            if found is None:
                return
            change: Change = found.change
            level_db = round(found.level_db, 1)
            log.info("against the reference: %s", found)
        elif "not_heard" in session.told:
            change = "silent"
        else:
            return
        if self._kept is reference:
            times = 0 if change == "same" else reference.times + 1
            told = {"change": change, "judged_at": self._now(), "level_db": level_db, "times": times}
            self._put(msgspec.structs.replace(reference, **told))

    def _put(self, kept: _Kept) -> None:
        self._kept = kept
        self._store.put_meta(_META, msgspec.json.encode(kept))
        self._raise()
        self.on_change()

    def _raise(self) -> None:
        change = self._kept.change
        wrong = change not in {None, "same"}
        times = f"in {self._kept.times} sessions" if self._kept.times > 1 else "in one session, the next one tells more"
        detail = "" if change is None else f"{change} ({self._kept.level_db} dB) {times}: {WORDS[change]}"
        self._faults.turn(Fault.HORN_CHANGED, wrong, detail)
