"""Wakes every 10 ms and writes a line when it was kept waiting. Run as a program; imports nothing of ours."""

import json
import sys
import time

PERIOD_NS = 10_000_000
LATE_NS = 20_000_000
"""A card's buffer of 100 ms is filled in four blocks: a player that is kept waiting so long is in trouble."""


def main() -> None:
    """Tick until killed."""
    due_ns = time.monotonic_ns()
    while True:
        due_ns += PERIOD_NS
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        late_ns = time.monotonic_ns() - due_ns
        if late_ns > LATE_NS:
            at_ns = time.time_ns()
            sys.stdout.write(json.dumps({"from_ns": at_ns - late_ns, "to_ns": at_ns}) + "\n")
            sys.stdout.flush()
            due_ns += late_ns


if __name__ == "__main__":
    main()
