"""The sound card, through PortAudio: the only module that knows it.

The stream is always open. Where a frame stands in time comes from the card: the instant at which the first frame of a
block will leave it, by the clock that the card itself goes by (start errors of 0.02–0.08 ms were measured so).
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from edge_agent import portaudio
from edge_agent.clock import NS, ahead_ns
from edge_agent.errors import DeviceError, OutputError
from edge_agent.evidence import RATE
from edge_agent.outputs.base import Render

JUMPED, JUMP_NS = 3, 15_000_000
"""So many blocks in a row that are so far off are a jump, not a waver."""
SECONDS = 30
"""Of this many, each second's middle value counts: a sound server's account wavers by milliseconds for five."""
ENOUGH = 20
"""So many of them tell how fast the card's clock is."""
MAX_PACE = 200e-6
"""No crystal is further off; an account that is, is wrong."""
MAX_TURN = 500e-6
"""How fast our own account follows, as part of the time: sounds a second apart stay so within half a millisecond."""
SAME_CLOCK_S = 1.0
"""Two readings this close are of one clock; the monotonic one counts from the start of the machine."""


class Stamps:
    """Steadies a card's account of when its frames leave.

    The account wavers by some milliseconds when the machine is busy, or for seconds after a sound server was opened;
    the card's clock does not. So the middle of half a minute is taken, with the pace of the card's clock, and all is
    begun anew when the card has really jumped (it ran dry, or has only just started).
    """

    def __init__(self) -> None:
        self._frames = 0
        self._latest: deque[int] = deque(maxlen=JUMPED)
        """By each of the last blocks: when frame 0 of the stream left the card."""
        self._second: list[int] = []
        """The same of all blocks of the second that is under way."""
        self._until = RATE
        """The frame with which it ends."""
        self._seconds: deque[tuple[int, int]] = deque(maxlen=SECONDS)
        """Of whole seconds: the frame at which they end, and the middle of what their blocks say."""
        self._origin = 0

    def steady(self, stamp_ns: int, frames: int) -> int:
        """Give the instant of a block's first frame; ``stamp_ns`` is what the card says, ``frames`` its length."""
        position_ns = self._frames * NS // RATE
        said = stamp_ns - position_ns
        self._latest.append(said)
        self._second.append(said)
        if self._has_jumped():
            self._second = list(self._latest)
            self._seconds.clear()
            self._until = self._frames + RATE
        if self._seconds:
            most = round(MAX_TURN * frames * NS / RATE)
            self._origin += max(-most, min(most, self._expected() - self._origin))
        else:
            self._origin = _middle(self._second)
        self._frames += frames
        if self._frames >= self._until:
            self._seconds.append((self._frames, _middle(self._second)))
            self._second, self._until = [], self._frames + RATE
        return self._origin + position_ns

    def _has_jumped(self) -> bool:
        off = [said - self._origin for said in self._latest]
        return len(off) == JUMPED and (min(off) > JUMP_NS or max(off) < -JUMP_NS)

    def _expected(self) -> int:
        """Say where the account stands now, by all the seconds."""
        middle = _middle([said for _, said in self._seconds])
        if len(self._seconds) < ENOUGH:
            return middle
        third = len(self._seconds) // 3
        early, late = list(self._seconds)[:third], list(self._seconds)[-third:]
        turned = _middle([said for _, said in late]) - _middle([said for _, said in early])
        pace = turned / ((late[0][0] - early[0][0]) * NS / RATE)
        centre = (self._seconds[0][0] + self._seconds[-1][0] - RATE) / 2
        away_ns = (self._frames - centre) * NS / RATE
        return middle + round(max(-MAX_PACE, min(MAX_PACE, pace)) * away_ns)


def _middle(values: list[int]) -> int:
    return sorted(values)[len(values) // 2]


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
            portaudio.start(
                "RawOutputStream",
                self._device,
                anew=True,  # to see a card that was plugged in since
                callback=callback,
                finished=finished,
                keep=self._keep,
                close=self.close,
            )
        except DeviceError as error:
            raise OutputError(f"sound card: {error}") from None

    def close(self) -> None:
        """Close the card at once."""
        self._closing = True
        stream, self._stream = self._stream, None
        portaudio.stop(stream)
        portaudio.closed(self.close)

    def _keep(self, stream: Any) -> None:
        self._stream = stream
