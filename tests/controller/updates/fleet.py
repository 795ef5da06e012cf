"""A made-up fleet that takes updates, or does not, minute by minute; and a rollout's rows as the centre keeps them."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from controller.updates.progress import PATIENCE
from controller.updates.rules import next_steps
from controller.updates.states import Course, Member, RolloutState, State, Steps, Stopped
from edge_agent.protocol.updates import UpdateReport, UpdateState
from tests.controller.factories import MORNING

RELEASE = 12
MINUTE = timedelta(minutes=1)
FINE, CRASHES, REFUSES, DIES, LIES, NEVER_THERE = "fine", "crashes", "refuses", "dies", "lies", "never there"


@dataclass
class Device:
    """A node: what it does with a release, and what it would say."""

    node_id: str
    fate: str = FINE
    online: bool = True
    drops: float = 0.0
    """Chance that its link breaks within a minute; it is back after five, mostly."""
    heard_at: datetime = MORNING
    running: int = 3
    report: UpdateReport | None = None
    tells: int = 0
    leaving: bool = False
    """The last that it said was goodbye, to begin the release."""
    busy_for: int = 0
    """Minutes until its next step."""

    def take(self, command_id: str) -> None:
        """A command came: the same is obeyed once."""
        self.tells += 1
        if self.report is not None and self.report.command_id == command_id:
            return
        self.report = self._said(UpdateState.REFUSED if self.fate == REFUSES else UpdateState.FETCHING, command_id)
        self.busy_for = 3

    def live(self, random: Random, now: datetime) -> None:
        """A minute passes."""
        if self.fate != NEVER_THERE:
            self.online = random.random() > (self.drops if self.online else 0.8)
        if self.fate == LIES:
            self.report = self._said(UpdateState.GOOD, None)
        elif self.report is not None and self.report.state in _NEXT:
            self.busy_for -= 1
            if self.busy_for <= 0:
                self._step()
        if self.leaving and self.fate == DIES:
            self.online = False
        if self.online:
            self.heard_at, self.leaving = now, False

    def _step(self) -> None:
        assert self.report is not None
        state = _NEXT[self.report.state]
        if state is UpdateState.TRYING:
            self.running, self.leaving, self.busy_for = RELEASE, self.online, 15
        if state is UpdateState.GOOD and self.fate == CRASHES:
            state, self.running = UpdateState.RETURNED, 3
        self.report = self._said(state, self.report.command_id)

    def _said(self, state: UpdateState, command_id: str | None) -> UpdateReport:
        return UpdateReport(command_id=command_id, release=RELEASE, version="0.2.0", state=state)


_NEXT = {
    UpdateState.FETCHING: UpdateState.WAITING,
    UpdateState.WAITING: UpdateState.TRYING,
    UpdateState.TRYING: UpdateState.GOOD,
}


@dataclass
class Walk:
    """A rollout over a fleet, from look to look."""

    devices: list[Device]
    waves: tuple[str, ...] = ("1", "5%", "25%", "100%")
    soak: timedelta = timedelta(hours=1)
    error_percent: int = 5
    random: Random = field(default_factory=lambda: Random(1))
    now: datetime = MORNING
    spared: frozenset[str] = frozenset()
    paused: bool = False
    ends: RolloutState | None = None
    why: Stopped | None = None
    told: list[tuple[datetime, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = {each.node_id: Member(each.node_id) for each in self.devices}
        self.course = Course(
            release=RELEASE,
            total=len(self.devices),
            waves=self.waves,
            soak=self.soak,
            error_percent=self.error_percent,
            wave=0,
            wave_since_at=self.now,
            expires_at=self.now + timedelta(days=180),
        )

    def members(self) -> list[Member]:
        """The rows with what each node says, if it is heard from."""
        return [self._member(each) for each in self.devices]

    def look(self) -> Steps:
        """One look of the centre, and what follows from it."""
        steps = next_steps(self.course, self.members(), self.now, running=not self.paused)
        for change in steps.changes:
            row = self.rows[change.node_id]
            self.rows[change.node_id] = replace(row, state=change.state, wave=change.wave, state_at=self.now)
        if steps.wave != self.course.wave:
            self.course = replace(self.course, wave=steps.wave, wave_since_at=self.now)
        by_id = {each.node_id: each for each in self.devices}
        for tell in steps.tell:
            row = self.rows[tell.node_id]
            commands = (*row.commands, f"c{len(self.told)}") if tell.anew else row.commands
            self.rows[tell.node_id] = replace(row, sent_at=self.now, commands=commands)
            self.told.append((self.now, tell.node_id))
            by_id[tell.node_id].take(commands[-1])
        self.ends, self.why = steps.ends or self.ends, steps.why or self.why
        return steps

    def step(self, minutes: int = 1) -> None:
        """Let the nodes live on, unobserved."""
        for _ in range(minutes):
            self.now += MINUTE
            for each in self.devices:
                each.live(self.random, self.now)

    def run(self, limit: timedelta = 3 * PATIENCE, every: int = 5) -> None:
        """Look and step until it ends, or for so long."""
        until = self.now + limit
        while self.ends is None and self.now < until:
            self.look()
            self.step(every)

    def count(self, *states: State) -> int:
        """Nodes in these states."""
        return sum(each.state in states for each in self.rows.values())

    def _member(self, device: Device) -> Member:
        row = self.rows[device.node_id]
        # What it said last stays known when it is away; what it came to since is not.
        known = (device.report, device.running) if device.online else (row.report, row.running)
        found = replace(
            row,
            report=known[0],
            running=known[1],
            online=device.online,
            left_for_update=device.leaving and not device.online,
            heard_at=device.heard_at,
            spared=device.node_id in self.spared,
        )
        self.rows[device.node_id] = found
        return found


def fleet(*fates: str, drops: float = 0.0) -> list[Device]:
    """Devices with these fates, in this order."""
    made = [Device(f"n-{number:04}", fate, drops=drops) for number, fate in enumerate(fates)]
    for each in made:
        each.online = each.fate != NEVER_THERE
    return made
