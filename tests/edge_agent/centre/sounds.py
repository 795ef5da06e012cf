"""Canonical recordings: made, described, decoded."""

import hashlib
import subprocess

from audio.decode import Decoder
from edge_agent.protocol.content import Voice


def voice_of(data: bytes, *, language: str = "vi", gain_mb: int = 0) -> Voice:
    """Describe a canonical file."""
    with Decoder(data) as decoder:
        length_ms = decoder.length_ms
    sha256 = hashlib.sha256(data).hexdigest()
    return Voice(language=language, sha256=sha256, bytes=len(data), length_ms=length_ms, gain_mb=gain_mb)


def pcm_of(data: bytes, *, gain_mb: int = 0) -> bytes:
    """Decode a canonical file as a node would."""
    with Decoder(data, gain_db=gain_mb / 100) as decoder:
        return b"".join(decoder.blocks())


def make_opus(seed: int, length_ms: int) -> bytes:
    """Make a canonical file of pink noise: it is like no other part of itself, and like no other seed."""
    source = f"anoisesrc=color=pink:seed={seed}:amplitude=0.5:sample_rate=48000:duration={length_ms / 1000}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-ac", "1", "-c:a", "libopus", "-b:a", "32k"]
    done = subprocess.run([*command, "-f", "ogg", "-fflags", "+bitexact", "-"], capture_output=True, check=True)
    return done.stdout
