"""Work on one row that raises what nobody foresaw: told, and kept apart from all other work.

The centre says STOP and sends alerts: one schedule that cannot be reckoned, or one job that fails, must not end it.
What failed is in the log with its traceback, and stands in ``/readyz`` until it is done.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable

from .errors import BusyError

_log = logging.getLogger(__name__)


class Failures:
    """What failed when it was last tried. One for the centre."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        """Jobs, and ``{job}/{id}`` of rows."""

    async def attempt(self, name: str, work: Awaitable[object]) -> bool:
        """Do one piece of work; False when it failed.

        Raises:
            BusyError: the database is busy. That passes, and whoever calls knows when it is tried again.
        """
        try:
            await work
        except BusyError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is: told with its traceback, and the rest goes on
            _log.exception("%s failed; everything else goes on", name)
            self.names.add(name)
            return False
        self.names.discard(name)
        return True

    async def each(self, job: str, ids: Iterable[str], work: Callable[[str], Awaitable[object]]) -> list[str]:
        """Do a job for every row that is due; gives those that failed. What is due no more is forgotten.

        Raises:
            BusyError: the database is busy.
        """
        names = {f"{job}/{each}": each for each in ids}
        self.names -= {name for name in self.names if name.startswith(f"{job}/")} - names.keys()
        return [each for name, each in names.items() if not await self.attempt(name, work(each))]
