"""Fixtures for all tests: what is installed, and ports that nobody uses."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

# Hypothesis would have each example done within 200 ms, which judges the machine; a test's own limit is enough.
hypothesis.settings.register_profile(
    "loa", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("loa")


@pytest.fixture
def free_port() -> Iterator[Callable[[], int]]:
    """Finds free ports on loopback, for programs that cannot be handed a socket."""
    held: list[socket.socket] = []

    def find() -> int:
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        held.append(probe)  # two calls must not find the same one
        return int(probe.getsockname()[1])

    def release_then_find() -> int:
        port = find()
        held[-1].close()
        return port

    yield release_then_find
    for probe in held:
        probe.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what takes long to those who ask for it, and put in order what is left."""
    if not os.environ.get("LOA_FAULTS_LONG"):
        if long := [item for item in items if item.get_closest_marker("long")]:
            config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    _put_in_order(items)


def _put_in_order(items: list[pytest.Item]) -> None:
    """Fail early and in words where a program is missing: a skipped test proves nothing. Files that wait go first.

    What waits for programs takes long and is judged in real time: while nobody computes it is disturbed least, and in
    the end nobody has to wait for it. Files with a browser, the longest of the others, come next for the same reason.
    """
    if any(item.get_closest_marker("broker") for item in items) and not _mosquitto():
        raise pytest.UsageError("mosquitto is not installed: apt-get install mosquitto")
    waiting, looking = _files(items, "broker", "sound"), _files(items, "browser")
    items.sort(key=lambda item: (item.path not in waiting, item.path not in looking))


def _files(items: list[pytest.Item], *marks: str) -> set[Path]:
    return {item.path for item in items if any(item.get_closest_marker(name) for name in marks)}


def _mosquitto() -> str | None:
    return shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
