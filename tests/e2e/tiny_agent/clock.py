"""Section 11: the clock."""

import json
import secrets
import time
from pathlib import Path

from .basics import DAY, Json, S


class Clock:
    """Believes the centre's answers and nothing else."""

    def __init__(self, kept: Json | None) -> None:
        self.boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        same_boot = kept is not None and kept["boot_id"] == self.boot_id
        self.trusted_at: int | None = kept["trusted_at"] if kept and same_boot else None
        self.wall = kept["wall"] if kept and same_boot else time.time_ns() // 1000 - self.steady()
        self.centre: int | None = None
        self.offset_ms: float | None = None
        self.hold = 0
        self.nonce, self.asked = "", 0
        self.started_at, self.started = self.now(), self.steady()
        self.good_since = self.started_at if self.trusted_at is not None else None

    @staticmethod
    def steady() -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def state(self) -> str:
        wall = time.time_ns() // 1000 - self.steady()
        if abs(wall - self.wall) > 5 * S:
            self.trusted_at = None
        self.wall = wall
        age = None if self.trusted_at is None else self.steady() - self.trusted_at
        if age is None or age > max(DAY, self.hold):
            self.good_since = None
            return "untrusted"
        return "trusted" if age <= DAY else "held"

    def good(self) -> bool:
        return self.state() != "untrusted"

    def known(self) -> bool:
        return self.good() or self.centre is not None

    def now(self) -> int:
        """Give the node's time; the centre's while the clock is untrusted."""
        centre = self.centre if self.trusted_at is None else None
        return time.time_ns() // 1000 if centre is None else centre + self.steady()

    def ask(self) -> bytes:
        self.nonce, self.asked = secrets.token_hex(16), self.steady()
        return json.dumps({"nonce": self.nonce}).encode()

    def take(self, answer: Json) -> None:
        steady, nonce = self.steady(), self.nonce
        took = steady - self.asked
        if answer["nonce"] != nonce or took > 10 * S:
            return
        self.nonce, self.centre = "", answer["time_at"] + took // 2 - steady
        off = time.time_ns() // 1000 - took // 2 - answer["time_at"]
        self.offset_ms = off / 1000
        self.trusted_at = steady if abs(off) <= 250_000 + took // 2 else None
        if self.trusted_at is not None and self.good_since is None:
            self.good_since = self.now()

    def kept(self) -> Json:
        return {"boot_id": self.boot_id, "trusted_at": self.trusted_at, "wall": self.wall}
