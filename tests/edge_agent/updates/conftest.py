"""Nothing here rests on a real disk: a power cut is an exception, the kernel forgets nothing, and syncs are noted."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Name what was synchronised, instead of waiting for it."""
    seen: list[Path] = []
    monkeypatch.setattr(os, "sync", lambda: None)
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append(Path(f"/proc/self/fd/{handle}").readlink()))
    return seen
