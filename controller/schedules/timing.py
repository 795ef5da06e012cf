"""How a session is fitted into its time: fixed end, back-timing, overrun, filler. Pure; no clock, no database.

A date gives the start that its rule names. Here that becomes the instants of a broadcast and the items that fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from controller.errors import InvalidError
from edge_agent.protocol.content import Item, Voice

from .states import Overrun
from .walltime import instant

END_MARGIN = timedelta(seconds=60)
"""Without a fixed end: what clocks and amplifiers may take longer."""
DAY = timedelta(days=1)
MAX_FILLERS = 200
"""Items of filler in one session; the wire takes 500 items."""


class OverrunError(InvalidError):
    """A session is longer than its time. ``over_s`` says by how much."""

    code = "overrun"


@dataclass(frozen=True)
class Frame:
    """What a schedule says about the time of each of its sessions."""

    late_ms: int
    ends_at_local: str | None = None
    """Wall time of a fixed end, ``17:45:00``; the next one after the start, so it may lie after midnight."""
    back_timed: bool = False
    overrun: Overrun = Overrun.REFUSE
    filler: Voice | None = None


class Session(NamedTuple):
    """A session that fits."""

    start_at: datetime
    latest_start_at: datetime
    latest_end_at: datetime
    items: tuple[Item, ...]
    left_out: int
    """Items of the programme, from the end, for which there is no time."""
    fillers: int
    """Items that were added to reach the fixed end."""


def fixed_end(local: datetime, zone: str, ends_at_local: str | None, *, rule: datetime) -> datetime | None:
    """Give the instant of the fixed end of the session that begins at a wall time; None: it has none.

    ``rule``: the wall time that the rule gives. Who is moved and begins outside of the session's own time takes its
    length along: else a morning's session moved to the evening might be resumed, or filled up, until the next morning.
    """
    if ends_at_local is None:
        return None
    end, usual = _next(local, ends_at_local), _next(rule, ends_at_local) - rule
    if end - local > usual:
        end = local + usual
    return instant(end, zone)


def _next(local: datetime, hour: str) -> datetime:
    end = datetime.combine(local.date(), datetime.strptime(hour, "%H:%M:%S").time())  # noqa: DTZ007 - wall time
    return end if end > local else end + DAY


def fit(start_at: datetime, end_at: datetime | None, items: Sequence[Item], frame: Frame) -> Session:
    """Fit items into the time between a start and a fixed end.

    Back-timed, the session ends at its fixed end: it begins later, or filler plays first. Else what is left is filled
    after it. A late start is caught up by nobody: the node leaves out what would pass the latest end.

    Raises:
        OverrunError: it does not fit, and the schedule wants it refused; or not even its first item fits.
    """
    late = timedelta(milliseconds=frame.late_ms)
    if end_at is None:
        end = start_at + _length(items)
        return Session(start_at, start_at + late, end + late + END_MARGIN, tuple(items), 0, 0)
    span = end_at - start_at
    kept = _kept(items, span, frame.overrun)
    spare = span - _length(kept)
    fillers = _fillers(frame.filler, spare)
    if frame.back_timed and spare > timedelta(0):
        kept = _joined(fillers, kept)
        start_at = end_at - _length(kept)
    else:
        kept = _joined(kept, fillers)
    ends_at = max(end_at, start_at + _length(kept))
    if frame.overrun is Overrun.FINISH:
        ends_at += late  # begun late, its last item is finished all the same
    return Session(
        start_at, min(start_at + late, end_at), ends_at, kept, len(items) - (len(kept) - len(fillers)), len(fillers)
    )


def _kept(items: Sequence[Item], span: timedelta, overrun: Overrun) -> tuple[Item, ...]:
    over = _length(items) - span
    if over <= timedelta(0):
        return tuple(items)
    if overrun is Overrun.FINISH:
        kept = tuple(item for item in items if _ms(item.offset_ms) < span)
    elif overrun is Overrun.DROP:
        kept = tuple(item for item in items if _ms(item.offset_ms + item.slot_ms) <= span)
    else:
        kept = ()
    if not kept:
        raise OverrunError(
            f"the programme is {_said(over)} longer than its time; shorten it, or move the end",
            field="programme_id",
            problem="overrun",
            over_s=-(-over // timedelta(seconds=1)),
        )
    return kept


def _fillers(voice: Voice | None, spare: timedelta) -> tuple[Item, ...]:
    """Repeat the filler as often as it fits whole."""
    if voice is None:
        return ()
    count = min(MAX_FILLERS, spare // _ms(voice.length_ms))
    return tuple(Item(offset_ms=number * voice.length_ms, voices=(voice,)) for number in range(count))


def _joined(first: Sequence[Item], then: Sequence[Item]) -> tuple[Item, ...]:
    after = first[-1].offset_ms + first[-1].slot_ms if first else 0
    return (*first, *(msgspec.structs.replace(item, offset_ms=item.offset_ms + after) for item in then))


def _length(items: Sequence[Item]) -> timedelta:
    return _ms(items[-1].offset_ms + items[-1].slot_ms) if items else timedelta(0)


def _ms(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)


def _said(span: timedelta) -> str:
    minutes, seconds = divmod(-(-span // timedelta(seconds=1)), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
