"""The node's decoder against ffmpeg's on the same canonical file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audio.decode import BLOCK, Decoder, fade_out
from audio.errors import CorruptAudioError
from audio.prepare import prepare
from tests import sounds

LENGTH = 3 * sounds.RATE + 17


@pytest.fixture(scope="module")
def canonical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canonical")
    upload = folder / "upload.wav"
    upload.write_bytes(sounds.wav(sounds.speech(4.0)[:LENGTH]))
    return asyncio.run(prepare(upload, folder)).path


def pcm(data: bytes) -> sounds.Samples:
    return np.frombuffer(data, "<i2")


def by_ffmpeg(path: Path) -> sounds.Samples:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "s16le", "-"]
    return pcm(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)


def test_every_sample_is_there_and_is_what_ffmpeg_decodes(canonical: Path) -> None:
    """Within one step of 16 bits: two versions of the decoder round differently."""
    with Decoder(canonical) as decoder:
        mine = pcm(b"".join(decoder.blocks()))
        assert decoder.samples == decoder.position == len(mine) == LENGTH
        assert decoder.length_ms == 3001
    theirs = by_ffmpeg(canonical)
    assert len(theirs) == LENGTH
    assert np.abs(mine.astype(int) - theirs).max() <= 1


def test_bytes_and_path_give_the_same(canonical: Path) -> None:
    with Decoder(canonical) as from_path, Decoder(canonical.read_bytes()) as from_bytes:
        assert list(from_path.blocks()) == list(from_bytes.blocks())


@pytest.mark.parametrize("size", [1, 480, BLOCK, 4800, 10**6])
def test_blocks_have_the_size_asked_for_and_only_the_last_is_shorter(canonical: Path, size: int) -> None:
    with Decoder(canonical) as decoder:
        first = decoder.read(size)
        rest = list(decoder.blocks(max(size, 480)))
    assert len(first) == min(size, LENGTH) * 2
    assert {len(block) for block in rest[:-1]} <= {max(size, 480) * 2}
    assert len(first) + sum(len(block) for block in rest) == LENGTH * 2


def test_nothing_comes_behind_the_end(canonical: Path) -> None:
    with Decoder(canonical) as decoder:
        while decoder.read(BLOCK):
            pass
        assert decoder.read() == b""


@pytest.mark.parametrize("gain_db", [-20.0, -6.0, 3.0])
def test_gain_is_applied_as_asked(canonical: Path, gain_db: float) -> None:
    with Decoder(canonical) as plain, Decoder(canonical, gain_db=gain_db) as changed:
        before, after = (pcm(b"".join(decoder.blocks())).astype(float) for decoder in (plain, changed))
    loud = np.abs(before) > 2000
    ratio = after[loud] / before[loud]
    assert 20 * np.log10(np.median(ratio)) == pytest.approx(gain_db, abs=0.05)


def test_too_much_gain_saturates_and_does_not_wrap(canonical: Path) -> None:
    with Decoder(canonical) as plain, Decoder(canonical, gain_db=30) as loud:
        before, after = (pcm(b"".join(decoder.blocks())).astype(int) for decoder in (plain, loud))
    assert after.max() == 32_767
    assert not np.any(np.sign(before[np.abs(before) > 100]) * np.sign(after[np.abs(before) > 100]) < 0)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def scratched(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(64) + data[middle + 64 :]


def headless(data: bytes) -> bytes:
    return data[60:]


def nothing(_data: bytes) -> bytes:
    return b""


def other_sound(_data: bytes) -> bytes:
    return sounds.wav(sounds.speech(1.0))


def stereo(_data: bytes) -> bytes:
    return sounds.encoded(sounds.speech(1.0), "opus", extra=["-ac", "2"])


@pytest.mark.parametrize("damage", [cut, scratched, headless, nothing, other_sound, stereo])
def test_a_damaged_or_foreign_file_is_an_error_not_a_shorter_play(
    canonical: Path, damage: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(CorruptAudioError), Decoder(damage(canonical.read_bytes())) as decoder:
        for _ in decoder.blocks():
            pass


def test_closing_twice_does_no_harm_and_lets_the_file_go(canonical: Path) -> None:
    decoder = Decoder(canonical)
    decoder.close()
    decoder.close()
    assert decoder._file.closed


def test_a_fade_falls_evenly_to_silence() -> None:
    block = np.full(960, 10_000, np.int16).tobytes()
    faded = pcm(fade_out(block))
    assert (faded[0], faded[480], faded[-1]) == pytest.approx((10_000, 5_000, 0), abs=15)
    assert (np.diff(faded.astype(int)) <= 0).all()


def test_a_fade_over_two_blocks_has_no_step() -> None:
    block = np.full(960, 10_000, np.int16).tobytes()
    joined = pcm(fade_out(block, start=1.0, end=0.5) + fade_out(block, start=0.5, end=0.0)).astype(int)
    assert np.abs(np.diff(joined)).max() < 12


def test_memory_does_not_grow_with_the_length_and_numpy_is_not_loaded(canonical: Path, tmp_path: Path) -> None:
    """Peak memory of a process that decodes 3 s and of one that decodes 10 minutes differs by less than 3 MB."""
    program = (
        "import resource, sys; from pathlib import Path; from audio.decode import Decoder\n"
        "with Decoder(Path(sys.argv[1])) as decoder:\n"
        "    for block in decoder.blocks(): pass\n"
        "print(decoder.position, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 'numpy' in sys.modules)\n"
    )
    long = tmp_path / "long.opus"
    command = ["ffmpeg", "-v", "error", "-stream_loop", "199", "-i", str(canonical), "-c", "copy", str(long)]
    subprocess.run(command, check=True, timeout=60)

    def played(path: Path) -> tuple[int, int, str]:
        root = Path(__file__).parents[2]
        answer = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, check=True, timeout=60, cwd=root
        )
        samples, memory, numpy = answer.stdout.decode().split()
        return int(samples), int(memory), numpy

    short_samples, short_memory, numpy = played(canonical)
    long_samples, long_memory, _ = played(long)
    assert long_samples > 190 * short_samples
    assert long_memory < short_memory + 3000
    assert numpy == "False"
