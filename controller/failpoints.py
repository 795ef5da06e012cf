"""Named points in the code at which a test lets the centre die by SIGKILL. Inert unless the environment names one.

``LOA_FAILPOINT=name`` or ``name:3``: the first, or third, time that it is reached. The agent has its own, for it does
not import from here.
"""

import os
import signal

VARIABLE = "LOA_FAILPOINT"


def _read(wanted: str) -> tuple[str, int]:
    name, _, count = wanted.partition(":")
    return name, int(count or 1)


_name, _left = _read(os.environ.get(VARIABLE, ""))


def reach(name: str) -> None:
    """Say that the code has come to a point."""
    global _left  # noqa: PLW0603 - one process has one fate
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
