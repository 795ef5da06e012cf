"""Runs in the guest, as its first program that counts: waits with all modules loaded, then lives one life of a node.

It does what the card's recipe has systemd do (clock, fsck, mounts, an agent that is started again), says on a line of
its own what leaves the output and what the store holds, and can stop for good at a failpoint. Needs the agent's package
and Python's own library.
"""

import ctypes
import fcntl
import json
import os
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import audio.decode  # noqa: F401 - the agent loads it after its start: here it is to be in memory before
import edge_agent.agent
import edge_agent.cli
import edge_agent.fittings
import edge_agent.store
from edge_agent import failpoints
from edge_agent.outputs.virtual import VirtualOutput

DEVICE = Path("/dev/vdb")
STATE = Path("/data/loa-agent")
USER = 900
RESTART_S = 2.0
"""As loa-agent.service says."""
_ADJ_MAXERROR, _ADJ_ESTERROR, _ADJ_STATUS, _STA_PLL = 0x4, 0x8, 0x10, 0x1  # linux/timex.h
_BLKGETSIZE64 = 0x80081272  # linux/fs.h
_RNDRESEEDCRNG = 0x5207  # linux/random.h

Life = dict[str, Any]


class Line:
    """To the outside: frames of a letter, a length, and bytes. Whoever dies here has said all before."""

    def __init__(self) -> None:
        self._handle, self._lock = os.open(port(1), os.O_RDWR), threading.Lock()

    def ask(self) -> Life:
        """Wait for words: what this life is to be, what time it is."""
        words = b""
        while not words.endswith(b"\n"):
            words += (read := os.read(self._handle, 4096))
            if not read:
                time.sleep(0.01)  # nobody is there yet
        return dict(json.loads(words))

    def say(self, letter: bytes, data: bytes) -> None:
        """Send a frame."""
        frame = memoryview(struct.pack("<cI", letter, len(data)) + data)
        with self._lock:
            while frame:
                frame = frame[os.write(self._handle, frame) :]

    def tell(self, letter: bytes, **fields: object) -> None:
        """Send a frame of words."""
        self.say(letter, json.dumps(fields).encode())


def main() -> None:
    """Live once; the end comes from outside."""
    line = Line()
    line.tell(b"r")
    life = line.ask()
    stir(life["chance"])
    until(lambda: DEVICE.exists() and size_of(DEVICE) > 0)
    set_clock(line, life)
    prepare(line)
    tell_store(line)
    hear_ready(line)
    while True:
        pid = os.fork()
        if pid == 0:
            become_agent(line, life)
        line.tell(b"a")
        _, status = os.waitpid(pid, 0)
        line.tell(b"x", status=status)
        time.sleep(RESTART_S)


def stir(chance: str) -> None:
    """Let this life draw other random numbers than all that began with the same memory."""
    with Path("/dev/urandom").open("wb", buffering=0) as pool:
        pool.write(bytes.fromhex(chance))
        fcntl.ioctl(pool, _RNDRESEEDCRNG)


def set_clock(line: Line, life: Life) -> None:
    """Be what the machine's clocks are after its start: by a battery, by the network, or by nothing."""
    boot_id = Path("/run/boot_id")
    boot_id.write_text(f"{life['boot_id']}\n", encoding="ascii")
    run("mount", "--bind", str(boot_id), "/proc/sys/kernel/random/boot_id")
    begun_ns = time.monotonic_ns()
    line.tell(b"t")
    now_ns = line.ask()["now_ns"]
    time.clock_settime_ns(time.CLOCK_REALTIME, now_ns + (time.monotonic_ns() - begun_ns) // 2)
    if life["clock"] == "none":
        run("mount", "-t", "tmpfs", "none", "/sys/class/rtc")
    if life["clock"] == "network":
        timex = (ctypes.c_long * 64)()
        timex[0], timex[3], timex[4] = _ADJ_STATUS | _ADJ_MAXERROR | _ADJ_ESTERROR, 1000, 1000
        timex[5] = _STA_PLL
        if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0:
            raise OSError("adjtimex")


def prepare(line: Line) -> None:
    """Check and mount the data partition as deploy/image/fstab does."""
    checked = run("e2fsck", "-p", str(DEVICE), check=False)
    line.tell(b"f", status=checked.returncode, said=checked.stdout + checked.stderr)
    options = "rw,noatime,nosuid,nodev,data=ordered,commit=30,errors=remount-ro"
    run("mount", "-t", "ext4", "-o", options, str(DEVICE), "/data")
    run("mount", "--bind", str(STATE), "/var/lib/loa-agent")
    run("mount", "-o", "remount,bind,nosuid,nodev,noexec", "/var/lib/loa-agent")


def size_of(device: Path) -> int:
    with device.open("rb") as file:
        return int(struct.unpack("Q", fcntl.ioctl(file, _BLKGETSIZE64, bytes(8)))[0])


def tell_store(line: Line) -> None:
    """Say what the store holds before anybody touches it; looked at in a copy."""
    copy = Path("/run/store")
    copy.mkdir(exist_ok=True)
    for suffix in ("", "-wal"):
        path = STATE / f"agent.db{suffix}"
        if path.exists():
            shutil.copyfile(path, copy / path.name)
    found = sqlite3.connect(copy / "agent.db")
    events = [(seq, json.loads(event)) for seq, event in found.execute("SELECT seq, event FROM events ORDER BY seq")]
    plays = {name: json.loads(play)["progress"] for name, play in found.execute("SELECT broadcast_id, play FROM plays")}
    (store_id,) = found.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()
    (check,) = found.execute("PRAGMA integrity_check").fetchone()
    found.close()
    files = sorted(str(path.relative_to(STATE)) for path in STATE.rglob("*") if path.is_file())
    line.tell(b"s", store_id=bytes(store_id).decode(), events=events, plays=plays, check=check, files=files)


def hear_ready(line: Line) -> None:
    """Take what the agent tells its supervisor."""
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind("\0supervisor")
    os.environ["NOTIFY_SOCKET"] = "@supervisor"

    def listen() -> None:
        while True:
            if heard.recv(256) == b"READY=1":
                line.tell(b"n")

    if os.fork() == 0:
        listen()


def instead_of(module: ModuleType, name: str, ours: object) -> None:
    """Let a module use ours; a name that has moved away is an error, and no quiet guest."""
    if not hasattr(module, name):
        raise AttributeError(f"{module.__name__} has no {name} any more")
    setattr(module, name, ours)


def become_agent(line: Line, life: Life) -> None:
    """Be the agent, as its own user, with the output's truth told outside."""

    class Told(VirtualOutput):
        """The virtual output, which says at once what has left it."""

        def __init__(self, *paths: Path, **given: Any) -> None:
            super().__init__(*paths, **{**given, "on_consumed": self._consumed})

        def _consumed(self, block: bytes, at_ns: int) -> None:
            if any(block):
                line.say(b"b", struct.pack("<q", at_ns) + block)

    instead_of(edge_agent.fittings, "VirtualOutput", Told)  # where the agent takes it from
    if life["careless"]:
        instead_of(edge_agent.store, "_connect", careless)
    failpoints.arm(stop_at(line, life["stop_at"], life["stop_count"]))
    os.dup2(os.open(port(2), os.O_WRONLY), 2)
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    os.environ["LOA_AGENT_STATE"] = "/var/lib/loa-agent"
    os._exit(edge_agent.cli.main(["run", "--output", "virtual"]))


connect = edge_agent.store._connect


def careless(path: Path) -> sqlite3.Connection:
    """Open the store as one that does not wait for the disk: what the tests must see through."""
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def stop_at(line: Line, name: str | None, count: int) -> Callable[[str], None]:
    """Make what says which points were reached, and at one of them waits for the power to go."""
    seen = 0

    def act(reached: str) -> None:
        nonlocal seen
        seen += reached == name
        if reached == name and seen == count:
            line.tell(b"p", point=reached)
            time.sleep(60)

    return act


def port(number: int) -> Path:
    """Find a line to the outside."""
    (found,) = Path("/dev").glob(f"vport*p{number}")
    return found


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=check)


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:
        sys.stderr.write(f"guest: {error!r}\n")
        raise
