"""What the figures were measured on: without it they say nothing."""

import os
import platform
import subprocess
from pathlib import Path

import psutil

from controller.wire.broker import SAFE_PATH

QUIET_PERCENT = 10.0
"""Used by others; above it nothing may be called idle."""


def describe() -> dict[str, str]:
    """Name processor, memory, kernel and the versions that matter."""
    memory_kib = int(next(line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")))
    models = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory_kib / 1024 / 1024:.1f} GiB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "mosquitto": _first_line(["mosquitto", "-h"]),
        "ffmpeg": _first_line(["ffmpeg", "-version"]).split(" Copyright")[0],
        "PulseAudio": _first_line(["pulseaudio", "--version"]),
    }


def busy_percent() -> float:
    """Watch for two seconds how much of all cores is used; before a benchmark this is what others use."""
    return psutil.cpu_percent(interval=2.0)


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _first_line(command: list[str]) -> str:
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{SAFE_PATH}"}
    try:
        said = subprocess.run(command, env=env, capture_output=True, text=True, timeout=10, check=False).stdout
    except FileNotFoundError:
        return "not installed"
    return said.splitlines()[0].strip() if said else "unknown"
