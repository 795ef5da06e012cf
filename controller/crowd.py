"""Who is connected to the nodes' port, and who has to go when it is full. Nobody behind it keeps all others out.

There is no bound for one address: a commune, and a province behind one carrier, ask from a single one when an emergency
is to sound. Only when there is no more room does it count who takes how much of it.
"""

import ipaddress
from collections import Counter
from typing import Protocol

LEFT_FREE = 20
"""One in so many places is kept free, for whoever comes next."""
STILL_S = 5.0
"""Who has not moved for so long goes first."""
MORE = 100
"""By so many connections a network has to exceed that of a newcomer before one that moves has to go. It comes back."""


class Guest(Protocol):
    """A connection."""

    @property
    def network(self) -> str:
        """See ``network_of``."""

    @property
    def still_since(self) -> float | None:
        """By the loop's clock: neither a whole request nor any of the answer has moved since; None: it moves."""

    def leave(self) -> None:
        """Break off at once."""


class Crowd:
    """Everybody who is connected."""

    def __init__(self, most: int, *, still_s: float = STILL_S, more: int = MORE) -> None:
        self._room, self._still_s, self._more = most - most // LEFT_FREE, still_s, more
        self._guests: dict[Guest, None] = {}

    def come(self, guest: Guest, now: float) -> None:
        """Take somebody in; where there is no room, another has to go, if one should."""
        if len(self._guests) >= self._room:
            chosen = self._chosen(guest, now)
            if chosen is not None:
                self.go(chosen)
                chosen.leave()
        self._guests[guest] = None

    def go(self, guest: Guest) -> None:
        """Forget somebody."""
        self._guests.pop(guest, None)

    def _chosen(self, guest: Guest, now: float) -> Guest | None:
        """Of the network with most connections, who stands still the longest, or was here first."""
        sizes = Counter(each.network for each in self._guests)
        still = [each for each in self._guests if self._is_still(each, now)]
        if still:
            return min(still, key=lambda each: (-sizes[each.network], each.still_since))
        network, size = sizes.most_common(1)[0]
        if size <= sizes[guest.network] + self._more:
            return None
        return next(each for each in self._guests if each.network == network)

    def _is_still(self, guest: Guest, now: float) -> bool:
        return guest.still_since is not None and now - guest.still_since >= self._still_s


def network_of(address: str) -> str:
    """Give the network that one line or host has: the last byte of IPv4, the last ten of IPv6 left out."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))
