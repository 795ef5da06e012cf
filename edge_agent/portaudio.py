"""PortAudio's life in this process: it counts the cards once, when it starts, so it is begun anew to see new ones.

To begin anew closes every open stream behind its owner's back. So whoever has one registers how to close it first.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from edge_agent.errors import DeviceError
from edge_agent.evidence import RATE

WAIT_S = 5.0
"""How long a card that hangs while it is opened may keep others waiting."""
LATENCY_S = 0.1
"""Seconds of buffer asked of a card: no drop-outs, and 0.3 % of a core; what is heard nobody waits for."""
_lock = threading.Lock()
_closers: list[Callable[[], None]] = []
"""Of streams that are open now; each closes its own, from any thread."""


def start(
    kind: Literal["RawOutputStream", "RawInputStream"],
    device: str | None,
    *,
    anew: bool,
    callback: Callable[..., None],
    finished: Callable[[], None],
    keep: Callable[[Any], None],
    close: Callable[[], None],
) -> None:
    """Open a stream, mono 16 bit at 48 kHz, and start it; ``anew`` as in ``opening``, ``close`` as in ``_closers``.

    ``keep`` is given the stream while the library is held, so that nobody closes it before its owner has it.

    Raises:
        DeviceError: PortAudio or the card is missing, or the card does not open.
    """
    with opening(anew=anew) as sounddevice:
        stream = None
        try:
            stream = getattr(sounddevice, kind)(
                samplerate=RATE,
                channels=1,
                dtype="int16",
                device=device,
                latency=LATENCY_S,
                callback=callback,
                finished_callback=finished,
            )
            keep(stream)
            stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            keep(None)
            stop(stream)
            raise DeviceError(f"{device or '(default)'} does not open: {error}") from None
        _closers.append(close)


def stop(stream: Any) -> None:
    """Close one at once; None is closed."""
    if stream is not None:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)


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
    except Exception as error:  # noqa: BLE001 - to import it begins it, and its error has no name before it is imported
        raise DeviceError(f"PortAudio does not begin: {error}") from None
    if not _lock.acquire(timeout=WAIT_S):
        raise DeviceError("another card hangs while it is opened")
    try:
        if anew or not _closers:
            for close in [*_closers]:
                close()
            _closers.clear()
            _begin_anew(sounddevice)
        yield sounddevice
    finally:
        _lock.release()


def _begin_anew(sounddevice: Any) -> None:
    """Count the cards again.

    Raises:
        DeviceError: it did not begin; the next try may, though there is nothing to end then.
    """
    with suppress(sounddevice.PortAudioError):
        sounddevice._terminate()  # noqa: SLF001 - the package offers no other way
    try:
        sounddevice._initialize()  # noqa: SLF001 - as above
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"PortAudio does not begin: {error}") from None


def closed(close: Callable[[], None]) -> None:
    """Forget a stream that its owner has closed."""
    with suppress(ValueError):  # it is not there any more, or just now forgotten with all others
        _closers.remove(close)
