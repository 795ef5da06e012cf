"""Which recordings left an output, told from single blocks: an output that ran dry in between is no second sound."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.faults.truth import Recording

PROBE = 64
"""Bytes by which a place in a recording is known: 32 samples of noise are like no other."""
STEP = 8 * PROBE
"""So often a block is looked at."""
ALIKE = 0.9
"""Part of a recording's blocks that must have left, for it to have sounded whole."""


@dataclass
class Sound:
    """One recording at the output, once."""

    recording: str | None
    """None: what is in none, as a fade."""
    begun_at: datetime
    last: int
    """Byte up to which it was heard."""
    heard: int = 0
    """Bytes."""
    whole: bool = False


def sounds_of(blocks: Iterable[bytes], recordings: Iterable[Recording]) -> list[Sound]:
    """Put blocks (instant in nanoseconds, samples) together to sounds. One that goes back has begun again."""
    known = {one.voice.sha256: one.samples.tobytes() for one in recordings}
    found: list[Sound] = []
    for block in blocks:
        (at_ns,) = struct.unpack("<q", block[:8])
        at = datetime.fromtimestamp(at_ns / 1e9, UTC)
        for name, place, length in _parts(block[8:], known, found[-1] if found else None):
            last = found[-1] if found else None
            if last is None or last.recording != name or place < last.last - length:
                found.append(last := Sound(name, at, place))
            last.last, last.heard = place + length, last.heard + length
    for sound in found:
        sound.whole = sound.recording is not None and sound.heard >= ALIKE * len(known[sound.recording])
    return found


def _parts(samples: bytes, known: dict[str, bytes], last: Sound | None) -> list[tuple[str | None, int, int]]:
    """Give what a block holds: the end of one recording and the beginning of the next are two parts."""
    parts: list[tuple[str | None, int, int]] = []
    for begin in range(0, len(samples), STEP):
        probe = samples[begin : begin + PROBE]
        if len(probe) < PROBE or not any(probe):
            continue
        name, place = _place(probe, known, last)
        if name is None and parts:
            continue
        if parts and parts[-1][0] == name:
            parts[-1] = (name, parts[-1][1], place + STEP - parts[-1][1])
        else:
            parts.append((name, place, STEP))
    named = [one for one in parts if one[0] is not None]
    return named or parts[:1]


def _place(probe: bytes, known: dict[str, bytes], last: Sound | None) -> tuple[str | None, int]:
    if last is not None and last.recording is not None:
        place = known[last.recording].find(probe)
        if place >= 0:
            return last.recording, place
    for name, data in known.items():
        place = data.find(probe)
        if place >= 0:
            return name, place
    return None, 0
