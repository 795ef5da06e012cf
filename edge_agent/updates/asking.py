"""Asks whoever lays updates down: when something else is wanted, and again while what is wanted is not there."""

from collections.abc import Callable

from edge_agent.updates.layout import Ask, Inbox, read, write

AGAIN_S = 60.0
"""The one who is asked may have looked away in the very moment."""


class Asking:
    """Writes what is asked; seldom, for a card wears out by it."""

    def __init__(self, inbox: Inbox, monotonic_s: Callable[[], float]) -> None:
        self._path, self._monotonic_s = inbox.ask, monotonic_s
        self._asked: tuple[Ask, float] | None = None

    def say(self, ask: Ask, *, waits: bool) -> None:
        """Ask; ``waits`` tells that something of it is still to be done."""
        now_s = self._monotonic_s()
        asked = self._asked or (read(self._path, Ask), now_s - AGAIN_S)
        begun = waits or self._path.exists()
        if (ask == asked[0] or not begun) and not (waits and now_s - asked[1] >= AGAIN_S):
            return
        write(self._path, ask)
        self._asked = ask, now_s
