"""What is kept of a recording, heard by ffmpeg itself: which tones, how long, and no clicks at the seams."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from audio.cutting import FADE_MS, cut, graph_of
from audio.errors import AudioError, ToolFailedError
from tests import sounds

RATE = sounds.RATE


def decoded(data: bytes) -> sounds.Samples:
    raw = sounds.ffmpeg(data, (), ("-f", "s16le", "-ac", "1", "-ar", str(RATE)), suffix="flac")
    return np.frombuffer(raw, dtype=np.int16)


def tone(samples: sounds.Samples) -> float:
    """The loudest frequency in the middle of some sound."""
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(np.argmax(spectrum) * RATE / len(middle))


async def kept(tmp_path: Path, spans: list[tuple[int, int]]) -> sounds.Samples:
    """Keep pieces of three seconds: 400 Hz, 1,000 Hz, 2,500 Hz, a second each."""
    three = np.concatenate([sounds.sine(hertz, 1.0) for hertz in (400, 1000, 2500)])
    path = tmp_path / "three.opus"
    path.write_bytes(sounds.encoded(three, "opus"))
    target = io.BytesIO()
    with path.open("rb") as file:
        await cut(file, spans, target.write)
    return decoded(target.getvalue())


async def test_what_is_kept_are_these_pieces_to_the_sample(tmp_path: Path) -> None:
    found = await kept(tmp_path, [(100, 900), (2100, 2900)])
    assert len(found) == 1600 * RATE // 1000
    half = len(found) // 2
    assert tone(found[:half]) == pytest.approx(400, abs=5)
    assert tone(found[half:]) == pytest.approx(2500, abs=5)


async def test_a_seam_does_not_click(tmp_path: Path) -> None:
    found = await kept(tmp_path, [(103, 751), (1249, 1903)])
    seam, fade = (751 - 103) * RATE // 1000, FADE_MS * RATE // 1000
    assert np.abs(found[[0, seam - 1, seam, -1]]).max() < 200  # of 32,767: the tone itself reaches 3,276
    quiet = np.abs(found[seam - fade // 4 : seam + fade // 4]).max()
    assert quiet < np.abs(found[seam - 4 * fade : seam - 2 * fade]).max() / 2


@pytest.mark.parametrize("spans", [[], [(0, 5)], [(500, 400)], [(0, 600), (500, 900)], [(-10, 500)]])
def test_pieces_that_are_none_are_refused(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(AudioError):
        graph_of(spans)


async def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    path = tmp_path / "none.opus"
    path.write_bytes(b"<html>" * 1000)
    with path.open("rb") as file, pytest.raises(ToolFailedError):
        await cut(file, [(0, 1000)], io.BytesIO().write)
