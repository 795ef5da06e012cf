"""Random histories: a seed gives what is ordered and what goes wrong when, on one node in a stepped world.

A history has at least 20 routine plays and some emergencies within six hours, and at least five kinds of fault. What a
seed gives is the same on every machine, as far as threads do not count.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent import failpoints
from edge_agent.protocol.documents import QuietHours
from edge_agent.protocol.states import Level
from tests.edge_agent.centre import Keys
from tests.edge_agent.fakes import NOON
from tests.faults.history import History, Span
from tests.faults.machine import CrashedError
from tests.faults.world import World, world

PLAYS = 24
EMERGENCIES = 3
HOURS = 6
KINDS_AT_LEAST = 5
FAULTS = 14
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
QUIET = QuietHours(start="22:00", until="05:00")


@dataclass
class Script:
    """What is to happen, and what for."""

    world: World
    rng: random.Random
    begin_at: datetime
    happened: list[str] = field(default_factory=list)
    """Every fault, as ``kind at minute``."""

    def moment(self) -> datetime:
        """Give an instant: in a play, or shortly before one, more often than not, for there it hurts."""
        order = self.rng.choice(self.world.history.orders)
        chance = self.rng.random()
        if chance < 0.4:
            return order.start_at + order.length * self.rng.uniform(0.02, 0.98)
        if chance < 0.7:
            return order.start_at - timedelta(seconds=self.rng.choice((0.2, 0.5, 5, 40, 65)))
        return self.begin_at + timedelta(hours=self.rng.uniform(0.1, HOURS))


Kind = Callable[[Script, datetime], None]


async def run_seed(folder: Path, seed: int) -> tuple[History, Script]:
    """Play a seed's history to its end."""
    rng = random.Random(seed)
    kinds = _kinds(rng)
    base = NOON + timedelta(hours=rng.randrange(-6, 8))  # some reach into the night
    async with world(folder, base=base, seed=seed, quiet_hours=(QUIET,)) as one:
        script = Script(one, rng, base)
        one.truth.quiet += _nights(base)
        _order(script)
        _spoil(script, kinds)
        await one.run(base + timedelta(hours=HOURS, minutes=10))
        return await one.end(), script


def kinds_of(seed: int) -> frozenset[str]:
    """Give the kinds of fault in a seed's history."""
    return frozenset(_kinds(random.Random(seed)))


def _kinds(rng: random.Random) -> list[str]:
    return rng.sample(sorted(KINDS), KINDS_AT_LEAST + rng.randrange(3))


def _nights(base: datetime) -> list[Span]:
    day = base.astimezone(ZONE).replace(hour=22, minute=0, second=0) - timedelta(days=1)
    return [Span(day + timedelta(days=n), day + timedelta(days=n, hours=7)) for n in range(3)]


def _order(script: Script) -> None:
    """Give out the day's plan, and what comes in between: emergencies, edits, cancellations, what nobody approved."""
    one, rng = script.world, script.rng
    spacing = timedelta(hours=HOURS) / PLAYS
    for number in range(PLAYS):
        start_at = script.begin_at + spacing * (number + rng.uniform(0.3, 0.7))
        one.centre.order(f"b-{number:02}", start_at, items=rng.choice((1, 1, 2)), approved=number != 7, send=False)
    one.centre.send_plan()
    for number in range(EMERGENCIES):
        at = script.begin_at + timedelta(hours=rng.uniform(0.2, HOURS - 0.3))
        name = f"flood-{number}"
        one.at(at, partial(_emergency, one, name))
    for number in rng.sample(range(8, PLAYS), 3):
        order = one.history.orders[number]
        one.at(
            order.start_at - timedelta(seconds=rng.uniform(-0.3, 600)), partial(one.centre.cancel, order.broadcast_id)
        )
    one.at(script.begin_at + timedelta(hours=1), one.misdeliver)
    edited = one.history.orders[rng.randrange(8)]
    one.at(edited.start_at - timedelta(seconds=rng.uniform(-2, 300)), partial(_edit, one, edited.broadcast_id))


def _emergency(one: World, name: str) -> None:
    one.centre.order(name, one.now() + timedelta(seconds=1.5), level=Level.EMERGENCY, late_s=240, items=2)


def _edit(one: World, name: str) -> None:
    """Put another version in the place of a broadcast."""
    old = one.centre.planned.get(name)
    if old is None:
        return
    one.centre.withdraw(name)
    one.centre.order(f"{name}-new", max(old.start_at, one.now() + timedelta(seconds=30)), run=old.run_id)


def _spoil(script: Script, kinds: list[str]) -> None:
    for number in range(FAULTS):
        name, at = kinds[number % len(kinds)], script.moment()
        script.happened.append(f"{name} at {(at - script.begin_at) / timedelta(minutes=1):.1f}")
        KINDS[name](script, at)


# The kinds of fault.


def _kill(script: Script, at: datetime) -> None:
    one = script.world
    one.at(at, one.crash)
    one.at(at + timedelta(seconds=script.rng.uniform(0.5, 20)), one.start)


def _power_cut(script: Script, at: datetime) -> None:
    """With a battery for the clock, one that is slow, or none: 1970."""
    one, rng = script.world, script.rng
    error = rng.choice((timedelta(0), timedelta(seconds=-40), NOON.replace(year=1970) - script.begin_at))
    one.at(at, partial(one.power_cut, wall_error=error))
    one.at(at + timedelta(seconds=rng.uniform(5, 60)), one.start)


def _cut(script: Script, at: datetime) -> None:
    one = script.world
    one.at(at, one.cut)
    one.at(at + timedelta(seconds=script.rng.choice((5, 60, 900, 3600))), one.heal)


def _broker_lost(script: Script, at: datetime) -> None:
    """It forgets all, and the centre says everything again, in any order."""
    one = script.world

    def back() -> None:
        kept = list(one.retained.items())
        script.rng.shuffle(kept)
        one.link = True
        for topic, token in kept:
            one.deliver(topic, token)
        one.heal()

    one.at(at, one.cut)
    one.at(at + timedelta(seconds=script.rng.uniform(1, 15)), back)


def _old_words(script: Script, at: datetime) -> None:
    """Everything that was ever said is said again, in any order."""
    one = script.world

    def say() -> None:
        said = one.sent[-60:]
        for topic, token in script.rng.sample(said, len(said)):
            if one.link:
                one.deliver(topic, token)

    one.at(at, say)


def _stranger(script: Script, at: datetime) -> None:
    """Somebody without our keys orders, releases and settles."""
    one = script.world

    def say() -> None:
        thieves = Keys()
        intruder = one.centre.stranger_broadcast()
        one.send(one.orders.plan(intruder, version=9000), keys=thieves)
        one.send(one.orders.urgent(intruder, claims={"version": 9000}), keys=thieves)
        one.send(one.orders.hold(released=one.centre.active, version=9000), keys=thieves)
        one.send(one.orders.settings("nodes/node-1", thieves, claims={"version": 9000}), keys=thieves)

    one.at(at, say)


def _clock_step(script: Script, at: datetime) -> None:
    one = script.world
    by = script.rng.choice((timedelta(hours=1), timedelta(hours=-1), timedelta(days=1), timedelta(minutes=2)))
    one.at(at, partial(one.step_clock, by))


def _rot(script: Script, at: datetime) -> None:
    """A file of the cache changes on the disk, as late as after it was checked."""
    one, rng = script.world, script.rng
    order = rng.choice(one.history.orders)
    at = order.start_at - timedelta(seconds=rng.choice((300, 70, 30, 5, 0.3)))
    how = rng.choice(("bit", "short", "empty", "other"))
    one.at(at, partial(one.spoil, order.recordings[0], how))
    one.witness.trouble(at, order.latest_end_at)


def _output_lost(script: Script, at: datetime) -> None:
    one = script.world
    back_at = at + timedelta(seconds=script.rng.uniform(2, 40))
    one.at(at, one.lose_output)
    one.at(back_at, one.bring_output)
    one.witness.trouble(at, back_at)


def _sleep(script: Script, at: datetime) -> None:
    one = script.world
    one.at(at, partial(one.sleep, timedelta(seconds=script.rng.choice((0.5, 5, 60, 600)))))


def _stop(script: Script, at: datetime) -> None:
    one = script.world
    name = f"hold-{len(script.happened)}"
    one.at(at, partial(one.centre.hold, name))
    one.at(at + timedelta(seconds=script.rng.choice((10, 120, 1800))), partial(one.centre.release, name))


def _fail_at(script: Script, at: datetime) -> None:
    """The process dies at one of the next write boundaries."""
    one, left = script.world, [script.rng.randrange(1, 12)]

    def act(name: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            failpoints.arm(None)
            raise CrashedError(name)

    one.at(at, lambda: failpoints.arm(act))


KINDS: dict[str, Kind] = {
    "broker_lost": _broker_lost,
    "clock_step": _clock_step,
    "cut": _cut,
    "fail_at": _fail_at,
    "kill": _kill,
    "old_words": _old_words,
    "output_lost": _output_lost,
    "power_cut": _power_cut,
    "rot": _rot,
    "sleep": _sleep,
    "stop": _stop,
    "stranger": _stranger,
}
