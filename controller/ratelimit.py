"""How often something may be asked: a token bucket per key, in memory, bounded. A restart forgets it."""

import ipaddress
from collections import OrderedDict
from datetime import datetime, timedelta

from .clock import Clock
from .errors import TooManyAttemptsError

MAX_KEYS = 10_000
"""Buckets kept; the one unused for longest is forgotten, so that a flood of addresses cannot fill the memory."""


def network_of(origin: str) -> str:
    """Give what counts as one origin: an address, of IPv6 the network of 64 bits that one line has (RFC 6177)."""
    try:
        address = ipaddress.ip_address(origin.partition("%")[0])
    except ValueError:
        return origin
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped or ipaddress.ip_network((address, 64), strict=False))


class RateLimit:
    """``burst`` at once, then one every ``every``."""

    def __init__(self, *, burst: int, every: timedelta, clock: Clock) -> None:
        self._burst, self._every, self._clock = burst, every, clock
        self._full_at: OrderedDict[str, datetime] = OrderedDict()

    def take(self, key: str) -> None:
        """Use one of ``key``'s turns.

        Raises:
            TooManyAttemptsError: none is left; ``retry_after_s`` says when the next comes.
        """
        now = self._clock()
        full_at = max(self._full_at.get(key, now), now) + self._every
        wait = full_at - now - self._burst * self._every
        if wait > timedelta(0):
            retry_after_s = max(1, round(wait.total_seconds() + 0.5))
            raise TooManyAttemptsError(f"too often; try again in {retry_after_s} s", retry_after_s=retry_after_s)
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > MAX_KEYS:
            self._full_at.popitem(last=False)

    def forget(self, key: str) -> None:
        """Give ``key`` all its turns back."""
        self._full_at.pop(key, None)
