"""Which quiet hours people loosened, and how far that still goes. Pure.

What somebody agreed to is good for a place and all below it, and no further than the settings of a place went since:
stricter ones that were signed there end it there, until somebody agrees anew.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from controller.people.proof import Loosened
from controller.policies.usual import minutes_of
from edge_agent.protocol.documents import QuietHours, Settings

WHOLE_DAY = (QuietHours(start="00:00", until="12:00"), QuietHours(start="12:00", until="00:00"))
SETTLES = timedelta(seconds=10)
"""Settings of before may still be on their way when somebody agrees to looser ones."""


class Hours(NamedTuple):
    """What was agreed to, as far as it goes in one place."""

    said: Loosened
    person_id: str
    given_at: datetime
    since: tuple[QuietHours, ...] = ()
    """What was quiet there besides since then: it stays so."""

    @property
    def silent(self) -> frozenset[int]:
        """Minutes of the day that are quiet at least."""
        return minutes_of((*self.said.quiet_hours, *self.since))

    def covers(self, zone: str, silent: frozenset[int]) -> bool:
        """Say whether settings that are silent then are no looser than this."""
        return zone == self.said.zone and self.silent <= silent


def narrowed(settings: Settings, standing: Iterable[Hours], now: datetime) -> dict[str, tuple[QuietHours, ...]]:
    """Give of which places' hours less is left where these settings are signed, and what is quiet there from now."""
    found: dict[str, tuple[QuietHours, ...]] = {}
    for each in standing:
        quiet = settings.quiet_hours if settings.zone == each.said.zone else WHOLE_DAY
        if now - each.given_at >= SETTLES and not minutes_of(quiet) <= each.silent:
            found[each.said.scope] = tuple(dict.fromkeys((*each.since, *quiet)))
    return found
