"""Named points in the code at which a test lets the process die as a power cut would. Inert unless a test arms one.

``LOA_FAILPOINT=name`` or ``name:3`` kills this process when it reaches the point for the first, or third, time.
"""

import os
import signal
from collections.abc import Callable

VARIABLE = "LOA_FAILPOINT"

Act = Callable[[str], None]


def _kill_at(wanted: str) -> Act:
    """Make what dies by SIGKILL at the point, counted from one: nothing is flushed, nobody says goodbye."""
    name, _, count = wanted.partition(":")
    left = int(count or 1)

    def act(reached: str) -> None:
        nonlocal left
        left -= reached == name
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return act


_act: Act | None = _kill_at(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def reach(name: str) -> None:
    """Say that the code has come to a point."""
    if _act is not None:
        _act(name)


def arm(act: Act | None) -> None:
    """Let a test of this process see every point, and raise there; None ends it."""
    global _act  # noqa: PLW0603 - one process has one fate
    _act = act
