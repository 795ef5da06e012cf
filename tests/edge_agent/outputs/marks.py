"""Reads the instants beside a WAV."""

import json
from pathlib import Path


def marks(path: Path) -> list[tuple[int, int]]:
    """Give each frame that has an instant, and that instant."""
    return [(one["frame"], one["at_ns"]) for one in map(json.loads, path.read_text().splitlines())]
