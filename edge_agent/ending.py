"""How the process comes to its end: once, alone on its state, and within a bound, whatever still hangs."""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from edge_agent.config import StateDir
from edge_agent.errors import ConfigError

log = logging.getLogger(__name__)

AGAIN_S = 4.0
"""Until a task that was cancelled and goes on is cancelled again; longer than cleaning up takes (a card: 3 s)."""
END_S = 8.0
"""From the first sign of the end to the end; less than the `TimeoutStopSec` of the service unit."""


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel until all are over, and take what they raised.

    Once is not enough: ``asyncio.wait_for`` before Python 3.12 loses a cancellation that comes with its result, and
    a task group that waits for such a task is never left.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)


class LastResort:
    """Ends the process by force when its end takes too long."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def arm(self) -> None:
        """Begin to count; what comes later changes nothing."""
        if self._timer is None:
            self._timer = threading.Timer(END_S, self._leave)
            self._timer.daemon = True
            self._timer.start()

    @staticmethod
    def _leave() -> None:
        log.critical("the agent did not end within %.0f s: it is ended by force", END_S)
        logging.shutdown()
        os._exit(1)


@contextlib.contextmanager
def alone(state: StateDir) -> Iterator[None]:
    """Keep a second process out of the same state directory: an agent, or one that is being adopted.

    Raises:
        ConfigError: another one runs.
    """
    try:
        descriptor = os.open(state.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in {errno.EROFS, errno.EIO}:
            raise
        descriptor = os.open(state.lock, os.O_RDONLY | os.O_CLOEXEC)  # on a failing card: locked all the same
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(f"another `loa-agent` uses {state.root}: stop it, or give another --state") from None
    try:
        yield
    finally:
        os.close(descriptor)
