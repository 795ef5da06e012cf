"""Which releases the agent itself believes, before it fetches a byte; whoever lays them down has pins of its own."""

from collections.abc import Callable
from datetime import datetime

from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.errors import WrongBoardError
from edge_agent.protocol.signing import TrustStore, open_release
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.updates import Release, check_release
from edge_agent.updates.layout import Opt, this_machine


class Belief:
    """What the update keys of the node's settings say."""

    def __init__(self, opt: Opt, trusted: Callable[[], tuple[TrustedKey, ...]]) -> None:
        """``trusted``: the keys of the settings, of every use."""
        self._opt, self._trusted = opt, trusted
        self._read: tuple[tuple[str, tuple[TrustedKey, ...]], Release] | None = None
        """A token, the keys of then, and what it said: a look every two seconds need not check a signature."""

    @property
    def keys(self) -> tuple[TrustedKey, ...]:
        """The update keys of now."""
        return tuple(key for key in self._trusted() if key.use is KeyUse.UPDATE)

    def opened(self, token: str) -> Release:
        """Read a release, by the keys of now.

        Raises:
            ProtocolError: none of them has signed it.
        """
        by = (token, self.keys)
        if self._read is None or self._read[0] != by:
            self._read = by, open_release(token.encode(), trust=TrustStore(by[1]))
        return self._read[1]

    def taken(self, token: str, *, running: int, now: datetime | None) -> Release:
        """Read one that is to be taken, beside the release that is ``running``; ``now`` where the date is known.

        Raises:
            ProtocolError: it is not believed, for another machine, not newer, or its time is over.
        """
        release, told, machine = self.opened(token), self._opt.told(), this_machine()
        if machine is None:
            raise WrongBoardError("no bundles are built for this processor")
        check_release(release, machine, taken=told.taken, good=max(told.good, running), now=now)
        return release
