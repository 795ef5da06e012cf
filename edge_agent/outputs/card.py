"""The sound card, through PortAudio: the only module that knows it.

The stream is always open. Where a frame stands in time comes from the card: the instant at which the first frame of a
block will leave it, by the clock that the card itself goes by (start errors of 0.02–0.08 ms were measured so).
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from edge_agent.clock import NS, ahead_ns
from edge_agent.errors import OutputError
from edge_agent.evidence import RATE
from edge_agent.outputs.base import Render

WINDOW = 41
"""Blocks whose median counts: a second of 25 ms blocks."""
JUMPED, JUMP_NS = 3, 15_000_000
"""So many blocks in a row that are so far off are a jump, not a waver."""
SAME_CLOCK_S = 1.0
"""Two readings this close are of one clock; the monotonic one counts from the start of the machine."""
LATENCY_S = 0.1
"""Seconds of buffer asked of the card: no drop-outs, and 0.3 % of a core."""


class Stamps:
    """Steadies a card's account of when its frames leave.

    The account wavers by some milliseconds when the machine is busy; the card's clock does not. So the median of a
    second is taken, and thrown away when the card has really jumped (it ran dry, or has only just started).
    """

    def __init__(self) -> None:
        self._frames = 0
        self._origins: deque[int] = deque(maxlen=WINDOW)
        """By each of the last blocks: when frame 0 of the stream left the card."""

    def steady(self, stamp_ns: int, frames: int) -> int:
        """Give the instant of a block's first frame; ``stamp_ns`` is what the card says, ``frames`` its length."""
        position_ns = self._frames * NS // RATE
        self._frames += frames
        self._origins.append(stamp_ns - position_ns)
        origin = self._median()
        latest = [found - origin for found in list(self._origins)[-JUMPED:]]
        if len(latest) == JUMPED and (min(latest) > JUMP_NS or max(latest) < -JUMP_NS):
            for _ in range(len(self._origins) - JUMPED):
                self._origins.popleft()
            origin = self._median()
        return origin + position_ns

    def _median(self) -> int:
        return sorted(self._origins)[len(self._origins) // 2]


def leaves_ns(current_s: float, dac_s: float) -> int:
    """Give the monotonic instant at which a block leaves, from what PortAudio says: its own time, and that of leaving.

    Its own time is one of the system's clocks, which one depends on the driver. Read so, it does not matter how long
    Python kept us waiting before the call: with only the difference of the two, that time would be added.
    """
    monotonic_ns = time.monotonic_ns()
    if abs(current_s - monotonic_ns / NS) < SAME_CLOCK_S:
        return round(dac_s * NS)
    if abs(current_s - time.time()) < SAME_CLOCK_S:
        return round(dac_s * NS) - ahead_ns(time.time_ns, time.monotonic_ns)
    return monotonic_ns + round((dac_s - current_s) * NS)


class CardOutput:
    """One card, mono 16 bit at 48 kHz."""

    kind: Literal["card", "virtual"] = "card"
    simulated = False

    def __init__(self, device: str | None = None) -> None:
        self._device = device
        self._stream: Any = None
        self._closing = False

    def open(self, render: Render, on_underrun: Callable[[int], None], on_lost: Callable[[str], None]) -> None:
        """Open the card and begin to ask for frames.

        Raises:
            OutputError: PortAudio or the card is missing, or the card does not open.
        """
        try:
            import sounddevice  # noqa: PLC0415 - a virtual node needs no PortAudio, and 20 MB less
        except (ImportError, OSError) as error:
            raise OutputError(f"PortAudio is not there ({error}): install libportaudio2 and sounddevice") from None

        stamps = Stamps()

        def callback(outdata: Any, frames: int, times: Any, status: Any) -> None:
            if status.output_underflow:
                on_underrun(frames)  # PortAudio does not say how long: at least one buffer
            stamp_ns = leaves_ns(times.currentTime, times.outputBufferDacTime)
            render(memoryview(outdata).cast("B"), stamps.steady(stamp_ns, frames))

        def finished() -> None:
            if not self._closing:
                on_lost("the card stopped asking for sound")

        try:
            # PortAudio counts the cards once, when it starts: begin anew, to see one that was plugged in since.
            sounddevice._terminate()  # noqa: SLF001 - the package offers no other way
            sounddevice._initialize()  # noqa: SLF001 - as above
            self._stream = sounddevice.RawOutputStream(
                samplerate=RATE,
                channels=1,
                dtype="int16",
                device=self._device,
                latency=LATENCY_S,
                callback=callback,
                finished_callback=finished,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise OutputError(f"sound card {self._device or '(default)'} does not open: {error}") from None

    def close(self) -> None:
        """Close the card at once."""
        self._closing = True
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
