"""The words of a rollout: how it and its nodes stand, what is known of both, and what is to be done."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from edge_agent.protocol.updates import UpdateReport


class State(StrEnum):
    """How far a node is in a rollout."""

    PLANNED = "planned"
    """It was not told."""
    TOLD = "told"
    """It was sent the release, and has not answered."""
    FETCHING = "fetching"
    WAITING = "waiting"
    """For a moment in which nothing sounds."""
    TRYING = "trying"
    GOOD = "good"
    RETURNED = "returned"
    """It could not, and what was there before runs again."""
    REFUSED = "refused"
    LOST = "lost"
    """Not heard from while it was to try or had just been good, or it came no further."""
    SKIPPED = "skipped"
    """It needs none, or cannot take it; the reason says which."""


class RolloutState(StrEnum):
    """How a rollout stands; the last two are ends."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    """By a person, or by itself; the reason says which."""
    DONE = "done"


class Stopped(StrEnum):
    """Why a rollout came to its end early."""

    BY_PERSON = "by_person"
    FIRST_WAVE = "first_wave"
    """Something went wrong in the first wave."""
    TOO_MANY = "too_many"
    """More went wrong in a later wave than may."""
    STUCK = "stuck"
    """Of a wave none was good, and none came any further."""
    EXPIRED = "expired"
    """No node takes the release any more."""


class Skipped(StrEnum):
    """Why a node is left out."""

    ALREADY = "already"
    """It runs this release, or a later one."""
    REMOVED = "removed"


OPEN = frozenset({RolloutState.RUNNING, RolloutState.PAUSED})
TROUBLE = frozenset({State.RETURNED, State.REFUSED, State.LOST})
SETTLED = TROUBLE | {State.GOOD, State.SKIPPED}
UNDER_WAY = frozenset({State.TOLD, State.FETCHING, State.WAITING, State.TRYING})


@dataclass(frozen=True, slots=True)
class Course:
    """What a rollout's row says."""

    release: int
    total: int
    """Nodes that were to get it when it began."""
    waves: tuple[str, ...]
    soak: timedelta
    error_percent: int
    wave: int
    """Which wave it is in, from 0."""
    wave_since_at: datetime
    expires_at: datetime
    """From then on no node takes it."""


@dataclass(frozen=True, slots=True)
class Member:
    """What is known of one node: its row, and what it says."""

    node_id: str
    state: State = State.PLANNED
    state_at: datetime | None = None
    """Of its last change."""
    wave: int | None = None
    """In which it was told; None: it was not, or it never heard."""
    sent_at: datetime | None = None
    """When it was last told; None: never."""
    commands: tuple[str, ...] = ()
    """With which commands, the last ones."""
    heard_at: datetime | None = None
    """None: never."""
    online: bool = False
    left_for_update: bool = False
    """The last it said was that it goes to begin an update."""
    able: bool = True
    """It takes updates, and there is a bundle for it."""
    spared: bool = False
    """It has something more important to do now."""
    gone: bool = False
    """It was removed."""
    running: int = 0
    """Release that runs there, as it says."""
    report: UpdateReport | None = None
    unbelieved: str | None = None
    """A state that it claimed and that could not be."""


@dataclass(frozen=True, slots=True)
class Change:
    """A node that stands otherwise now."""

    node_id: str
    state: State
    reason: str | None = None
    wave: int | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Send the release to a node."""

    node_id: str
    anew: bool
    """Under a new name: what came of the last command is not to be had any more, and the same one is obeyed once."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What is to be done."""

    changes: tuple[Change, ...] = ()
    tell: tuple[Tell, ...] = ()
    """Those that are new to it are among the changes."""
    lies: tuple[str, ...] = ()
    """Nodes that claim what cannot be, and did not before: of no effect."""
    wave: int = 0
    """In which the rollout is now."""
    ends: RolloutState | None = None
    why: Stopped | None = None
