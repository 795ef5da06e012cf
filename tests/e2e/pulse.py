"""PulseAudio in a process of its own: null sinks for agents to play to, and recorders of what left each of them.

No D-Bus, no sound card, nothing of the user's own PulseAudio. A null sink takes sound at the pace of a card, so that
what its monitor gives is what a loudspeaker would have had, and when.
"""

import asyncio
import os
import shutil
import subprocess
import threading
import time
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Self

import numpy as np
import numpy.typing as npt

from controller.demo.processes import Program
from tests.e2e.waiting import until

Samples = npt.NDArray[np.int16]

RATE = 48_000
FRAME_BYTES = 2
MONITOR_AHEAD_S = 0.020
"""The null sink hands a block to its monitor when it begins to play it, and blocks are as long as the least latency
that somebody asked for: ours. So a frame is heard this much before it leaves (measured with 4 and 20 ms: what remains
is 0.05 and 0.25 ms). Shorter blocks keep a small machine busy."""
ENVELOPE_FRAMES = 2 * RATE
"""Arrivals this far around a frame tell its instant: some of them came without delay."""


def _first() -> tuple[str, ...]:
    asked = subprocess.run(["chrt", "--rr", "5", "true"], capture_output=True, check=False)
    return ("chrt", "--rr", "5") if asked.returncode == 0 else ("nice", "-n", "-10")


FIRST = _first()
"""Starts a program that goes before all others, where we may: a sound card waits for nobody. (On two busy cores a
program of normal rank was kept waiting for up to 75 ms, a real-time one never.) Else ``nice`` does what it may."""

_ALSA = """</usr/share/alsa/alsa.conf>
pcm.!default { type pulse }
ctl.!default { type pulse }
"""


def missing() -> str | None:
    """Say what is not installed; None when all is there."""
    for name in ("pulseaudio", "pactl", "parec"):
        if shutil.which(name) is None:
            return f"{name} is not installed: apt-get install pulseaudio pulseaudio-utils"
    return None


class PulseAudio:
    """A server with null sinks ``sink0``, ``sink1``… Use it as an async context manager."""

    def __init__(self, folder: Path, sinks: int = 3) -> None:
        self._folder, self.sinks = folder, [f"sink{number}" for number in range(sinks)]
        self._server = f"unix:{folder / 'pulse.sock'}"
        self._alsa = folder / "asound.conf"
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        lacking = missing()
        assert lacking is None, lacking
        self._folder.mkdir(parents=True, exist_ok=True)
        self._alsa.write_text(_ALSA)
        argv = [
            *FIRST,
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--log-level=warn",
        ]
        argv += ["-L", f"module-native-protocol-unix auth-anonymous=1 socket={self._folder / 'pulse.sock'}"]
        for sink in self.sinks:
            argv += ["-L", f"module-null-sink sink_name={sink} rate={RATE} channels=1 format=s16le"]
        home = str(self._folder)
        env = {**os.environ, "HOME": home, "XDG_RUNTIME_DIR": home, "XDG_CONFIG_HOME": home}
        program = await Program.start("pulseaudio", argv, env=env, log=self._folder / "pulseaudio.log")
        self._stack.push_async_callback(program.stop)
        try:
            await until(lambda: self._has_sinks(program), 20, "a PulseAudio with its sinks")
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def env(self, sink: str) -> dict[str, str]:
        """Give what an agent with ``--output card`` needs in its environment to play to a sink."""
        return {"PULSE_SERVER": self._server, "PULSE_SINK": sink, "ALSA_CONFIG_PATH": str(self._alsa)}

    @asynccontextmanager
    async def record(self, sink: str) -> AsyncIterator["Recorder"]:
        """Record what leaves a sink for the length of the block; the block begins when sound arrives."""
        with (self._folder / "recorders.log").open("ab") as log:
            recorder = Recorder(self.env(sink), sink, log)
        try:
            await until(lambda: recorder.frames, 20, f"the first samples of {sink}")
            yield recorder
        finally:
            await asyncio.to_thread(recorder.close)

    async def _has_sinks(self, program: Program) -> bool:
        program.check()
        asked = await asyncio.create_subprocess_exec(
            "pactl",
            "list",
            "short",
            "sinks",
            env={**os.environ, **self.env(self.sinks[0])},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        said, _ = await asked.communicate()
        return all(sink in said.decode().split() for sink in self.sinks)


class Recorder:
    """What leaves a sink, mono, and when. A frame is named by its number since the beginning."""

    def __init__(self, env: dict[str, str], sink: str, log: IO[bytes]) -> None:
        argv = [*FIRST, "parec", "-d", f"{sink}.monitor", "--format=s16le", f"--rate={RATE}", "--channels=1"]
        argv += [f"--latency-msec={round(MONITOR_AHEAD_S * 1000)}", "--raw"]
        self._process = subprocess.Popen(
            argv,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
        )
        self._pcm = bytearray()
        self._arrived: list[tuple[int, int]] = []
        """Frames there, and when, in nanoseconds since 1970."""
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name=f"recorder-{sink}", daemon=True)
        self._reader.start()

    @property
    def frames(self) -> int:
        """Frames recorded so far."""
        return self._arrived[-1][0] if self._arrived else 0

    def at(self, frame: int) -> float:
        """Give the instant at which a frame left the sink, in seconds since 1970."""
        with self._lock:
            low = bisect_left(self._arrived, (frame - ENVELOPE_FRAMES, 0))
            high = bisect_left(self._arrived, (frame + ENVELOPE_FRAMES, 0))
            near = self._arrived[low:high] or self._arrived[-1:]
        # Delay only ever adds: the earliest arrival tells.
        zero_ns = min(at_ns - frames * 1_000_000_000 // RATE for frames, at_ns in near)
        return zero_ns / 1e9 + frame / RATE + MONITOR_AHEAD_S

    def frame_at(self, instant: datetime) -> int:
        """Give the frame that left the sink at an instant; it may lie outside of what is recorded."""
        frame = round((instant.timestamp() - self.at(0)) * RATE)
        for _ in range(3):  # where samples were lost, the beginning tells little about the end
            frame += round((instant.timestamp() - self.at(frame)) * RATE)
        return frame

    def between(self, start: int, stop: int | None = None) -> Samples:
        """Copy frames ``[start, stop)``; up to the last one without ``stop``."""
        start = max(0, start)
        with self._lock:
            end = self.frames if stop is None else min(stop, self.frames)
            return np.frombuffer(bytes(self._pcm[start * FRAME_BYTES : end * FRAME_BYTES]), "<i2")

    async def until(self, instant: datetime, within_s: float = 120) -> None:
        """Wait until everything that left the sink by an instant is recorded."""
        await until(lambda: self.at(self.frames) > instant.timestamp(), within_s, f"a recording until {instant}")

    def close(self) -> None:
        """End the recording; what was recorded stays."""
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while chunk := os.read(descriptor, 1 << 16):
            at_ns = time.time_ns()
            with self._lock:
                self._pcm += chunk
                self._arrived.append((len(self._pcm) // FRAME_BYTES, at_ns))
