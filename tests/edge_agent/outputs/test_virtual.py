"""The virtual output's files: what they say about what was consumed, also after a kill."""

import signal
import subprocess
import sys
import threading
import wave
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.clock import NS
from edge_agent.errors import OutputError
from edge_agent.evidence import RATE
from edge_agent.outputs import virtual
from edge_agent.outputs.recording import HEADER, Recording
from edge_agent.outputs.virtual import BLOCK, VirtualOutput
from tests.e2e.beside import plays
from tests.edge_agent.outputs.marks import marks

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


def level_1(buffer: memoryview, _: int) -> None:
    buffer[:] = bytes([1, 0]) * (len(buffer) // 2)


def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let the disk take nothing until it is set."""
    is_open, append = threading.Event(), Recording.append

    def gated(*args: Any, **kwargs: Any) -> None:
        assert is_open.wait(30)
        append(*args, **kwargs)

    monkeypatch.setattr(Recording, "append", gated)
    return is_open


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
    assert done.wait(30)
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


def test_a_wait_between_two_readings_of_the_clocks_moves_no_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread may be kept waiting anywhere, as on a busy machine."""
    now_ns, waits = [5 * NS], [NS // 100]

    def wall_ns() -> int:
        read_ns = now_ns[0] + 1000 * NS
        if waits:
            now_ns[0] += waits.pop()
        return read_ns

    clocks = SimpleNamespace(time_ns=wall_ns, monotonic_ns=lambda: now_ns[0])
    monkeypatch.setattr(virtual, "time", clocks)
    assert virtual.of_this_machine() == 1000 * NS


@plays
def test_after_a_kill_the_file_can_be_read_and_continued(folder: Path) -> None:
    wav, instants = folder / "o.wav", folder / "o.jsonl"
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


def test_a_disk_that_stands_still_keeps_no_device_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes only later is in the file all the same, whole and with its instants."""
    disk, heard, enough = gate(monkeypatch), list[tuple[bytes, int]](), threading.Event()

    def consumed(block: bytes, at_ns: int) -> None:
        heard.append((block, at_ns))
        if len(heard) == 50:
            enough.set()

    wav, instants = tmp_path / "o.wav", tmp_path / "o.jsonl"
    output = VirtualOutput(wav, instants, utc_minus_monotonic_ns=lambda: 0, on_consumed=consumed)
    output.open(level_1, lambda _: None, lambda _: None)
    assert enough.wait(10), "it waits for the disk"
    disk.set()
    output.close()
    with wave.open(str(wav)) as file:
        assert file.readframes(file.getnframes()) == b"".join(block for block, _ in heard)
    begun = {index * BLOCK: at_ns for index, (_, at_ns) in enumerate(heard)}
    found = marks(instants)
    assert len(found) > 10
    assert found == [(frame, begun[frame]) for frame, _ in found]


def test_an_output_whose_disk_refuses_is_lost_and_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Recording, "append", refuse)
    lost, told = list[str](), threading.Event()

    def on_lost(why: str) -> None:
        lost.append(why)
        told.set()

    output = VirtualOutput(tmp_path / "o.wav", tmp_path / "o.jsonl")
    output.open(level_1, lambda _: None, on_lost)
    assert told.wait(10)
    output.close()
    assert len(lost) == 1
    assert "No space left on device" in lost[0]


def test_an_output_given_up_on_a_slow_disk_keeps_its_files_until_they_are_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, wav, instants = gate(monkeypatch), tmp_path / "o.wav", tmp_path / "o.jsonl"
    heard = threading.Event()
    first = VirtualOutput(wav, instants, on_consumed=lambda _block, _at: heard.set())
    first.open(level_1, lambda _: None, lambda _: None)
    assert heard.wait(10)
    closing = threading.Thread(target=first.close)
    closing.start()
    with pytest.raises(OutputError, match="still being written"):
        VirtualOutput(wav, instants).open(level_1, lambda _: None, lambda _: None)
    disk.set()
    closing.join()
    before = wav.stat().st_size
    assert before > HEADER
    play(wav, instants, frames=RATE // 2, level=2)
    assert wav.stat().st_size > before
