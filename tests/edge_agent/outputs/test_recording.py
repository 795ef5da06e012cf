"""The files of a virtual output: what is appended, by a disk that is fast, slow or refuses."""

import threading
from pathlib import Path

import pytest

from edge_agent.clock import NS
from edge_agent.errors import OutputError
from edge_agent.evidence import RATE
from edge_agent.outputs import recording as module
from edge_agent.outputs.recording import HEADER, Recording, Writer
from tests.edge_agent.outputs.marks import marks

BLOCK = bytes([1, 0]) * 960


class Gated(Recording):
    """Takes nothing until it is let."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "o.wav", folder / "o.jsonl")
        self.open = threading.Event()

    def append(self, block: bytes, at_utc_ns: int, *, mark: bool) -> None:
        assert self.open.wait(30)
        super().append(block, at_utc_ns, mark=mark)


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


def test_what_is_handed_over_is_written_in_order_and_complete_at_the_close(tmp_path: Path) -> None:
    slow = Gated(tmp_path)
    writer = Writer(slow)
    for index in range(100):
        writer.put(bytes([index, 1]) * 960, index, mark=True)
    slow.open.set()
    writer.close()
    assert (tmp_path / "o.wav").read_bytes()[HEADER:] == b"".join(bytes([index, 1]) * 960 for index in range(100))
    assert marks(tmp_path / "o.jsonl") == [(index * 960, index) for index in range(100)]


def test_a_disk_that_does_not_keep_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    slow = Gated(tmp_path)
    writer, handed_over = Writer(slow, most_waiting=10), list[int]()

    def hand_over() -> None:
        for block in range(20):
            writer.put(BLOCK, 0, mark=False)
            handed_over.append(block)

    with pytest.raises(OutputError, match="does not keep up"):
        hand_over()
    slow.open.set()
    writer.close()
    assert 10 <= len(handed_over) <= 11, "one may be with the disk"
    assert (tmp_path / "o.wav").stat().st_size == HEADER + len(handed_over) * len(BLOCK)


def test_what_a_stopped_process_hands_over_at_once_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    writer = Writer(Recording(tmp_path / "o.wav", tmp_path / "o.jsonl"), most_waiting=10)
    for _ in range(1000):
        writer.put(BLOCK, 0, mark=False)
    writer.close()
    assert (tmp_path / "o.wav").stat().st_size == HEADER + 1000 * len(BLOCK)


def test_a_disk_that_refuses_is_told_at_the_next_block_and_at_the_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    writer = Writer(Recording(tmp_path / "o.wav", tmp_path / "o.jsonl"))
    monkeypatch.setattr(Recording, "_settle", refuse)
    writer.put(BLOCK, 0, mark=True)
    with pytest.raises(OutputError, match="No space left"):
        writer.close()
    with pytest.raises(OutputError, match="No space left"):
        writer.put(BLOCK, 0, mark=True)
    monkeypatch.undo()
    Recording(tmp_path / "o.wav", tmp_path / "o.jsonl").close()  # it keeps nobody out
