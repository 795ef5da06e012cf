"""Shows a claim code to whoever stands at the node: in words, as a QR code, and aloud.

Who scans the picture comes to the page of adoption with the code in the fragment of its address, which no server sees.
"""

import asyncio
import io
import logging
import threading

import segno

from audio.decode import pcm_of
from audio.errors import AudioError
from audio.speech import Voice, speak
from edge_agent.amplifier.by_hand import powered
from edge_agent.config import Options, StateDir, write_atomically
from edge_agent.errors import ConfigError, OutputError
from edge_agent.fittings import output_of
from edge_agent.pieces import WORDS_PER_MINUTE

log = logging.getLogger(__name__)

SCALE = 8
"""Pixels of one square of the PNG, points of the SVG."""
WAIT_S = 20.0
"""Beyond its own length; an output that has not taken it by then does not work."""
BYTES_PER_S = 96_000
AFTER_BYTES = BYTES_PER_S // 2
"""Of silence behind it: an output asks for what sounds later, and closing it cuts that off."""


def link(adopt_url: str | None, code: str) -> str:
    """Give what the picture says: the page with the code, or the code alone from a centre that names no page."""
    return f"{adopt_url}#code={code}" if adopt_url else code


def picture(said: str) -> str:
    """Draw it for a terminal."""
    drawn = io.StringIO()
    segno.make_qr(said, error="m").terminal(drawn, compact=True)
    return drawn.getvalue()


def keep_pictures(state: StateDir, said: str) -> None:
    """Write it beside the state, for a screen or a printer. It is worth nothing once the node is adopted."""
    made = segno.make_qr(said, error="m")
    for path, kind in ((state.claim_svg, "svg"), (state.claim_png, "png")):
        drawn = io.BytesIO()
        made.save(drawn, kind=kind, scale=SCALE)
        write_atomically(path, drawn.getvalue(), mode=0o600)


def forget_pictures(state: StateDir) -> None:
    """Take them away."""
    state.claim_svg.unlink(missing_ok=True)
    state.claim_png.unlink(missing_ok=True)


async def say(options: Options, words: str) -> bool:
    """Say something through the node's output; say whether it was taken. Without espeak-ng nothing is heard."""
    try:
        sound = pcm_of(await speak(words, Voice.NORTH, words_per_minute=WORDS_PER_MINUTE))
        return await asyncio.to_thread(_play, options, sound)
    except (AudioError, OutputError, ConfigError, OSError) as error:
        log.warning("the code cannot be said aloud: %s", error)
        return False


def _play(options: Options, sound: bytes) -> bool:
    output, piece = output_of(options), _Piece(sound)
    with powered(options):
        output.open(piece.render, lambda _: None, lambda _: None)
        try:
            return piece.over.wait(len(sound) / BYTES_PER_S + WAIT_S)
        finally:
            output.close()


class _Piece:
    """Renders a sound once, then silence."""

    def __init__(self, sound: bytes) -> None:
        self._left, self._silence = memoryview(sound), 0
        self.over = threading.Event()

    def render(self, buffer: memoryview, at_ns: int) -> None:  # noqa: ARG002  the shape of Render
        """Fill a block; comes from the output's thread."""
        buffer[:] = bytes(len(buffer))
        self._silence += 0 if self._left else len(buffer)
        if self._silence >= AFTER_BYTES:
            self.over.set()
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
