"""Brings one bundle at a time, in a thread; after a failure it waits, each time longer."""

import asyncio
import logging
import random
import threading
from collections.abc import Callable

from edge_agent.download import Throttle
from edge_agent.errors import AgentError
from edge_agent.protocol.errors import MalformedError
from edge_agent.protocol.updates import Release
from edge_agent.threads import in_thread

log = logging.getLogger(__name__)

BACKOFF_S = (10.0, 600.0)
"""First and longest wait after a download that failed; doubled, full jitter."""


class Bringing:
    """One download."""

    def __init__(
        self,
        bring: Callable[[Release, Throttle], None],
        *,
        yields: Callable[[], bool],
        monotonic_s: Callable[[], float],
    ) -> None:
        """``bring`` fetches a bundle, ``yields`` says whether it has to wait, both in a thread."""
        self._bring, self._yields, self._monotonic_s = bring, yields, monotonic_s
        self._next_s, self._failures = 0.0, 0
        self._stop = threading.Event()
        self.task: asyncio.Task[None] | None = None

    def forget_failures(self) -> None:
        """Begin with the next one at once."""
        self._next_s, self._failures = 0.0, 0

    def begin(self, release: Release, failed: Callable[[str], None]) -> None:
        """Bring it, unless that is under way or it is too early; ``failed`` is told the code of what went wrong."""
        if self.task is None and self._monotonic_s() >= self._next_s:
            self.task = asyncio.create_task(self._run(release, failed), name="fetch-update")

    def cancel(self) -> None:
        """Bring nothing more."""
        self._stop.set()
        self._stop = threading.Event()
        if self.task is not None:
            self.task.cancel()
            self.task = None

    async def _run(self, release: Release, failed: Callable[[str], None]) -> None:
        throttle = Throttle(self._stop, self._yields)
        try:
            await in_thread(self._bring, release, throttle)
        except (AgentError, MalformedError, OSError) as error:
            self._failures += 1
            wait_s = min(BACKOFF_S[1], BACKOFF_S[0] * 2**self._failures)
            self._next_s = self._monotonic_s() + random.uniform(wait_s / 4, wait_s)  # noqa: S311 - not a secret
            log.warning("update: %s", error)
            failed(getattr(error, "code", "no_room"))
        finally:
            if self.task is asyncio.current_task():  # another may have begun since this one was cancelled
                self.task = None
