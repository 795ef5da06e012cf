"""The rules of the timeline by name, and what was found of each for one broadcast. Nothing is decided here."""

from enum import StrEnum
from typing import NamedTuple

from .states import Reason


class RuleName(StrEnum):
    """What must hold for a broadcast to sound on a node, in the order in which it is asked."""

    LISTED = "listed"
    """A plan or urgent that the node hears lists it, or it has begun."""
    OPEN = "open"
    """It is not over."""
    NOT_STOPPED = "not_stopped"
    CLOCK = "clock"
    """The node has a time to judge it by."""
    STARTED = "started"
    """Its start has come."""
    NOT_BEGUN = "not_begun"
    """No other version of its run has begun here."""
    NOT_OVER = "not_over"
    """Its latest end has not come."""
    APPROVED = "approved"
    LENGTH = "length"
    NOT_HELD = "not_held"
    LEASE = "lease"
    WINDOWS = "windows"
    QUIET_HOURS = "quiet_hours"
    PLAYS_PER_HOUR = "plays_per_hour"
    FILE = "file"
    """The audio of its next item is on the node."""
    IN_TIME = "in_time"
    """It can begin by its latest start, and end by its latest end."""
    NODE_FREE = "node_free"
    """No other broadcast goes first."""
    SLOT = "slot"
    """The time of its next item has come."""


class Verdict(StrEnum):
    """What was found of a rule."""

    PASSED = "passed"
    BLOCKS = "blocks"
    NOT_REACHED = "not_reached"


class Rule(NamedTuple):
    """One rule, for one broadcast at one instant."""

    name: RuleName
    verdict: Verdict
    reason: Reason | None = None
    """With ``blocks``; None there when it was played to its end."""
    by: str | None = None
    """Broadcast or hold behind it."""


class Trace:
    """Written by the timeline while it judges one broadcast. The first rule that blocks is the last that counts."""

    def __init__(self, broadcast_id: str) -> None:
        self.broadcast_id = broadcast_id
        self._passed: set[RuleName] = set()
        self._blocker: Rule | None = None
        self._is_final = False

    def begin(self) -> None:
        """Judge anew: something else has changed at the same instant. What has ended stays ended."""
        if not self._is_final:
            self._passed, self._blocker = set(), None

    def passes(self, *names: RuleName) -> None:
        """Note that these do not keep it from sounding, unless one before them does."""
        if self._blocker is None:
            self._passed.update(names)

    def blocks(self, name: RuleName, reason: Reason | None, by: str | None = None) -> None:
        """Note what keeps it from sounding."""
        if self._blocker is None:
            self._blocker = Rule(name, Verdict.BLOCKS, reason, by)

    def ends(self, reason: Reason | None, by: str | None = None) -> None:
        """Note that it is over: by the rule that blocks, or with its last item."""
        self.blocks(RuleName.OPEN, reason, by)
        self._is_final = True

    def rules(self) -> tuple[Rule, ...]:
        """Give every rule in order, with what was found; none is reached behind the one that blocks."""
        found: list[Rule] = []
        blocked = False
        for name in RuleName:
            if self._blocker is not None and self._blocker.name is name:
                found.append(self._blocker)
                blocked = True
            else:
                passed = name in self._passed and not blocked
                found.append(Rule(name, Verdict.PASSED if passed else Verdict.NOT_REACHED))
        return tuple(found)
