"""PulseAudio in a process of its own: null sinks for agents to play to, and recorders of what left each of them.

No D-Bus, no sound card, nothing of the user's own PulseAudio. A null sink takes sound at the pace of a card, so that
what its monitor gives is what a loudspeaker would have had, and when.
"""

import contextlib
import functools
import os
import shutil
import subprocess
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

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
SERVER_RANK = 5
"""Of real-time programs. (On two busy cores one of normal rank was kept waiting for up to 75 ms, a real-time one
never.)"""
STARTS_WITHIN_S = 20.0

# Without the distribution's own file: PortAudio tries every device named there, and each loads a library or two.
_ALSA = """pcm.!default { type pulse }
ctl.!default { type pulse }
"""


@functools.cache
def rank(number: int) -> tuple[str, ...]:
    """Give what starts a program that goes before all others, where we may: a sound card waits for nobody.

    Where real-time ranks are not for us, ``nice`` does what it may.
    """
    command = ("chrt", "--rr", str(number))
    asked = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if asked.returncode == 0 else ("nice", "-n", "-10")


def missing() -> str | None:
    """Say what is not installed; None when all is there."""
    for name in ("pulseaudio", "pactl", "parec", "pacat"):
        if shutil.which(name) is None:
            return f"{name} is not installed: apt-get install pulseaudio pulseaudio-utils"
    return None


class Pulse:
    """A running server with null sinks ``sink0``, ``sink1``…"""

    def __init__(self, folder: Path, sinks: int) -> None:
        lacking = missing()
        assert lacking is None, lacking
        self._folder, self.sinks = folder, [f"sink{number}" for number in range(sinks)]
        self._socket, alsa = folder / "pulse.sock", folder / "asound.conf"
        folder.mkdir(parents=True, exist_ok=True)
        alsa.write_text(_ALSA)
        home = str(folder)
        self.env = {
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "XDG_CONFIG_HOME": home,
            "PULSE_SERVER": f"unix:{self._socket}",
            "ALSA_CONFIG_PATH": str(alsa),
        }
        """What a process needs in its environment, besides its own, to play to the first sink."""
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        argv = ["setpriv", "--pdeathsig", "TERM", *rank(SERVER_RANK), "pulseaudio", "-n", "--daemonize=no"]
        argv += ["--exit-idle-time=-1", "--use-pid-file=no"]
        argv += ["--disable-shm=yes"]  # shared blocks made it abort now and then when many programs left at once
        modules = [f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}"]
        modules += [f"module-null-sink sink_name={sink} rate={RATE} channels=1 format=s16le" for sink in self.sinks]
        for module in modules:
            argv += ["-L", module]
        env = {**os.environ, **self.env}
        with (self._folder / "pulseaudio.log").open("ab") as log:
            return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def to(self, sink: str) -> dict[str, str]:
        """Give what a process needs in its environment to play to a sink."""
        return {**self.env, "PULSE_SINK": sink}

    def ready(self) -> bool:
        """Say whether its sinks are there."""
        assert self._process.poll() is None, (self._folder / "pulseaudio.log").read_text()[-2000:]
        command, env = ["pactl", "list", "short", "sinks"], {**os.environ, **self.env}
        said = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False).stdout.split()
        return all(sink in said for sink in self.sinks)

    def record(self, sink: str = "sink0", latency_s: float = MONITOR_AHEAD_S) -> "Recorder":
        """Begin to record what leaves a sink; returns when it really records (it takes up to a second to start)."""
        with (self._folder / "recorders.log").open("ab") as log:
            recorder = Recorder(self.to(sink), sink, latency_s, log)
        try:
            recorder.wait_frames(1, within_s=STARTS_WITHIN_S)
        except BaseException:
            recorder.close()
            raise
        return recorder

    def let_go_first(self) -> None:
        """Give all of the server its rank: what serves the programs has laid it down at the start."""
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(self._process.pid, os.SCHED_RR, os.sched_param(SERVER_RANK))

    def stop(self) -> None:
        """End the server at once, as a card that is pulled out."""
        self._process.kill()
        self._process.wait(30)
        self._socket.unlink(missing_ok=True)


@contextlib.contextmanager
def running_pulse(folder: Path, sinks: int = 1) -> Iterator[Pulse]:
    """Run a server for the length of the block."""
    pulse = Pulse(folder, sinks)
    try:
        until_s = time.monotonic() + STARTS_WITHIN_S
        while not pulse.ready():
            assert time.monotonic() < until_s, "PulseAudio has no sinks"
        pulse.let_go_first()
        yield pulse
    finally:
        pulse.stop()


class Recorder:
    """What leaves a sink, mono, and when. A frame is named by its number since the beginning."""

    def __init__(self, env: dict[str, str], sink: str, latency_s: float, log: IO[bytes]) -> None:
        argv = [*rank(SERVER_RANK), "parec", "-d", f"{sink}.monitor", "--format=s16le", f"--rate={RATE}"]
        argv += ["--channels=1", f"--latency-msec={round(latency_s * 1000)}", "--raw"]
        self._process = subprocess.Popen(
            argv,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
        )
        self._ahead_s = latency_s
        self._pcm = bytearray()
        self._arrived: list[tuple[int, int]] = []
        """Frames there, and when, in nanoseconds since 1970."""
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, name=f"recorder-{sink}", daemon=True)
        self._reader.start()

    @property
    def frames(self) -> int:
        """Frames recorded so far."""
        return self._arrived[-1][0] if self._arrived else 0

    def wait_frames(self, count: int, *, within_s: float) -> None:
        """Wait until so many frames are recorded."""
        with self._grown:
            assert self._grown.wait_for(lambda: self.frames >= count, within_s), "the recording does not grow"

    def at(self, frame: int) -> float:
        """Give the instant at which a frame left the sink, in seconds since 1970."""
        with self._grown:
            low = bisect_left(self._arrived, (frame - ENVELOPE_FRAMES, 0))
            high = bisect_left(self._arrived, (frame + ENVELOPE_FRAMES, 0))
            near = self._arrived[low:high] or self._arrived[-1:]
        # Delay only ever adds: the earliest arrival tells.
        zero_ns = min(at_ns - frames * 1_000_000_000 // RATE for frames, at_ns in near)
        return zero_ns / 1e9 + frame / RATE + self._ahead_s

    def frame_at(self, instant: datetime) -> int:
        """Give the frame that left the sink at an instant; it may lie outside of what is recorded."""
        frame = round((instant.timestamp() - self.at(0)) * RATE)
        for _ in range(3):  # where samples were lost, the beginning tells little about the end
            frame += round((instant.timestamp() - self.at(frame)) * RATE)
        return frame

    def between(self, start: int, stop: int | None = None) -> Samples:
        """Copy frames ``[start, stop)``; up to the last one without ``stop``."""
        start = max(0, start)
        with self._grown:
            end = self.frames if stop is None else min(stop, self.frames)
            return np.frombuffer(bytes(self._pcm[start * FRAME_BYTES : end * FRAME_BYTES]), "<i2")

    async def until(self, instant: datetime, within_s: float = 120) -> None:
        """Wait until everything that left the sink by an instant is recorded."""
        await until(lambda: self.at(self.frames) > instant.timestamp(), within_s, f"a recording until {instant}")

    def close(self) -> bytes:
        """End the recording, and give what was recorded."""
        self._process.terminate()
        self._process.wait(30)
        self._reader.join(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return bytes(self._pcm)

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while chunk := os.read(descriptor, 1 << 16):
            at_ns = time.time_ns()
            with self._grown:
                self._pcm += chunk
                self._arrived.append((len(self._pcm) // FRAME_BYTES, at_ns))
                self._grown.notify_all()
