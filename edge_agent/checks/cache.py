"""Whether what is due within a day is here. Ten minutes before a start it says what each broadcast lacks, and why.

A recording that is not here in time is ``missed`` with its reason; this is the warning while somebody can still act.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from edge_agent.faults import Fault
from edge_agent.keeper import Keeper
from edge_agent.protocol.reports import CacheReport, LackReport
from edge_agent.protocol.states import Reason
from edge_agent.shelf import Shelf

AHEAD = timedelta(hours=24)
SOON = timedelta(minutes=10)
"""From here on nothing is waited for: each broadcast that lacks something is named."""
GRACE_S = 75.0
"""A download may wait for a minute of jitter, and takes its time: what has just been ordered is not yet missing."""
_NAMED = 5
_REASONS: Mapping[Fault | None, Reason] = {
    Fault.MEDIA_CORRUPT: Reason.CORRUPT_FILE,
    Fault.DISK_LOW: Reason.NO_SPACE,
}
"""As the receipt will say it, the first before the second; else ``no_file``."""


class Lack(NamedTuple):
    """A broadcast that cannot sound whole."""

    broadcast_id: str
    start_at: datetime
    missing: tuple[str, ...]
    """Hashes."""


class Cache:
    """Looks every ten seconds."""

    fault = Fault.CACHE_INCOMPLETE
    period_s = 10.0
    clears_within_s = 0.0
    slow = False

    def __init__(
        self,
        keeper: Keeper,
        shelf: Shelf,
        *,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        failed: Callable[[str], Fault | None],
        is_over: Callable[[str], bool],
        fetch: Callable[[], None] = lambda: None,
    ) -> None:
        """``fetch`` is called when something is missing that was not before: a file may have gone by itself."""
        self._keeper, self._shelf, self._now, self._monotonic_s = keeper, shelf, now, monotonic_s
        self._failed, self._is_over, self._fetch = failed, is_over, fetch
        self._since_s: dict[str, float] = {}
        """Recordings that are missing, and since when."""
        self.last: CacheReport | None = None
        """As of the last look; None before settings."""

    def look(self) -> str | None:
        """Compare the lists with the shelf."""
        lacks, now_s, now = self._lacks(), self._monotonic_s(), self._now()
        missing = dict.fromkeys(sha256 for lack in lacks for sha256 in lack.missing)
        if not self._since_s.keys() >= missing.keys():
            self._fetch()
        self._since_s = {sha256: self._since_s.get(sha256, now_s) for sha256 in missing}
        soon = [self._report(lack) for lack in lacks if lack.start_at <= now + SOON][:_NAMED]
        if self.last is not None:
            self.last = msgspec.structs.replace(self.last, lacks=tuple(soon))
        if soon:
            return "; ".join(f"{one.broadcast_id} at {_clock(one.start_at)}: {one.reason}" for one in soon)
        late = [sha256 for sha256, since_s in self._since_s.items() if now_s - since_s >= GRACE_S]
        if not late:
            return None
        first = min(lack.start_at for lack in lacks if set(late) & set(lack.missing))
        return f"{len(late)} recordings that are due within 24 h are not here, the first at {_clock(first)}"

    def _lacks(self) -> list[Lack]:
        settings, until_at = self._keeper.settings, self._now() + AHEAD
        if settings is None:
            return []
        found, due_all = [], dict[str, bool]()
        for key, listing in self._keeper.listings.items():
            due = listing.broadcast
            if due.start_at > until_at or due.latest_end_at <= self._now() or self._is_over(key):
                continue
            voices = dict.fromkeys(voice.sha256 for voice in due.voices_for(settings.languages))
            due_all |= {sha256: self._shelf.has(sha256) for sha256 in voices}
            missing = tuple(sha256 for sha256 in voices if not due_all[sha256])
            if missing:
                found.append(Lack(key, due.start_at, missing))
        self.last = CacheReport(due=len(due_all), here=sum(due_all.values()))
        return sorted(found, key=lambda lack: lack.start_at)

    def _report(self, lack: Lack) -> LackReport:
        found = {_REASONS.get(self._failed(sha256)) for sha256 in lack.missing}
        reason = next((one for one in _REASONS.values() if one in found), Reason.NO_FILE)
        return LackReport(broadcast_id=lack.broadcast_id, start_at=lack.start_at, reason=reason)


def _clock(at: datetime) -> str:
    return f"{at:%H:%M} UTC"
