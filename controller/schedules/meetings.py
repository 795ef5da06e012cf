"""Sessions that want the same nodes at the same time: when two meet, and whose is heard first. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple


class Span(NamedTuple):
    """When something sounds if all begins on time, and how it stands against others."""

    start_at: datetime
    end_at: datetime
    rank: tuple[int, int]
    """Level (higher first) and the operator's order, as nodes sort what waits."""
    is_hard: bool = False
    """It cuts what began before it, unless that is of a higher level."""


class Other(NamedTuple):
    """Something else that some of the nodes hear."""

    title: str
    area_id: str | None
    schedule_id: str | None
    broadcast_id: str | None
    nodes: frozenset[str]
    spans: tuple[Span, ...]


class Conflict(NamedTuple):
    """Two that meet."""

    ours: Span
    theirs: Span
    other: Other
    nodes: int
    times: int

    @property
    def first(self) -> Literal["ours", "other"]:
        """Say whose is heard first: what has begun, else by level and order."""
        mine, other = ((each.start_at, each.rank) for each in (self.ours, self.theirs))
        return "ours" if mine < other else "other"

    @property
    def cut(self) -> Literal["ours", "other"] | None:
        """Say which of the two is cut by the other, which begins later and hard; None: neither is."""
        if self.ours.start_at == self.theirs.start_at:
            return None  # one that has not begun goes after the other, and is not cut
        early, late = sorted((self.ours, self.theirs), key=lambda each: each.start_at)
        if not late.is_hard or late.rank[0] > early.rank[0]:
            return None
        return "ours" if late is self.theirs else "other"

    @property
    def overlap(self) -> timedelta:
        """Say for how long both want the nodes, by the times that are planned."""
        shared = min(self.ours.end_at, self.theirs.end_at) - max(self.ours.start_at, self.theirs.start_at)
        return max(shared, timedelta(0))


def meetings(ours: Sequence[Span], nodes: frozenset[str], others: Iterable[Other]) -> list[Conflict]:
    """Find what meets, once for each other, by its first date. Pure."""
    found: list[Conflict] = []
    for other in others:
        shared = len(nodes & other.nodes)
        pairs = list(_overlapping(ours, other.spans)) if shared else []
        if pairs:
            found.append(Conflict(*pairs[0], other, shared, len(pairs)))
    return sorted(found, key=lambda each: (each.ours.start_at, each.theirs.start_at, each.other.title))


def within(own: Other) -> list[Conflict]:
    """Find where dates of one series meet each other; its times are sorted by start. Pure."""
    pairs = [(later, earlier) for earlier, later in pairwise(own.spans) if later.start_at < earlier.end_at]
    return [Conflict(*pairs[0], own, len(own.nodes), len(pairs))] if pairs and own.nodes else []


def _overlapping(ours: Sequence[Span], theirs: Sequence[Span]) -> Iterable[tuple[Span, Span]]:
    """Walk along two lists that are sorted by start."""
    first = 0
    for mine in ours:
        while first < len(theirs) and theirs[first].end_at <= mine.start_at:
            first += 1
        for other in theirs[first:]:
            if other.start_at >= mine.end_at:
                break
            if other.end_at > mine.start_at:
                yield mine, other
