"""How one node stands, drawn from its row and its last words, and what the nodes of one area sum up to. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from controller.faults.rules import OFFLINE
from controller.nodes.live import Heard
from controller.nodes.rules import LATE_AFTER, OFFLINE_AFTER, NodeKind, NodeStatus, StatusSince, status_of

CLOCK_UNTRUSTED = "clock_untrusted"
"""What is said of a node whose clock is not believed and that names no fault of its clock."""

SILENCING = frozenset({"output_lost", "output_muted", "clock_untrusted"})
"""Faults with which a node that has everything stays silent all the same."""


class Placed(NamedTuple):
    """The part of a node's row that a person or a move changes."""

    id: str
    name: str
    area_id: str
    kind: str


class Playing(NamedTuple):
    """What a node says that it plays."""

    broadcast_id: str
    ends_at: datetime


class Stand(NamedTuple):
    """How a node stands. Two that are equal are shown alike."""

    node: Placed
    status: NodeStatus
    since_at: datetime | None
    faults: tuple[tuple[str, datetime | None], ...]
    """Code, and since when by the node's word; empty for a node that is not heard from."""
    looked_after: tuple[str, ...]
    playing: Playing | None
    simulated: bool
    is_held: bool = False
    """By its own word, while it is heard from."""

    @property
    def is_lost(self) -> bool:
        """Say whether it is not heard from, and was."""
        return self.status is NodeStatus.OFFLINE

    @property
    def is_unwell(self) -> bool:
        """Say whether something is wrong, whoever looks after it."""
        return self.is_lost or bool(self.faults or self.looked_after)

    @property
    def may_be_silent(self) -> bool:
        """Say whether nobody knows that it would play what it has: it is lost, or lacks what it sounds by."""
        return self.is_lost or any(code in SILENCING for code, _ in self.faults)

    @property
    def left(self) -> tuple[tuple[str, datetime | None], ...]:
        """Give the faults that nobody looks after."""
        return tuple(each for each in self.faults if each[0] not in self.looked_after)

    @property
    def is_left(self) -> bool:
        """Say whether something is wrong that nobody looks after."""
        return (self.is_lost and OFFLINE not in self.looked_after) or bool(self.left)


def stand_of(node: Placed, heard: Heard, looked_after: Collection[str], now: datetime) -> tuple[Stand, datetime | None]:
    """Say how a node stands, and when that may change without a word from it; None: never."""
    status = status_of(heard.presence, heard.presence_at, heard.last_heard_at, now)
    if node.kind != NodeKind.AGENT:
        status = StatusSince(NodeStatus.UNREPORTING, None)
    health = heard.health or {}
    there = status.status in {NodeStatus.ONLINE, NodeStatus.LATE}
    playing = _playing(health.get("now_playing"), now) if there else None
    stand = Stand(
        node=node,
        status=status.status,
        # While a node is heard from, the instant of its last word is no news.
        since_at=None if there else status.since_at,
        faults=_faults(health) if there else (),
        looked_after=tuple(sorted(looked_after)),
        playing=playing,
        simulated=(heard.abilities or {}).get("output") == "virtual",
        is_held=there and bool(health.get("holds")),
    )
    return stand, _next(status.status, heard.last_heard_at, playing)


def _next(status: NodeStatus, last_heard_at: datetime | None, playing: Playing | None) -> datetime | None:
    after = {NodeStatus.ONLINE: LATE_AFTER, NodeStatus.LATE: OFFLINE_AFTER}.get(status)
    silent = last_heard_at + after if after is not None and last_heard_at is not None else None
    return min((each for each in (silent, playing and playing.ends_at) if each is not None), default=None)


def _instant(said: Any) -> datetime:
    """Read an instant as reports carry it: JSON values from a row, and from the ingest."""
    return said if isinstance(said, datetime) else msgspec.convert(said, datetime)


def _playing(said: Mapping[str, Any] | None, now: datetime) -> Playing | None:
    if said is None:
        return None
    found = Playing(said["broadcast_id"], _instant(said["ends_at"]))
    return found if found.ends_at > now else None


def _faults(health: Mapping[str, Any]) -> tuple[tuple[str, datetime | None], ...]:
    found: list[tuple[str, datetime | None]] = [
        (each["code"], _instant(each["since_at"])) for each in health.get("faults", ())
    ]
    untrusted = (health.get("clock") or {}).get("state") == "untrusted"
    if untrusted and not any(code.startswith("clock") for code, _ in found):
        found.append((CLOCK_UNTRUSTED, None))
    return tuple(found)


class Sounding(NamedTuple):
    """Nodes that play the same."""

    nodes: int
    ends_at: datetime
    """The latest that any of them gave."""
    simulated: bool
    """All of them."""
    node_id: str
    """One of them."""

    def and_of(self, other: "Sounding") -> "Sounding":
        """Count others among them."""
        ends_at, simulated = max(self.ends_at, other.ends_at), self.simulated and other.simulated
        return Sounding(self.nodes + other.nodes, ends_at, simulated, self.node_id)


@dataclass
class Sum:
    """What nodes come to, of one area or of many."""

    total: int = 0
    by_status: dict[NodeStatus, int] = field(default_factory=dict)
    unwell: list[Stand] = field(default_factory=list)
    sounding: dict[str, "Sounding"] = field(default_factory=dict)
    """By broadcast."""

    def add(self, other: "Sum") -> None:
        """Add what others come to."""
        self.total += other.total
        for status, count in other.by_status.items():
            self.by_status[status] = self.by_status.get(status, 0) + count
        self.unwell += other.unwell
        for broadcast_id, found in other.sounding.items():
            self._sounds(broadcast_id, found)

    def _sounds(self, broadcast_id: str, found: "Sounding") -> None:
        known = self.sounding.get(broadcast_id)
        self.sounding[broadcast_id] = found if known is None else known.and_of(found)

    @classmethod
    def of(cls, stands: Iterable[Stand]) -> "Sum":
        """Sum up nodes one by one."""
        found = cls()
        for each in stands:
            found.total += 1
            found.by_status[each.status] = found.by_status.get(each.status, 0) + 1
            if each.is_unwell:
                found.unwell.append(each)
            if each.playing is not None:
                sounding = Sounding(1, each.playing.ends_at, each.simulated, each.node.id)
                found._sounds(each.playing.broadcast_id, sounding)
        return found
