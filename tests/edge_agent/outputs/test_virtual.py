"""The virtual output's files: what they say about what was consumed, also after a kill."""

import json
import signal
import subprocess
import sys
import threading
import wave
from itertools import pairwise
from pathlib import Path

from edge_agent.clock import NS
from edge_agent.evidence import RATE
from edge_agent.outputs.virtual import Recording, VirtualOutput

_PLAYER = """
import sys, threading
from pathlib import Path
from edge_agent.outputs.virtual import VirtualOutput
asked = 0
def render(buffer, at):
    global asked
    asked += 1
    buffer[:] = bytes([1, 0]) * (len(buffer) // 2)
    if asked == 75:
        print("enough", flush=True)
output = VirtualOutput(Path(sys.argv[1]), Path(sys.argv[2]))
output.open(render, lambda frames: None, lambda why: None)
threading.Event().wait(20)
"""


def marks(path: Path) -> list[tuple[int, int]]:
    return [(one["frame"], one["at_ns"]) for one in map(json.loads, path.read_text().splitlines())]


def play(wav: Path, instants: Path, *, frames: int, level: int) -> None:
    done, given = threading.Event(), 0

    def render(buffer: memoryview, _: int) -> None:
        nonlocal given
        buffer[:] = bytes([level, 0]) * (len(buffer) // 2)
        given += len(buffer) // 2
        if given >= frames:
            done.set()

    output = VirtualOutput(wav, instants)
    output.open(render, lambda _: None, lambda _: None)
    assert done.wait(10)
    output.close()


def test_the_file_is_a_wav_of_what_was_consumed_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    wav, instants = tmp_path / "o.wav", tmp_path / "o.jsonl"
    play(wav, instants, frames=RATE // 2, level=1)
    with wave.open(str(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        first = file.getnframes()
        assert set(file.readframes(first)) == {0, 1}
    play(wav, instants, frames=RATE // 2, level=2)
    with wave.open(str(wav)) as file:
        pcm = memoryview(file.readframes(file.getnframes())).cast("h")
    # A machine that is busy elsewhere leaves gaps, as a card would; they are silent.
    assert {1} <= set(pcm[:first]) <= {0, 1}
    assert {2} <= set(pcm[first:]) <= {0, 2}
    assert first in [frame for frame, _ in marks(instants)], "the new run's first frame has its own instant"


def test_the_marks_are_as_far_apart_as_the_frames(tmp_path: Path) -> None:
    wav, instants = tmp_path / "o.wav", tmp_path / "o.jsonl"
    play(wav, instants, frames=RATE // 2, level=1)
    found = marks(instants)
    assert len(found) > 10
    for (frame, at_ns), (next_frame, next_ns) in pairwise(found):
        assert abs((next_ns - at_ns) - (next_frame - frame) * NS // RATE) < NS // 1000


def test_after_a_kill_the_file_can_be_read_and_continued(tmp_path: Path) -> None:
    wav, instants = tmp_path / "o.wav", tmp_path / "o.jsonl"
    command = [sys.executable, "-c", _PLAYER, str(wav), str(instants)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "enough\n"
        process.send_signal(signal.SIGKILL)
    with wave.open(str(wav)) as file:
        before = file.getnframes()
    assert before > RATE
    play(wav, instants, frames=RATE // 4, level=2)
    with wave.open(str(wav)) as file:
        pcm = memoryview(file.readframes(file.getnframes())).cast("h")
    assert pcm[before - 1] == 1
    assert pcm[-1] == 2


def test_silence_takes_no_room_on_the_disk(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "o.wav", tmp_path / "o.jsonl")
    for second in range(60):
        recording.append(bytes(RATE * 2), second * NS, mark=False)
    recording.close()
    found = (tmp_path / "o.wav").stat()
    assert found.st_size == 44 + 60 * RATE * 2
    assert found.st_blocks * 512 < 100_000


def test_a_file_that_is_full_makes_way_for_a_new_one(tmp_path: Path) -> None:
    wav, instants = tmp_path / "o.wav", tmp_path / "o.jsonl"
    recording = Recording(wav, instants, max_frames=RATE)
    for second in range(3):
        recording.append(bytes([second + 1, 0]) * RATE, second * NS, mark=False)
    recording.close()
    assert (tmp_path / "o.wav.1").stat().st_size == wav.stat().st_size == 44 + RATE * 2
    assert marks(instants) == [(0, 2 * NS)]
