"""The contract of a pin."""

from typing import Protocol


class Pin(Protocol):
    """One output line. Off when it is closed, and off again when the process dies, if it can."""

    def put(self, *, on: bool) -> None:
        """Switch it.

        Raises:
            OSError: it cannot be switched.
        """

    def close(self) -> None:
        """Switch it off and let it go. Closing twice does no harm."""
