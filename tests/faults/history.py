"""What happened, as plain facts: what was ordered, what sounded, what was told, and how each node was doing meanwhile.

Instants are true time: that of the world, not what any node believed. The facts come from who cannot lie about them:
sound from the outputs' own records, words from the centre's rows. The checker reads nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from edge_agent.protocol.states import Level, Outcome, PlayState


@dataclass(frozen=True)
class Span:
    """From one instant to another."""

    begin_at: datetime
    end_at: datetime

    def touches(self, begin_at: datetime, end_at: datetime) -> bool:
        """Say whether they have an instant in common."""
        return self.begin_at < end_at and begin_at < self.end_at

    def covers(self, begin_at: datetime, end_at: datetime) -> bool:
        """Say whether the other lies inside."""
        return self.begin_at <= begin_at and end_at <= self.end_at


@dataclass(frozen=True)
class Approved:
    """A yes to some recordings, at some places, within a window."""

    recordings: frozenset[str]
    scopes: frozenset[str]
    window: Span


@dataclass(frozen=True)
class Order:
    """One broadcast as it was ordered. Its recordings are in no other, so that a sound tells whose it is."""

    broadcast_id: str
    recordings: tuple[str, ...]
    """In the order of its items."""
    length: timedelta
    level: Level
    start_at: datetime
    latest_start_at: datetime
    latest_end_at: datetime
    scopes: frozenset[str]
    """Where it is ordered."""
    approvals: tuple[Approved, ...] = ()
    run: str | None = None
    """What all versions of an edited one share."""
    withdrawn_at: datetime | None = None
    """Cancelled or replaced; a node that could not be told may still play it."""
    told_at: datetime | None = None
    """When its orderer was told that it stands; None when never."""

    @property
    def routine(self) -> bool:
        """Whether it is no emergency."""
        return self.level is not Level.EMERGENCY


@dataclass(frozen=True)
class Sounded:
    """One recording at one output, from its first sample on."""

    node: str
    recording: str | None
    """None: nothing that anybody recorded."""
    begun_at: datetime
    ended_at: datetime
    whole: bool


@dataclass(frozen=True)
class Told:
    """One thing that the centre has of a node's play, in the order in which the node said it."""

    node: str
    broadcast_id: str
    state: PlayState | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Silence:
    """A STOP that a node has said it obeys, until its release reached it."""

    node: str
    hold_id: str
    acked_at: datetime
    released_at: datetime


@dataclass(frozen=True)
class Wrong:
    """Something that was wrong with a node and that it or the centre could know, and when a person could see it."""

    node: str
    fault: str
    since_at: datetime
    """When it could first be known."""
    until_at: datetime | None
    """When it was over; None when it still is."""
    shown_at: datetime | None = None
    cleared_at: datetime | None = None


@dataclass(frozen=True)
class Size:
    """Something that must not grow without end."""

    what: str
    value: float
    bound: float


@dataclass
class NodeTruth:
    """How one node was doing."""

    places: frozenset[str]
    """Itself and its areas, as scopes."""
    up: list[Span] = field(default_factory=list)
    clock_good: list[Span] = field(default_factory=list)
    reachable: list[Span] = field(default_factory=list)
    troubled: list[Span] = field(default_factory=list)
    """Anything else that may keep it from sounding: no output, held, spoiled files, asleep."""
    crashes: list[datetime] = field(default_factory=list)
    """Everything that ends a sound without a word: kills, power cuts, outputs that go."""
    knew: dict[str, datetime] = field(default_factory=dict)
    """When it held a broadcast and all its audio."""
    quiet: list[Span] = field(default_factory=list)
    revoked_at: datetime | None = None
    """From then on nobody hears its word; None while it is ours."""


@dataclass
class History:
    """Everything."""

    nodes: dict[str, NodeTruth]
    orders: list[Order] = field(default_factory=list)
    sounds: list[Sounded] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    wrongs: list[Wrong] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    rows: frozenset[str] = frozenset()
    """Names of what stands in the centre's database at the end."""
    promised: frozenset[str] = frozenset()
    """Names of what the API has answered with a yes."""
    healed: bool = True
    """Whether everything was whole, and connected, for five minutes before the end."""

    def of(self, recording: str | None) -> Order | None:
        """Give the order that a recording belongs to."""
        return next((order for order in self.orders if recording in order.recordings), None)

    def heard(self, node: str, recording: str) -> list[Sounded]:
        """Give every time a recording sounded at a node."""
        return [sound for sound in self.sounds if (sound.node, sound.recording) == (node, recording)]

    def meant(self, order: Order) -> list[str]:
        """Give the nodes at which an order is to sound."""
        return [name for name, node in self.nodes.items() if node.places & order.scopes]


def meet(*several: Iterable[Span]) -> list[Span]:
    """Give when all of several were true."""
    found = list(several[0])
    for spans in several[1:]:
        others = list(spans)
        found = [
            Span(max(one.begin_at, two.begin_at), min(one.end_at, two.end_at))
            for one in found
            for two in others
            if one.touches(two.begin_at, two.end_at)
        ]
    return found
