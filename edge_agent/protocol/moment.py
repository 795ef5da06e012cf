"""What the timeline is asked and answers: all that a node knows at one moment, and what follows. No rules here."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from .content import Voice
from .documents import Settings
from .listings import Listing
from .states import ClockState, Outcome, Reason


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """What leaves the output."""

    broadcast_id: str
    item: int
    voice: Voice
    begins_at: datetime
    """Sample 0 of the voice is at the output then."""
    ends_at: datetime
    gain_mb: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a node is with one broadcast. It decides whether to speak: a node stores it before the sound."""

    began_at: datetime | None = None
    """When its first item began here; None when it ended before."""
    anchor_at: datetime | None = None
    """Start of the broadcast as this node counts: item i begins at ``anchor_at + offset_ms`` of i."""
    next_item: int = 0
    """First item that has not begun."""
    sounding: Sound | None = None
    """Item ``next_item - 1``, from its begin to its end. Found after a restart, it was cut."""
    suspended: bool = False
    """Cut by another broadcast, or waits: does not have the node, and may go on late."""
    rejoins: bool = False
    """After a power cut: joins in step with its neighbours, skipping slots that have begun."""
    repeated: int | None = None
    """Last item that sounds again after a crash; none up to it does so once more (promise P3)."""
    cut_by: Reason | None = None
    """First thing that kept part of it from sounding."""
    by: str | None = None
    """Broadcast or hold behind ``cut_by``."""
    outcome: Outcome | None = None

    def may_repeat(self, item: int) -> bool:
        """Say whether an emergency's item that was cut sounds once more."""
        return self.repeated is None or item > self.repeated


class View(msgspec.Struct, frozen=True, kw_only=True):
    """All that a node knows at one moment."""

    listings: Mapping[str, Listing]
    """From ``listings.merge``."""
    settings: Settings
    holds: frozenset[str] = frozenset()
    stops: frozenset[str] = frozenset()
    """Broadcasts that were stopped explicitly."""
    clock: ClockState = ClockState.TRUSTED
    answered: bool = False
    """The centre has told its time since the node came up, and since its clock last jumped. By that time an untrusted
    clock judges the emergencies of urgents; without it, nothing."""
    clock_good_since_at: datetime | None = None
    """When an untrusted clock became good again; explains what was missed before."""
    up_since_at: datetime | None = None
    """When the agent started; explains what was missed before."""
    progress: Mapping[str, Progress] = msgspec.field(default_factory=dict)
    begun_runs: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Run → the version of it that has begun here; needs to name only those of which ``progress`` says nothing."""
    absent: frozenset[str] = frozenset()
    """Hashes of audio that is not on the node; empty in a preview."""


class Waiting(NamedTuple):
    """A broadcast that does not sound now, and its first blocker."""

    broadcast_id: str
    reason: Reason


class Conclusion(NamedTuple):
    """The end of a play on this node."""

    broadcast_id: str
    outcome: Outcome
    reason: Reason | None
    by: str | None


class Step(NamedTuple):
    """The answer for one instant."""

    at: datetime
    sound: Sound | None
    changes: dict[str, Progress]
    """New progress; to be stored before the sound leaves the output."""
    conclusions: tuple[Conclusion, ...]
    cut: Sound | None
    """Falls silent now, before its end."""
    waiting: tuple[Waiting, ...]
    next_at: datetime | None
    """Nothing changes by itself before then."""


def runs_begun(
    known: Mapping[str, str], listings: Mapping[str, Listing], progress: Mapping[str, Progress]
) -> dict[str, str]:
    """Give which version of each run has begun: by what is known, and by progress."""
    begun = [key for key, one in progress.items() if one.began_at is not None and key in listings]
    return {**{listings[key].broadcast.run_id: key for key in begun}, **known}
