"""Cuts days into what can meet, and tells which pieces are alike: one day is like another, unless the clocks change.

Pure. The timeline is asked once for all that are alike.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.protocol import content

Shape = tuple[Any, ...]
"""All that decides about some broadcasts, but for the day."""


def together(broadcasts: Iterable[content.Broadcast]) -> Iterator[list[content.Broadcast]]:
    """Cut days into what can meet: the timeline is asked for little at a time."""
    met: list[content.Broadcast] = []
    free_at: datetime | None = None
    for each in sorted(broadcasts, key=lambda each: (each.start_at, each.broadcast_id)):
        if free_at is not None and each.start_at > free_at:
            yield met
            met, free_at = [], None
        met.append(each)
        free_at = max(free_at or each.latest_end_at, each.latest_end_at)
    if met:
        yield met


def shape_of(some: Sequence[content.Broadcast], zone: str) -> Shape:
    """Give what the timeline looks at: the hour by the wall, and everything counted from there."""
    first_at = some[0].start_at
    last_at = max(each.latest_end_at for each in some)
    local, last = first_at.astimezone(ZoneInfo(zone)), last_at.astimezone(ZoneInfo(zone))
    return (local.time(), local.utcoffset(), last.utcoffset(), *(_one_shape(each, first_at) for each in some))


def _one_shape(each: content.Broadcast, first_at: datetime) -> Shape:
    return (
        each.start_at - first_at,
        each.latest_start_at - first_at,
        each.latest_end_at - first_at,
        (each.level, each.order, each.start, each.resumes),
        tuple(
            (item.offset_ms, item.choice, *((voice.language, voice.length_ms) for voice in item.voices))
            for item in each.items
        ),
    )
