"""What scenes share that judge a commune: that all went well, and how a file is spoilt."""

import os
from pathlib import Path

from controller.demo.check import NodeVerdict


def assert_good(verdicts: list[NodeVerdict]) -> None:
    """Right sound, once, on time, nothing else, and reported truly."""
    assert {verdict.node: verdict.problems for verdict in verdicts if verdict.problems} == {}
    assert [play.simulated for verdict in verdicts for play in verdict.plays if play.simulated] == []


def flip_a_byte(path: Path, *, trace: bool = True) -> None:
    """Change one byte in place; without ``trace`` the file's times stay as they were."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)[0]
        file.seek(before.st_size // 2)
        file.write(bytes([byte ^ 1]))
    if not trace:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
