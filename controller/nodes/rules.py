"""Status of a node, derived from facts, so that it cannot go stale."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

LATE_AFTER = timedelta(seconds=35)
"""A health report comes every 30 s: one is missing."""
OFFLINE_AFTER = timedelta(seconds=43)
"""Promise P6: a lost node is on the screen within 45 s. A second each to notice and to write is in it."""
FUTURE_FORGIVEN = timedelta(seconds=2)
"""A clock that was just set back is followed within a second (``wire.presence``)."""

CLONED = "nodes.cloned"
"""Alarm: two want to be this node."""


class NodeKind(StrEnum):
    """What a node is."""

    AGENT = "agent"
    """An agent of ours: it holds its plan, plays by itself and reports."""
    WIRED = "wired"
    """Horns on a wire from a studio. It reports nothing: only its schedule is seen. The same for the next."""
    FM = "fm"


class NodeStatus(StrEnum):
    """Whether a node is heard from."""

    ONLINE = "online"
    LATE = "late"
    """Its report is overdue."""
    OFFLINE = "offline"
    NEVER_SEEN = "never_seen"
    UNREPORTING = "unreporting"
    """Of a kind that reports nothing: nobody expects a word of it."""


HEARD = frozenset({NodeStatus.ONLINE, NodeStatus.LATE})
"""Nodes that learn at once of what is sent now."""


class StatusSince(NamedTuple):
    """A status, and since when."""

    status: NodeStatus
    since_at: datetime | None
    """None for a node that was never heard from."""


def status_of(
    presence: str | None, presence_at: datetime | None, last_heard_at: datetime | None, now: datetime
) -> StatusSince:
    """Say how a node stands. ``presence`` is what it, or the broker in its name, said last.

    Heard in the future means heard before the centre's clock was set back, nobody knows when: that is no sign of life.
    """
    if last_heard_at is None:
        return StatusSince(NodeStatus.NEVER_SEEN, None)
    if presence in {"lost", "leaving"}:
        return StatusSince(NodeStatus.OFFLINE, presence_at or last_heard_at)
    silence = now - last_heard_at
    if silence < -FUTURE_FORGIVEN:
        return StatusSince(NodeStatus.OFFLINE, now)
    if silence > OFFLINE_AFTER:
        return StatusSince(NodeStatus.OFFLINE, last_heard_at)
    if silence > LATE_AFTER:
        return StatusSince(NodeStatus.LATE, last_heard_at)
    return StatusSince(NodeStatus.ONLINE, presence_at or last_heard_at)
