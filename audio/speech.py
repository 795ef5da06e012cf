"""Reads text aloud with espeak-ng, a process in a cell like the decoders. Text goes in by standard input only.

What is spoken is exactly ``speakable(text)``: show that, so no hidden character says more than the screen.
"""

from __future__ import annotations

import io
import re
import unicodedata
import wave
from enum import StrEnum

from audio import _tools
from audio.errors import LimitReachedError, ToolFailedError, UnspeakableTextError

MAX_CHARACTERS = 20_000
"""About twenty minutes of speech."""
WORDS_PER_MINUTE = (80, 300)
_LIMITS = _tools.Limits(cpu_s=30, wall_s=60, output_bytes=256 * _tools.MIB)
_HEADER = 44
"""Bytes of the WAV header that espeak-ng prints; its lengths are invented, since it streams."""
_KEPT_MARKS = frozenset("\n\t")


class Voice(StrEnum):
    """Voices that come with espeak-ng, by its own names."""

    NORTH = "vi"
    CENTRAL = "vi-vn-x-central"
    SOUTH = "vi-vn-x-south"
    ENGLISH = "en-gb"


def speakable(text: str) -> str:
    """The text as it will be spoken: composed (NFC), without control, bidirectional and zero-width characters.

    Raises:
        UnspeakableTextError: no letter or digit is left, or more than 20,000 characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise UnspeakableTextError(f"the text has {len(text)} characters, at most {MAX_CHARACTERS} are read: split it")
    composed = unicodedata.normalize("NFC", text)
    shown = "".join(c for c in composed if c in _KEPT_MARKS or unicodedata.category(c)[0] != "C")
    # espeak-ng would read what stands in double brackets as phonemes.
    plain = re.sub(r"([\[\]])(?=\1)", r"\1 ", shown)
    joined = "\n".join(line for line in (" ".join(part.split()) for part in plain.splitlines()) if line)
    if not any(c.isalnum() for c in joined):
        raise UnspeakableTextError("the text holds no word that can be read aloud")
    return joined


async def speak(text: str, voice: Voice = Voice.NORTH, *, words_per_minute: int = 150) -> bytes:
    """Speech as WAV: mono, 16 bits, 22.05 kHz.

    Raises:
        UnspeakableTextError: see ``speakable``.
        ToolMissingError: espeak-ng is not installed.
        ToolFailedError: it gave no sound.
    """
    slow, fast = WORDS_PER_MINUTE
    pace = str(min(max(words_per_minute, slow), fast))
    printed = bytearray()
    args = ["-v", voice.value, "-s", pace, "-b", "1", "--stdin", "--stdout"]
    data = speakable(text).encode()
    try:
        finished = await _tools.run("espeak-ng", args, limits=_LIMITS, source=data, sink=printed.extend)
    except LimitReachedError as error:
        raise ToolFailedError("espeak-ng", -9, str(error)) from error
    if finished.exit_code != 0 or len(printed) <= _HEADER or not printed.startswith(b"RIFF"):
        raise ToolFailedError("espeak-ng", finished.exit_code, finished.last_words)
    return _with_true_header(bytes(printed))


def _with_true_header(printed: bytes) -> bytes:
    rate = int.from_bytes(printed[24:28], "little")
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(printed[_HEADER : len(printed) - len(printed) % 2])
    return target.getvalue()
