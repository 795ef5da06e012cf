"""What the centre needs of its keys, whoever holds the private halves: this process, or a signer apart."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.states import KeyUse

from .ring import Ring


class Named(Protocol):
    """A key, by its name."""

    @property
    def kid(self) -> str:
        """Its name."""
        ...


class KeyHolder(Protocol):
    """Which keys there are, and the epoch. ``wire.keys.Keys`` and ``remote.RemoteKeys``."""

    ring: Ring
    epoch: int

    @property
    def policy(self) -> Named:
        """Signs settings."""
        ...

    @property
    def trusted(self) -> tuple[TrustedKey, ...]:
        """Public halves, for nodes."""
        ...

    def named(self, kid: str) -> Named:
        """Give a key of the ring."""
        ...

    def refresh(self) -> bool:
        """Look at the ring again; say whether it is another."""
        ...

    def turn(self, use: KeyUse, now: datetime, lagging: Collection[str] = ()) -> None:
        """Let the rotation of a use go on by one step; ``lagging``: nodes that do not hold the new key."""
        ...

    def awake(self, asleep: Collection[str]) -> None:
        """Say which nodes still sleep, of those that did."""
        ...
