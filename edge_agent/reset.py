"""When the store was lost: what was due before may have been begun already. Knows no plays and no way of losing it."""

from datetime import datetime, timedelta

import msgspec

from edge_agent.clock import Clock
from edge_agent.protocol.states import ClockState
from edge_agent.store import Store

_MARK, _AT = "reset_mark", "reset_at"


class _Mark(msgspec.Struct, frozen=True):
    """The boot clock when the loss was noticed: a wall clock that shows 1970 would not tell."""

    boot_id: str
    boottime_ns: int


class Reset:
    """The last loss of a store, kept in the new one."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def note(self) -> None:
        """The store has been lost."""
        mark = _Mark(self._clock.boot_id, self._clock.boottime_ns())
        with self._store.writing():
            self._store.put_meta(_MARK, msgspec.json.encode(mark))
            self._store.run("DELETE FROM meta WHERE key = ?", _AT)

    @property
    def at(self) -> datetime | None:
        """When; None when it never was, or has not been worked out."""
        found = self._store.meta(_AT)
        return None if found is None else datetime.fromisoformat(found.decode())

    @property
    def is_open(self) -> bool:
        """Whether it can be worked out now, and has not been."""
        known = self._clock.state is ClockState.UNTRUSTED or self._store.meta(_AT) is not None
        return not known and self._store.meta(_MARK) is not None

    def work_out(self) -> datetime:
        """Turn the boot clock's reading into an instant, once the clock is good; after a reboot, that of the boot."""
        mark = msgspec.json.decode(self._store.meta(_MARK) or b"", type=_Mark)
        then_ns = mark.boottime_ns if mark.boot_id == self._clock.boot_id else 0
        age = timedelta(microseconds=(self._clock.boottime_ns() - then_ns) // 1000)
        lost_at = self._clock.now() - age
        self._store.put_meta(_AT, lost_at.isoformat().encode())
        return lost_at
