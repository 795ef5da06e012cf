"""A whole machine in qemu, without hardware help: built once, started to the moment before the agent, and from then on
woken again and again out of its memory of that moment, with a data disk put in after it has woken.

Its processor is emulated, so that this runs wherever qemu does. Keeps out: what a life is for (``campaign.py``).
"""

import asyncio
import contextlib
import json
import os
import platform
import shutil
import signal
import struct
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tests.box import package
from tests.box.machine import debian, run
from tests.power.disk import Disk

HERE = Path(__file__).resolve().parent
SYSTEM = "python3,libportaudio2,linux-image-cloud-amd64,iproute2"
MEMORY_MB = 384
DATA_MB = 192
USER = 900
"""Of the agent in the guest (``guest.py``)."""
BOOT_S, WAKE_S = 600, 180
HOSTS = "10.0.2.2 localhost\n"
"""The centre's certificate is for localhost; in the guest that is what the emulated network calls this machine."""


class Frame(NamedTuple):
    """Something the guest has said."""

    letter: str
    data: bytes
    at: datetime
    """When it was heard here."""


def missing() -> str:
    """Say what this machine lacks; empty when nothing."""
    if os.geteuid() != 0:
        return "it takes root"
    if platform.machine() != "x86_64":
        return "its machine is an amd64, of this machine's own packages"
    names = ("qemu-system-x86_64", "mmdebstrap", "mke2fs", "e2fsck", "dpkg-deb", "mosquitto")
    lacking = [name for name in names if not shutil.which(name)]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


class Image:
    """Kernel and read-only root with the agent's package, and the memory of a machine that has started from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kernel, self.initrd = folder / "vmlinuz", folder / "initrd"
        self.root, self.memory = folder / "root.img", folder / "memory"

    def build(self) -> None:
        """Make kernel and root."""
        tree = self.folder / "tree"
        debian("power", SYSTEM, tree)
        for name, path in (("vmlinuz", self.kernel), ("initrd.img", self.initrd)):
            (found,) = (tree / "boot").glob(f"{name}-*")
            shutil.move(found, path)
        run("dpkg-deb", "--extract", package.build(), tree)
        run("chroot", tree, "python3", "-m", "compileall", "-q", "/usr/lib/loa-agent/lib")
        for name in ("data", "var/lib/loa-agent", "opt/power"):
            (tree / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "guest.py", tree / "opt/power/guest.py")
        shutil.copy(HERE / "start.sh", tree / "sbin/loa-power")
        (tree / "etc/hosts").write_text(HOSTS)
        used = int(run("du", "--summarize", "--block-size=M", tree).split("M", maxsplit=1)[0])
        run("mke2fs", "-q", "-t", "ext4", "-d", tree, self.root, f"{used * 5 // 4 + 64}M")
        shutil.rmtree(tree)

    async def remember(self) -> None:
        """Start a machine, and keep its memory at the moment before the agent."""
        machine = Machine(self, self.folder / "first.log")
        await machine.boot()
        try:
            await machine.until("r", BOOT_S)
            await machine.tell("stop")
            await machine.tell("migrate", uri=f"exec:cat >{self.memory}")
            async with asyncio.timeout(BOOT_S):
                while (await machine.tell("query-migrate")).get("status") != "completed":  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.1)
        finally:
            await machine.cut_power()


def data_disk(state: Path, folder: Path, seed: int) -> Disk:
    """Make a data partition with a node's state on it."""
    tree, image = folder / "data", folder / "data.img"
    shutil.copytree(state, tree / "loa-agent")
    for path in [tree / "loa-agent", *(tree / "loa-agent").rglob("*")]:
        os.chown(path, USER, USER)
    run("mke2fs", "-q", "-t", "ext4", "-L", "loa-data", "-d", tree, image, f"{DATA_MB}M")
    disk = Disk(image.read_bytes(), seed)
    image.unlink()
    shutil.rmtree(tree)
    return disk


class Machine:
    """One life of the machine, from its start to the cut of its power."""

    def __init__(self, image: Image, log: Path) -> None:
        self._image, self._log = image, log
        self._sockets = log.with_suffix(".sockets")
        self._process: asyncio.subprocess.Process | None = None
        self._control: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._line: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self.frames: list[Frame] = []
        """All that the guest has said."""
        self.clock_error_ns = 0
        """Of the clock that the guest starts with."""
        self._news = asyncio.Event()

    # On and off.

    async def boot(self) -> None:
        """Switch on: everything from the kernel on."""
        words = "console=ttyS0 root=/dev/vda ro panic=-1 quiet loglevel=4 net.ifnames=0 init=/sbin/loa-power"
        await self._start(
            "-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd), "-append", words
        )  # fmt: skip

    async def wake(self) -> None:
        """Go on from the moment that the image remembers."""
        words = ("-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd))
        await self._start(*words, "-incoming", f"exec:cat {self._image.memory}")
        async with asyncio.timeout(WAKE_S):
            while (await self.tell("query-status"))["status"] == "inmigrate":  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
            await self.tell("cont")

    def kill(self) -> None:
        """The power is gone, now; to be called from anywhere in the loop."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def cut_power(self) -> None:
        """Kill it, and read what it had said."""
        self.kill()
        if self._process is not None:
            await self._process.wait()
        if self._listener is not None:
            await self._listener
        for writer in (self._line, self._control and self._control[1]):
            if writer is not None:
                writer.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    # From the outside.

    async def plug_in(self, disk: Disk, *, link: bool) -> None:
        """Put the data disk in, and the network cable or not."""
        socket = self._sockets / "disk"
        await disk.serve(socket)
        await self.tell("set_link", name="net0", up=link)
        server = {"type": "unix", "path": str(socket)}
        await self.tell("blockdev-add", **{"driver": "nbd", "node-name": "data", "server": server})
        await self.tell("device_add", driver="virtio-blk-pci", drive="data", id="data", bus="pci.0", addr="0x10")

    def say(self, **words: Any) -> None:
        """Tell the guest what this life is to be, or what time it is."""
        assert self._line is not None
        self._line.write(json.dumps(words).encode() + b"\n")

    async def tell(self, command: str, **arguments: Any) -> Any:
        """Give qemu an order (QMP), and take its answer."""
        assert self._control is not None
        reader, writer = self._control
        writer.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            said = json.loads(await reader.readline() or b'{"error": "qemu has ended"}')
            if "error" in said:
                raise RuntimeError(f"{command}: {said['error']}")
            if "return" in said:
                return said["return"]

    async def until(self, letter: str, within_s: float, *, nth: int = 1) -> None:
        """Wait until the guest has said something of a kind, so many times."""
        async with asyncio.timeout(within_s):
            while sum(one.letter == letter for one in self.frames) < nth:
                assert self.alive, f"the machine has ended: {self.last_words()}"
                self._news.clear()
                await self._news.wait()

    @property
    def alive(self) -> bool:
        """Whether it has power."""
        return self._process is not None and self._process.returncode is None

    def last_words(self) -> str:
        """Give the end of its console."""
        return self._log.read_text("utf-8", "replace")[-3000:]

    # Inside.

    async def _start(self, *more: str) -> None:
        self._sockets.mkdir(parents=True)
        names = {name: str(self._sockets / name) for name in ("control", "line")}
        command = [
            *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-no-user-config"),
            *("-display", "none", "-no-reboot"),
            *("-machine", "pc", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", str(MEMORY_MB)),
            *("-serial", f"file:{self._log}.console"),
            *("-chardev", f"socket,id=control,path={names['control']},server=on,wait=off"),
            *("-mon", "chardev=control,mode=control"),
            *("-blockdev", f"raw,node-name=root,read-only=on,file.driver=file,file.filename={self._image.root}"),
            *("-device", "virtio-blk-pci,drive=root,addr=0x4"),
            *("-netdev", "user,id=net0,restrict=off", "-device", "virtio-net-pci,netdev=net0,addr=0x5,romfile="),
            *("-device", "virtio-serial-pci,id=lines,addr=0x6"),
            *("-chardev", f"socket,id=line,path={names['line']},server=on,wait=off"),
            *("-device", "virtserialport,bus=lines.0,nr=1,chardev=line,name=loa.line"),
            *("-chardev", f"file,id=log,path={self._log}", "-device", "virtserialport,bus=lines.0,nr=2,chardev=log"),
            *("-device", "virtio-rng-pci,addr=0x7"),
            *more,
        ]  # fmt: skip
        with self._log.with_suffix(".qemu").open("wb") as words:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
            )
        reader, self._line = await self._connect(names["line"])
        self._listener = asyncio.create_task(self._listen(reader), name="guest's line")
        self._control = await self._connect(names["control"])
        await self._control[0].readline()
        await self.tell("qmp_capabilities")

    async def _connect(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(WAKE_S):
            while True:
                try:
                    return await asyncio.open_unix_connection(path, limit=2**22)
                except (FileNotFoundError, ConnectionRefusedError):
                    assert self.alive, self._log.with_suffix(".qemu").read_text()
                    await asyncio.sleep(0.02)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                letter, length = struct.unpack("<cI", await reader.readexactly(5))
                data = await reader.readexactly(length)
                self.frames.append(Frame(letter.decode(), data, datetime.now(UTC)))
                self._news.set()
                if letter == b"t":
                    self.say(now_ns=time.time_ns() + self.clock_error_ns)
        assert self._process is not None
        await self._process.wait()
        self._news.set()
