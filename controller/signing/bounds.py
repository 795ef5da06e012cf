"""What a signer apart signs for nobody, whoever agreed: by its own clock, and by what nodes must keep to. Pure.

Holds, and urgents that let nothing sound, are bound by nothing here: STOP must never wait for a clock.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from controller.people.proof import Agreed, CodeError, Loosened
from controller.policies.rules import DEFAULT_ZONE
from controller.policies.usual import DAY as MINUTES
from controller.policies.usual import USUAL, minutes_of
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.documents import Plan, Settings, Signed, TimeAnswer, Urgent
from edge_agent.protocol.states import Level
from edge_agent.protocol.topics import Word

from .hours import Hours
from .rules import Refusal

OFF = timedelta(minutes=5)
"""A document is not signed that says it was made at another time than now."""
TIME_OFF = timedelta(seconds=2)
"""Nor an answer whose time is not that of the signer's own clock: nodes would believe it."""
DAY = timedelta(days=1)
READABLE = {
    Word.PLAN: 32 * DAY,
    Word.URGENT: 370 * DAY,
    Word.SETTINGS: 3651 * DAY,
    Word.COMMAND: DAY,
    Word.RECEIPTS_ACK: DAY,
    Word.TIME_ANSWER: OFF,
}
"""So far ahead a document may be readable: the longest lease, the farthest date of what a stop names, and a bit."""

LONGEST_YES = timedelta(days=92)
"""No code is good for longer: a yes to a schedule is to a quarter (decision 0014)."""
LONGEST_ONE = timedelta(days=3)
"""Nor one to a single broadcast, which may begin and end a day late."""
FARTHEST_YES = timedelta(days=367)
"""Nor for what begins later: nobody plans further ahead (``controller.broadcasts.drafts``)."""

MOST: dict[str, Any] = {each.name: each.default for each in msgspec.structs.fields(Settings)}
"""Of settings, what nobody has a field for: a policy says less or nothing."""
HELD = ("cap_mb", "max_broadcast_ms", "max_emergency_ms", "plays_per_hour")


def check_times(document: Signed, now: datetime) -> None:
    """Refuse what is not of now.

    Raises:
        ValueError: by our clock it was made at another time, or is readable for too long.
    """
    limit, at = READABLE.get(document.word), now.timestamp()
    if limit is None or (isinstance(document, Urgent) and not document.broadcasts):
        return
    off_s, last_s = OFF.total_seconds(), (now + limit).timestamp()
    if abs(document.iat - at) > off_s or abs(document.nbf - at) > off_s:
        raise ValueError(f"{document.word} was made at another time than now")
    if document.exp > last_s or (isinstance(document, Plan) and document.lease_until > now + limit):
        raise ValueError(f"{document.word} would be readable for more than {limit.days} days")
    if isinstance(document, TimeAnswer) and abs(document.time_at - now) > TIME_OFF:
        raise ValueError("the time is another")


def check_guard(settings: Settings, standing: Iterable[Hours]) -> None:
    """Refuse settings that let a node sound when, or as, nobody agreed that it does. Fewer hours are always fine.

    ``standing``: what people agreed to, of its own place or one above.

    Raises:
        ValueError: they do.
    """
    over = [name for name in HELD if getattr(settings, name) > MOST[name]]
    if over:
        raise ValueError(f"settings allow more than any node is allowed: {', '.join(over)}")
    silent = _silent(settings)
    if settings.zone == DEFAULT_ZONE and minutes_of(USUAL) <= silent:
        return
    if not any(each.covers(settings.zone, silent) for each in standing):
        said = "settings loosen quiet hours, and nobody agreed to that with a code since they were stricter"
        raise ValueError(f"{said}, or the signer does not know the place (loa signer places)")


def _silent(settings: Settings) -> frozenset[int]:
    """Give the minutes of the day at which settings let nothing but emergencies sound."""
    closed = MINUTES - minutes_of(settings.windows) if settings.windows else frozenset[int]()
    return minutes_of(settings.quiet_hours) | closed


def too_many(broadcasts: Sequence[Broadcast]) -> dict[str, Refusal]:
    """Give what begins in a place in an hour in which enough does: a node would refuse it, and rows are to be wrong."""
    begun: dict[int, set[str]] = {}
    found: dict[str, Refusal] = {}
    for each in sorted(broadcasts, key=lambda one: (one.start_at, one.broadcast_id)):
        if each.level is Level.EMERGENCY:
            continue
        runs = begun.setdefault(int(each.start_at.timestamp()) // 3600, set())
        if each.run_id not in runs and len(runs) >= MOST["plays_per_hour"]:
            found[each.broadcast_id] = Refusal.TOO_MANY
        runs.add(each.run_id)
    return found


def check_yes(agreed: Agreed | Loosened, now: datetime) -> None:
    """Refuse a yes to too much.

    Raises:
        CodeError: it is.
    """
    zone = agreed.zone if isinstance(agreed, Loosened) else agreed.runs.zone if agreed.runs else DEFAULT_ZONE
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CodeError(f"there is no zone {zone}", "span") from None
    if isinstance(agreed, Loosened):
        return
    first_at = max(now, agreed.not_before_at)
    longest = LONGEST_ONE if agreed.runs is None else LONGEST_YES
    if agreed.not_after_at - first_at > longest or first_at - now > FARTHEST_YES:
        raise CodeError(f"a yes is to {longest.days} days at most", "span")
    try:
        times = [datetime.fromisoformat(each if "T" in each else f"2000-01-01T{each}") for each in _times(agreed)]
    except ValueError:
        times = None
    if times is None or any(each.tzinfo is not None for each in times):
        raise CodeError("a yes to a schedule names times by the wall clock", "span")


def _times(agreed: Agreed) -> tuple[str, ...]:
    return agreed.runs.times if agreed.runs is not None else ()
