"""Walks a node through time: a script of outside events, and what it let sound. No rules are known here."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, NamedTuple

import msgspec

from edge_agent.protocol import listings, timeline
from edge_agent.protocol.content import Broadcast, Voice
from edge_agent.protocol.documents import Settings
from edge_agent.protocol.states import ClockState
from tests.edge_agent.protocol.factories import T0, after


class Lists(NamedTuple):
    """A plan or an urgent of ``scope`` lists the broadcast, in place of what it listed under that name."""

    scope: str
    urgent: bool
    broadcast: Broadcast


class Withdraws(NamedTuple):
    """Nobody lists the broadcast any more."""

    broadcast_id: str


class Holds(NamedTuple):
    """A STOP arrives."""

    hold_id: str


class Releases(NamedTuple):
    """A STOP is released."""

    hold_id: str


class Stops(NamedTuple):
    """One broadcast is stopped explicitly."""

    broadcast_id: str


class ClockBecomes(NamedTuple):
    """Trust in the clock changes; an untrusted one may have the centre's time beside it."""

    state: ClockState
    answered: bool = True


class Loses(NamedTuple):
    """A file is no longer on the node."""

    sha256: str


class Fetches(NamedTuple):
    """A file is on the node."""

    sha256: str


class Crashes(NamedTuple):
    """The node goes down without a word, for so many seconds."""

    down: float


Act = Lists | Withdraws | Holds | Releases | Stops | ClockBecomes | Loses | Fetches | Crashes


class Event(NamedTuple):
    """An act from outside, so many seconds after ``T0``."""

    second: float
    act: Act


class Scenario(NamedTuple):
    """All that happens to a node."""

    settings: Settings
    events: tuple[Event, ...]
    lease_until: datetime


class Rules(NamedTuple):
    """The modules under test: the real ones, or mutants of them."""

    timeline: ModuleType = timeline
    listings: ModuleType = listings


class Heard(NamedTuple):
    """A sound as it left the output."""

    broadcast_id: str
    item: int
    voice: Voice
    gain_mb: int
    begins_at: datetime
    until_at: datetime
    complete: bool


class Moment(NamedTuple):
    """One step: what the node knew, and the answer."""

    view: Any
    step: Any
    began: Any
    """The sound that begins here, if any."""


@dataclass
class Walk:
    """What a node did, from ``T0`` to the end."""

    scenario: Scenario
    moments: list[Moment] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    crashes: list[tuple[datetime, datetime]] = field(default_factory=list)
    begun: dict[str, tuple[Broadcast, bool]] = field(default_factory=dict)
    """Broadcasts as they were when they began."""
    left: dict[str, Any] = field(default_factory=dict)
    """What is listed at the end."""

    @property
    def conclusions(self) -> list[tuple[datetime, Any]]:
        """Give every outcome with its instant."""
        return [(moment.step.at, found) for moment in self.moments for found in moment.step.conclusions]


class _Node:
    def __init__(self, scenario: Scenario, rules: Rules) -> None:
        self.scenario, self.rules = scenario, rules
        self.documents: dict[tuple[str, bool], dict[str, Broadcast]] = {}
        self.holds: set[str] = set()
        self.stops: set[str] = set()
        self.clock = ClockState.TRUSTED
        self.answered = True
        self.clock_good_since_at: datetime | None = None
        self.up_since_at: datetime | None = None
        self.absent: set[str] = set()
        self.progress: dict[str, Any] = {}
        self.walk = Walk(scenario)
        self.sounding: Heard | None = None

    def view(self) -> Any:
        return self.rules.timeline.View(
            listings=self._listings(),
            settings=self.scenario.settings,
            holds=frozenset(self.holds),
            stops=frozenset(self.stops),
            clock=self.clock,
            answered=self.answered,
            clock_good_since_at=self.clock_good_since_at,
            up_since_at=self.up_since_at,
            progress=dict(self.progress),
            begun_runs={broadcast.run_id: key for key, (broadcast, _) in self.walk.begun.items()},
            absent=frozenset(self.absent),
        )

    def _listings(self) -> dict[str, Any]:
        plans, urgents = [], []
        for (scope, urgent), found in self.documents.items():
            if urgent:
                urgents.append((scope, list(found.values())))
            else:
                plans.append((scope, self.scenario.lease_until, list(found.values())))
        merged: dict[str, Any] = self.rules.listings.merge(plans, urgents, list(self.walk.begun.values()))
        return merged

    def hear_of(self, act: Act, at: datetime) -> None:
        match act:
            case Lists(scope, urgent, listed):
                self.documents.setdefault((scope, urgent), {})[listed.broadcast_id] = listed
            case Withdraws(broadcast_id):
                for found in self.documents.values():
                    found.pop(broadcast_id, None)
            case Stops(broadcast_id):
                self.stops.add(broadcast_id)
            case ClockBecomes(state, answered):
                if self.clock is ClockState.UNTRUSTED and state is not ClockState.UNTRUSTED:
                    self.clock_good_since_at = at
                self.clock, self.answered = state, answered
            case Holds(name) | Loses(name):
                (self.holds if isinstance(act, Holds) else self.absent).add(name)
            case Releases(name) | Fetches(name):
                (self.holds if isinstance(act, Releases) else self.absent).discard(name)

    def crash(self, at: datetime, back_at: datetime) -> None:
        self._silence(at)
        self.walk.crashes.append((at, back_at))
        self.up_since_at = back_at
        for broadcast_id, (broadcast, _) in self.walk.begun.items():
            self.progress[broadcast_id] = self.rules.timeline.after_restart(
                self.progress[broadcast_id], broadcast.level, back_at
            )

    def step(self, at: datetime) -> datetime | None:
        view = self.view()
        step = self.rules.timeline.step(view, at)
        now = self._follow(step.sound, at)
        self.walk.moments.append(Moment(view, step, now))
        self.progress.update(step.changes)
        for broadcast_id, progress in step.changes.items():
            if progress.began_at is not None and broadcast_id not in self.walk.begun:
                listing = view.listings[broadcast_id]
                self.walk.begun[broadcast_id] = (listing.broadcast, listing.urgent)
        next_at: datetime | None = step.next_at
        return next_at

    def _follow(self, sound: Any, at: datetime) -> Any:
        """Do what an output does: sound until the end, or until told something else."""
        if self.sounding is not None and self.sounding.until_at <= at:
            self._silence(self.sounding.until_at)
        old = self.sounding
        if sound is None:
            self._silence(at)
            return None
        if old is not None and (old.broadcast_id, old.item) == (sound.broadcast_id, sound.item):
            return None
        self._silence(at)
        self.sounding = Heard(
            sound.broadcast_id, sound.item, sound.voice, sound.gain_mb, sound.begins_at, sound.ends_at, complete=True
        )
        return sound

    def _silence(self, at: datetime) -> None:
        if self.sounding is not None:
            complete = at >= self.sounding.until_at
            until_at = min(at, self.sounding.until_at)
            self.walk.heard.append(self.sounding._replace(until_at=until_at, complete=complete))
        self.sounding = None


def walk(scenario: Scenario, rules: Rules | None = None, extra: Iterable[float] = ()) -> Walk:
    """Let a node live through the scenario; ``extra`` are seconds at which it looks without need."""
    rules = rules or Rules()
    node = _Node(scenario, rules)
    events = sorted(scenario.events, key=lambda event: event.second)
    looks = sorted(after(second) for second in extra)
    end_at = _end(scenario)
    at: datetime | None = T0
    while at is not None and at <= end_at:
        back_at = at
        while events and after(events[0].second) <= back_at:
            second, act = events.pop(0)
            if isinstance(act, Crashes):
                if after(second) == at == back_at:
                    back_at = at + timedelta(seconds=act.down)
                    node.crash(at, back_at)
            else:
                node.hear_of(act, after(second))
        at = back_at
        looks = [look for look in looks if look > at]
        next_at = node.step(at)
        following = [next_at, looks[0] if looks else None, after(events[0].second) if events else None]
        at = min((instant for instant in following if instant is not None), default=None)
    node._silence(end_at + timedelta(days=1))
    node.walk.left = node._listings()
    return node.walk


def _end(scenario: Scenario) -> datetime:
    """Give an instant at which everything is over."""
    ends = [event.act.broadcast.latest_end_at for event in scenario.events if isinstance(event.act, Lists)]
    last = max((after(event.second) for event in scenario.events), default=T0)
    return max([*ends, last, T0]) + timedelta(hours=1)


def in_step(step: Any) -> dict[str, Any]:
    """Give a step as plain values, to compare one with another."""
    found: dict[str, Any] = msgspec.to_builtins(step)
    return found
