"""PortAudio's life in this process: it counts the cards once, when it starts, so it is begun anew to see new ones.

To begin anew closes every open stream behind its owner's back. So whoever has one registers how to close it first.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from edge_agent.errors import DeviceError

WAIT_S = 5.0
"""How long a card that hangs while it is opened may keep others waiting."""
_lock = threading.Lock()
_closers: list[Callable[[], None]] = []
"""Of streams that are open now."""


@contextmanager
def opening(*, anew: bool) -> Iterator[Any]:
    """Hold the library for opening a stream; ``anew`` counts the cards again, and closes what else is open for it.

    Raises:
        DeviceError: PortAudio is missing, or another card hangs in it.
    """
    try:
        import sounddevice  # noqa: PLC0415 - a virtual node needs no PortAudio, and 20 MB less
    except (ImportError, OSError) as error:
        raise DeviceError(f"PortAudio is not there ({error}): install libportaudio2 and sounddevice") from None
    if not _lock.acquire(timeout=WAIT_S):
        raise DeviceError("another card hangs while it is opened")
    try:
        if anew or not _closers:
            for close in [*_closers]:
                close()
            _closers.clear()
            sounddevice._terminate()  # noqa: SLF001 - the package offers no other way
            sounddevice._initialize()  # noqa: SLF001 - as above
        yield sounddevice
    finally:
        _lock.release()


def opened(close: Callable[[], None]) -> None:
    """Note, within ``opening``, a stream that is open; ``close`` closes it, from any thread."""
    _closers.append(close)


def closed(close: Callable[[], None]) -> None:
    """Forget a stream that its owner has closed."""
    if close in _closers:
        _closers.remove(close)
