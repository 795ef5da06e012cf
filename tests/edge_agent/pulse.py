"""A PulseAudio of a test's own, with a null sink to play to and its monitor to listen at."""

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ASOUND = """
</usr/share/alsa/alsa.conf>
pcm.!default { type pulse }
ctl.!default { type pulse }
"""
RATE = 48_000


@dataclass(frozen=True)
class Pulse:
    """A running server."""

    root: Path
    process: subprocess.Popen[bytes]
    env: dict[str, str]
    """What a process needs in its environment, besides its own, to play there."""

    def stop(self) -> None:
        """End the server at once, as a card that is pulled out."""
        self.process.kill()
        self.process.wait(5)
        (self.root / "pulse.sock").unlink(missing_ok=True)

    def listen(self) -> "Recorder":
        """Begin to record the sink; returns when it really records (it takes up to a second to start)."""
        return Recorder(self)


class Recorder:
    """Records the null sink's monitor in a thread."""

    def __init__(self, pulse: Pulse) -> None:
        command = ["parec", "-d", "null0.monitor", "--format=s16le", f"--rate={RATE}", "--channels=1"]
        self._process = subprocess.Popen(
            [*command, "--latency-msec=4", "--raw"], stdout=subprocess.PIPE, env={**os.environ, **pulse.env}
        )
        self.pcm = bytearray()
        self._begun = threading.Event()
        self._grown = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        if not self._begun.wait(10):
            self.close()
            raise AssertionError("parec records nothing")

    def wait_frames(self, count: int, *, within_s: float) -> None:
        """Wait until so many frames are recorded."""
        with self._grown:
            assert self._grown.wait_for(lambda: len(self.pcm) // 2 >= count, within_s), "the recording does not grow"

    def close(self) -> bytes:
        """Stop, and give what was recorded."""
        self._process.terminate()
        self._process.wait(5)
        self._thread.join(5)
        return bytes(self.pcm)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            while piece := os.read(pipe.fileno(), 8192):
                with self._grown:
                    self.pcm += piece
                    self._grown.notify_all()
                self._begun.set()


@contextlib.contextmanager
def running_pulse(root: Path) -> Iterator[Pulse]:
    """Run a server for the length of a block."""
    assert shutil.which("pulseaudio"), "pulseaudio is not installed"
    root.mkdir(parents=True, exist_ok=True)
    socket, asound = root / "pulse.sock", root / "asound.conf"
    asound.write_text(_ASOUND)
    env = {
        "HOME": str(root),
        "XDG_RUNTIME_DIR": str(root),
        "PULSE_SERVER": f"unix:{socket}",
        "ALSA_CONFIG_PATH": str(asound),
    }
    modules = (
        f"module-native-protocol-unix auth-anonymous=1 socket={socket}",
        f"module-null-sink sink_name=null0 rate={RATE} channels=2",
    )
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    for module in modules:
        command += ["-L", module]
    with (root / "pulse.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **env}, stdout=log, stderr=log)
        try:
            until_s = time.monotonic() + 10
            while not socket.exists() and time.monotonic() < until_s:
                time.sleep(0.02)
            yield Pulse(root, process, env)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
