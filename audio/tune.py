"""Short sounds of our own: a signature tune (nhạc hiệu) and an attention chime, made by arithmetic.

No recording, so no rights to clear. The same call gives the same bytes. Plucked strings by added partials, each
dying away at its own pace, on the five-tone scale of many Vietnamese tunes.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RATE = 48_000
PEAK = 10 ** (-6 / 20)
"""Highest sample, -6 dBFS: whoever joins it with speech has room."""


@dataclass(frozen=True, slots=True)
class Note:
    """One pluck."""

    at_s: float
    """Seconds from the beginning."""
    hertz: float
    strength: float = 1.0
    """Against the other notes."""
    ring_s: float = 1.1
    """Seconds until the fundamental has died away by 60 dB."""


# Sol Đô Rê Fa Sol La, as a frequency in hertz (equal temperament, A = 440).
_G4, _C5, _D5, _F5, _G5, _A5, _C6 = 392.00, 523.25, 587.33, 698.46, 783.99, 880.00, 1046.50
_SIGNATURE = (
    Note(0.00, _G4, 0.9),
    Note(0.35, _C5),
    Note(0.70, _D5),
    Note(1.05, _F5, 1.0, 1.6),
    Note(1.75, _D5, 0.8),
    Note(2.10, _F5),
    Note(2.45, _G5),
    Note(2.80, _A5, 1.0, 1.6),
    Note(3.50, _G5, 0.8, 2.0),
    Note(3.50, _C5, 0.7, 2.0),
    Note(3.85, _C6, 0.9, 2.4),
)
_ATTENTION = (Note(0.0, _G5, 1.0, 1.2), Note(0.45, _D5, 1.0, 1.8))
_PARTIALS = ((1, 1.0), (2, 0.45), (3, 0.28), (4, 0.12), (5, 0.08), (7, 0.03))
"""Number and strength of each partial of a pluck; higher ones die sooner."""
_STIFFNESS = 0.0004
"""Stretches the partials like a real string's."""
_ATTACK_S = 0.004


def signature() -> bytes:
    """The tune that opens a programme: 5.2 s, WAV, mono, 48 kHz."""
    return _wav(render(_SIGNATURE, 5.2))


def attention() -> bytes:
    """Two falling notes before an urgent message: 1.6 s, WAV, mono, 48 kHz."""
    return _wav(render(_ATTENTION, 1.6))


def render(notes: Sequence[Note], length_s: float) -> npt.NDArray[np.int16]:
    """Sound the notes; what still rings at the end is faded out."""
    total = round(length_s * RATE)
    mixed = np.zeros(total)
    for note in notes:
        start = round(note.at_s * RATE)
        mixed[start:] += _pluck(note, total - start)
    fade = round(0.15 * RATE)
    mixed[-fade:] *= np.linspace(1, 0, fade)
    mixed *= PEAK / np.abs(mixed).max()
    return np.round(mixed * 32_767).astype(np.int16)


def _pluck(note: Note, samples: int) -> npt.NDArray[np.float64]:
    time = np.arange(samples) / RATE
    sound = np.zeros(samples)
    for number, strength in _PARTIALS:
        hertz = note.hertz * number * np.sqrt(1 + _STIFFNESS * number**2)
        decay = np.exp(-6.9 * time * number**0.7 / note.ring_s)  # ln(1000) = 6.9: 60 dB
        sound += strength * decay * np.sin(2 * np.pi * hertz * time)
    return note.strength * sound * np.minimum(1.0, time / _ATTACK_S)


def _wav(samples: npt.NDArray[np.int16]) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(samples.astype("<i2").tobytes())
    return target.getvalue()
