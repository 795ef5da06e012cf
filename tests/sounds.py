"""Sounds for tests, made by arithmetic: honest ones, and files that lie. The same call gives the same bytes."""

from __future__ import annotations

import functools
import io
import math
import shutil
import struct
import subprocess
import tempfile
import wave
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 48_000
Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]

ENCODINGS: dict[str, tuple[str, ...]] = {
    "mp3": ("-c:a", "libmp3lame", "-b:a", "64k"),
    "wav": ("-c:a", "pcm_s16le"),
    "m4a": ("-c:a", "aac", "-b:a", "64k"),
    "aac": ("-c:a", "aac", "-b:a", "64k"),
    "opus": ("-c:a", "libopus", "-b:a", "48k"),
    "ogg": ("-c:a", "libvorbis", "-b:a", "64k"),
    "flac": ("-c:a", "flac"),
    "webm": ("-c:a", "libopus", "-b:a", "48k"),
    "3gp": ("-c:a", "aac", "-b:a", "32k"),
}
"""ffmpeg's arguments for each kind of file that people bring; the key is the suffix. AMR see ``amr``."""


def level(dbfs: float) -> float:
    """Amplitude, 0..1, of a level."""
    return float(10 ** (dbfs / 20))


def int16(signal: Floats) -> Samples:
    """Samples from -1..1, cut off at full scale."""
    return np.clip(np.round(signal * 32_767), -32_768, 32_767).astype(np.int16)


def sine(hertz: float, seconds: float, *, dbfs: float = -20.0, rate: int = RATE) -> Samples:
    """A steady tone; ``dbfs`` is its peak."""
    return int16(level(dbfs) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate))


def silence(seconds: float, *, rate: int = RATE) -> Samples:
    return np.zeros(round(seconds * rate), np.int16)


def direct(seconds: float, *, dbfs: float = -6.0) -> Samples:
    """DC: a constant value."""
    return np.full(round(seconds * RATE), round(level(dbfs) * 32_767), np.int16)


def square(hertz: float, seconds: float, *, dbfs: float = 0.0) -> Samples:
    return int16(level(dbfs) * np.sign(np.sin(2 * np.pi * hertz * (np.arange(round(seconds * RATE)) + 0.5) / RATE)))


def sweep(seconds: float, *, low: float = 100.0, high: float = 8_000.0, dbfs: float = -12.0) -> Samples:
    """A tone that climbs evenly in octaves: every place in it is unlike every other."""
    time = np.arange(round(seconds * RATE)) / RATE
    pace = np.log(high / low) / seconds
    return int16(level(dbfs) * np.sin(2 * np.pi * low * (np.exp(pace * time) - 1) / pace))


def noise(seconds: float, *, dbfs: float = -20.0, seed: int = 1) -> Samples:
    """White noise; ``dbfs`` is its RMS."""
    return int16(level(dbfs) * np.random.default_rng(seed).standard_normal(round(seconds * RATE)))


def speech(seconds: float, *, dbfs: float = -20.0, seed: int = 1, rate: int = RATE) -> Samples:
    """Like speech to a meter: buzzing syllables of wandering pitch and colour, with pauses. ``dbfs`` is its RMS."""
    random = np.random.default_rng(seed)
    total = round(seconds * rate)
    parts: list[Floats] = []
    while sum(len(part) for part in parts) < total:
        parts.append(_syllable(random, rate))
        if random.random() < 0.15:
            parts.append(np.zeros(round(random.uniform(0.1, 0.4) * rate)))
    signal = np.concatenate(parts)[:total]
    return int16(signal * level(dbfs) / np.sqrt(np.mean(signal**2)))


def _syllable(random: np.random.Generator, rate: int) -> Floats:
    length = round(random.uniform(0.12, 0.28) * rate)
    time = np.arange(length) / rate
    pitch = random.uniform(110, 190) * (1 + random.uniform(-0.2, 0.2) * time / time[-1])
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    formants = random.uniform((300, 900, 2200), (800, 2000, 3200))
    harmonics = range(1, 25)
    weights = [sum(np.exp(-(((n * 150 - f) / 250) ** 2)) for f in formants) + 0.02 for n in harmonics]
    # The n-th harmonic turns n times as fast: its sine is the imaginary part of a power, which costs one product.
    turn, power, voice = np.exp(1j * phase), np.ones(length, np.complex128), np.zeros(length)
    for weight in weights:
        power *= turn
        voice += (weight * np.exp(1j * random.uniform(0, 6)) * power).imag
    return voice * np.sin(np.pi * np.arange(length) / length) ** 0.5


def driven(samples: Samples, gain_db: float) -> Samples:
    """The sound recorded that much too loud: what does not fit is cut off flat."""
    return int16(samples / 32_768.0 * level(gain_db))


def wav(samples: Samples, *, rate: int = RATE, channels: int = 1) -> bytes:
    """An honest WAV file; every channel gets the same."""
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(np.repeat(samples, channels).astype("<i2").tobytes())
    return target.getvalue()


def lying_wav(
    samples: Samples, *, claimed_bytes: int | None = None, rate: int = RATE, channels: int = 1, bits: int = 16
) -> bytes:
    """A WAV file whose header says what it is told to say; the data are mono samples all the same."""
    data = samples.astype("<i2").tobytes()
    claimed = len(data) if claimed_bytes is None else claimed_bytes
    align = channels * bits // 8 & 0xFFFF
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    head = b"RIFF" + struct.pack("<I", min(claimed + 36, 0xFFFFFFFF)) + b"WAVE"
    return head + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", claimed) + data


def amr(frames: int, *, seed: int = 1) -> bytes:
    """AMR narrow band, 12.2 kbit/s, 20 ms a frame: valid frames of random parameters, which decode to a growl."""
    random = np.random.default_rng(seed)
    return b"#!AMR\n" + b"".join(b"\x3c" + random.integers(0, 256, 31, np.uint8).tobytes() for _ in range(frames))


def three_gp_amr(frames: int) -> bytes:
    """The same in a 3gp file as old phones write it: index at the end."""
    return ffmpeg(amr(frames), ["-f", "amr"], ["-c:a", "copy", "-f", "3gp"], suffix=".3gp")


def encoded(samples: Samples, suffix: str, *, rate: int = RATE, extra: Sequence[str] = ()) -> bytes:
    """The sound as a file of one of ``ENCODINGS``, by the installed ffmpeg."""
    return ffmpeg(wav(samples, rate=rate), ["-f", "wav"], [*ENCODINGS[suffix], *extra], suffix=f".{suffix}")


@functools.cache
def spoken(suffix: str, seconds: float = 3.0) -> bytes:
    """Speech as a file of one of ``ENCODINGS``; made once."""
    return encoded(speech(seconds), suffix)


def ffmpeg(data: bytes, before: Sequence[str], after: Sequence[str], *, suffix: str, read_input: bool = True) -> bytes:
    """Convert with a real file at the end, so that headers are filled in."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"sound{suffix}"
        program = shutil.which("ffmpeg") or "ffmpeg"
        source = ["-i", "pipe:0"] if read_input else []
        command = [program, "-v", "error", "-nostdin", *before, *source, *after, str(target)]
        subprocess.run(command, input=data, check=True, timeout=60)
        return target.read_bytes()


def flac_silence(seconds: int) -> bytes:
    """Silence as small as FLAC can write it: 14 bytes for 1.4 s, made without encoding a single sample."""
    block = 65_535
    total = seconds * RATE
    head = struct.pack(">HH", block, block) + bytes(6) + (RATE << 44 | 15 << 36 | total).to_bytes(8, "big") + bytes(16)
    parts = [b"fLaC\x80\0\0\x22", head]
    for number in range(-(-total // block)):
        frame = b"\xff\xf8\x7a\x08" + _flac_number(number) + struct.pack(">H", block - 1)
        frame += bytes([_crc(frame, 8, 0x07)]) + b"\0\0\0"
        parts.append(frame + _crc(frame, 16, 0x8005).to_bytes(2, "big"))
    return b"".join(parts)


def _flac_number(number: int) -> bytes:
    return chr(number).encode("utf-8", "surrogatepass")


@functools.cache
def _crc_table(bits: int, polynomial: int) -> tuple[int, ...]:
    top, mask = 1 << bits - 1, (1 << bits) - 1
    table = []
    for byte in range(256):
        crc = byte << bits - 8
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & top else 0)) & mask
        table.append(crc)
    return tuple(table)


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    table, crc, mask = _crc_table(bits, polynomial), 0, (1 << bits) - 1
    for byte in data:
        crc = (crc << 8 & mask) ^ table[crc >> bits - 8 ^ byte]
    return crc


def ogg_page(serial: int, number: int, position: int, packets: Sequence[bytes], *, kind: int = 0) -> bytes:
    """One Ogg page of packets shorter than 255 bytes; ``kind`` 2 opens a stream, 4 ends it."""
    head = struct.pack("<4sBBqIII", b"OggS", 0, kind, position, serial, number, 0)
    page = head + bytes([len(packets), *map(len, packets)]) + b"".join(packets)
    return page[:22] + struct.pack("<I", _crc(page, 32, 0x04C11DB7)) + page[26:]


def opus_silence(seconds: float, *, serial: int = 1) -> bytes:
    """Silence as small as Opus can write it: 2 bytes for 120 ms."""
    packets = math.ceil(seconds / 0.12)
    parts = [
        ogg_page(serial, 0, 0, [b"OpusHead\1\1" + struct.pack("<HIhB", 312, RATE, 0, 0)], kind=2),
        ogg_page(serial, 1, 0, [b"OpusTags" + struct.pack("<II", 0, 0)]),
    ]
    for number, first in enumerate(range(0, packets, 255), 2):
        count = min(255, packets - first)
        last = 4 if first + count == packets else 0
        parts.append(ogg_page(serial, number, (first + count) * 5760, [b"\xfb\x06"] * count, kind=last))
    return b"".join(parts)


def id3(*frames: bytes) -> bytes:
    """An ID3v2.3 tag around ready-made frames."""
    body = b"".join(frames)
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + body


def id3_title(title: str) -> bytes:
    text = b"\x03" + title.encode()
    return b"TIT2" + struct.pack(">I", len(text)) + b"\0\0" + text


def id3_cover(size: int) -> bytes:
    picture = b"\x00image/png\x00\x03\x00" + bytes(size)
    return b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture


def png(width: int = 1, height: int = 1) -> bytes:
    """A real picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = (b"\0" + bytes(3 * width)) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
