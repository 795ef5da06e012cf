"""When a life of a node ends, and what it has left."""

import json
import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.power.disk import Cache
from tests.power.machine import Frame
from tests.power.sounds import Sound

KINDS = {"moment": 20, "point": 35, "flush": 20, "begin": 12, "fetch": 6, "boot": 7}
"""How often each: any moment of work; a named point of the agent; a flush of the disk; a sound's first tenth; a
download; before the agent is at work."""
WAIT_S = {"moment": 6.0, "begin": 0.3, "fetch": 0.1, "boot": 3.0}
"""How long after it the power goes, at most."""
POINTS = {
    "store.before_commit": 15,
    "store.after_commit": 15,
    "file.before_sync": 1,
    "file.before_rename": 1,
    "file.after_rename": 1,
    "directory.before_sync": 2,
    "directory.after_sync": 2,
    "shelf.before_sync": 2,
    "shelf.before_rename": 2,
    "shelf.after_rename": 2,
}
"""Where the power goes by name, and how many of them a life surely comes to."""
FLUSHES = 40


@dataclass
class Aim:
    """When a life is to end."""

    kind: str
    after_s: float = 0.0
    name: str = ""
    count: int = 1

    @staticmethod
    def drawn(rng: random.Random) -> "Aim":
        """Draw one."""
        (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
        if kind == "point":
            name = rng.choice(list(POINTS))
            return Aim(kind, name=name, count=rng.randint(1, POINTS[name]))
        if kind == "flush":
            return Aim(kind, name=rng.choice(["before", "after"]), count=rng.randint(1, FLUSHES))
        return Aim(kind, after_s=rng.uniform(0, WAIT_S[kind]), count=rng.randint(1, 3))

    def __str__(self) -> str:
        return " ".join(str(one) for one in (self.kind, self.name, self.count, f"{self.after_s:.2f} s") if one)


@dataclass
class Life:
    """One life: how it was to be, and what it left."""

    number: int
    aim: Aim
    clock: str
    """Set right by the ``network``, by a ``battery``, or by ``none`` and wrong."""
    link: bool
    cold: bool
    """It began with the machine's kernel, and not with the memory of a start."""
    cache: Cache
    frames: list[Frame] = field(default_factory=list)
    reached: bool = False
    """It ended where it was to end, and not for having gone on for too long."""
    lost: int = 0
    """Writes that the cut took out of the disk's cache."""
    sounds: list[Sound] = field(default_factory=list)

    def said(self, letter: str) -> list[dict[str, Any]]:
        """Give what the guest said of a kind."""
        return [json.loads(one.data) for one in self.frames if one.letter == letter]

    @property
    def ready_at(self) -> datetime | None:
        """When the agent was at work; None when the end was earlier."""
        return next((one.at for one in self.frames if one.letter == "n"), None)

    def __str__(self) -> str:
        facts = {
            "start": "cold" if self.cold else "warm",
            "clock": self.clock,
            "link": self.link,
            "end": f"{self.aim}{'' if self.reached else ', not reached'}",
            "cache": f"{self.cache.value}, {self.lost} lost",
            "fsck": [one["status"] for one in self.said("f")],
            "ready": self.ready_at is not None,
            "sounds": len(self.sounds),
        }
        return f"life {self.number}: {facts}"
