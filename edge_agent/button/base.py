"""The contract of a button."""

from typing import Protocol


class Button(Protocol):
    """Something that a person presses."""

    def is_pressed(self) -> bool:
        """Say whether it is held down now.

        Raises:
            OSError: it cannot be read.
        """

    def close(self) -> None:
        """Let it go. Closing twice does no harm."""
