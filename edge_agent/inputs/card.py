"""A microphone, a line or a loopback on a sound card, through PortAudio."""

import threading
from collections.abc import Callable
from typing import Any, Literal

from edge_agent import portaudio
from edge_agent.errors import DeviceError, InputLostError
from edge_agent.inputs.base import Take
from edge_agent.outputs.card import leaves_ns


class CardInput:
    """One card, mono 16 bit at 48 kHz."""

    kind: Literal["card", "virtual"] = "card"

    def __init__(self, device: str | None = None, *, simulated: bool = False) -> None:
        self._device, self.simulated = device, simulated
        self._stream: Any = None
        self._closing = threading.Event()
        self._turn = threading.Lock()
        self._on_lost: Callable[[str], None] = lambda _: None

    def open(self, take: Take, on_lost: Callable[[str], None]) -> None:
        """Open the card and begin to give frames.

        Raises:
            InputLostError: PortAudio or the card is missing, or the card does not open.
        """
        self._on_lost = on_lost

        def callback(indata: Any, _frames: int, times: Any, _status: Any) -> None:
            take(bytes(indata), leaves_ns(times.currentTime, times.inputBufferAdcTime))

        def finished() -> None:
            if not self._closing.is_set():
                on_lost("the card stopped giving sound")

        try:
            portaudio.start(
                "RawInputStream",
                self._device,
                anew=False,
                callback=callback,
                finished=finished,
                keep=self._keep,
                close=self._give_way,
            )
        except DeviceError as error:
            raise InputLostError(f"input: {error}") from None

    def close(self) -> None:
        """Close the card at once."""
        self._closing.set()
        with self._turn:
            stream, self._stream = self._stream, None
            portaudio.stop(stream)
        portaudio.closed(self._give_way)

    def _keep(self, stream: Any) -> None:
        self._stream = stream

    def _give_way(self) -> None:
        """Close for the output's sake, which counts the cards anew."""
        if not self._closing.is_set():
            self._on_lost("the sound cards are counted anew")
        self.close()
