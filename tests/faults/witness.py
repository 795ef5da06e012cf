"""Notes how the node of a stepped world is doing, as facts for the checker."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from edge_agent.agent import Agent
from edge_agent.faults import Fault
from edge_agent.protocol.states import ClockState
from tests.faults.history import History, NodeTruth, Silence, Size, Span, Wrong
from tests.faults.machine import NODE, Ticking


class Switch:
    """Something that is true for a while, again and again."""

    def __init__(self, spans: list[Span]) -> None:
        self._spans = spans
        self._since_at: datetime | None = None

    def turn(self, at: datetime, *, on: bool) -> None:
        if on and self._since_at is None:
            self._since_at = at
        elif not on and self._since_at is not None:
            self._spans.append(Span(self._since_at, at))
            self._since_at = None


class Witness:
    """Sees the machine from outside, and asks the agent what it obeys."""

    def __init__(self, history: History, truth: NodeTruth, instruments: Ticking) -> None:
        self._history, self._truth, self._instruments = history, truth, instruments
        self._obeyed: dict[str, datetime] = {}
        self._wrong: dict[str, Any] | None = None
        self._up, self._clock = Switch(truth.up), Switch(truth.clock_good)
        self._reachable = Switch(truth.reachable)

    def trouble(self, begin_at: datetime, end_at: datetime) -> None:
        """Note that the node may be kept from sounding for a while."""
        self._truth.troubled.append(Span(begin_at, end_at))

    def crashed(self) -> None:
        """Note that whatever sounded was cut."""
        self._truth.crashes.append(self._now())

    def sense(self, agent: Agent | None, *, linked: bool) -> None:
        """Note how the node is doing now."""
        now = self._now()
        self._up.turn(now, on=agent is not None)
        self._reachable.turn(now, on=linked)
        right = abs(self._instruments.error()) < timedelta(milliseconds=300)
        good = agent is not None and agent.ground.clock.state is not ClockState.UNTRUSTED
        self._clock.turn(now, on=right and good)
        if agent is not None:
            self._watch_clock(agent, right=right, linked=linked)

    def _watch_clock(self, agent: Agent, *, right: bool, linked: bool) -> None:
        """A clock that is far off and a centre that tells the time: the node must say so, and say when it is over."""
        codes = {fault.code for fault in agent.ground.faults.standing()}
        shown = bool(codes & {Fault.CLOCK_UNTRUSTED.value, Fault.CLOCK_OFFSET.value})
        one = self._wrong
        if one is None and not right and linked:
            self._wrong = one = {"since_at": self._now(), "shown_at": None, "until_at": None}
        if one is None:
            return
        if shown and one["shown_at"] is None:
            one["shown_at"] = self._now()
        if right and one["until_at"] is None:
            one["until_at"] = self._now()
        if one["until_at"] is not None and not shown:
            self._history.wrongs.append(Wrong(NODE, "clock", **one, cleared_at=self._now()))
            self._wrong = None

    def note_holds(self, agent: Agent | None, released: tuple[str, ...], *, linked: bool) -> None:
        """Note since when the node obeys a STOP, and when it was let go."""
        if agent is None:
            return
        for name in agent.ground.keeper.holds:
            self._obeyed.setdefault(name, self._now())
        for name in released:
            if name in self._obeyed and linked:
                self._let_go(name)

    def close(self, agent: Agent, folder: Path) -> None:
        """Note what still goes on, and what must not grow."""
        for switch in (self._up, self._clock, self._reachable):
            switch.turn(self._now(), on=False)
        for name in list(self._obeyed):
            self._let_go(name)
        plays = len(self._history.orders)
        self._history.sizes.append(Size("store, bytes", (folder / "agent.db").stat().st_size, 2_000_000))
        self._history.sizes.append(Size("messages waiting", len(agent.parts.inbox._pending), 82))
        self._history.sizes.append(Size("plays remembered", len(agent.ground.ledger.plays), plays))

    def _let_go(self, name: str) -> None:
        since_at = self._obeyed.pop(name)
        self._history.silences.append(Silence(NODE, name, since_at, self._now()))
        self.trouble(since_at, self._now())

    def _now(self) -> datetime:
        return self._instruments.true_at
