"""A node without a device: an image with a Debian in it, made a node's by the recipe, booted with nspawn.

Its partitions are mounted as the node's fstab says; the one for the firmware is ext4, for want of FAT in every kernel.
The node is joined to this machine by one cable (veth). Needs root.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from controller.demo.processes import Program
from tests.e2e.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
BASE = DIST / "box-base.tar"
RELEASE = "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,udev,python3,libportaudio2,chrony,iproute2"
HOST, NODE, PREFIX = "198.51.100.1", "198.51.100.2", 30
"""Addresses for documentation (RFC 5737): nobody else has them."""
BOOT_S = 120
DATA_MB = 128
DATA_OPTIONS = "noatime,nosuid,nodev,data=ordered,commit=30,errors=remount-ro"
STOCK_FSTAB = """\
proc            /proc           proc    defaults          0       0
PARTUUID=4a2f1b3c-01  /boot/firmware  vfat    defaults          0       2
/dev/root             /               ext4    defaults,noatime  0       1
"""
STOCK_CMDLINE = (
    "console=serial0,115200 console=tty1 root=PARTUUID=4a2f1b3c-02 rootfstype=ext4 fsck.repair=yes rootwait quiet"
    " init=/usr/lib/raspberrypi-sys-mods/firstboot splash plymouth.ignore-serial-consoles\n"
)
STOCK_CONFIG = "dtparam=audio=on\ncamera_auto_detect=1\ndtoverlay=vc4-kms-v3d\n\n[all]\n"
FIRST_PROCESS = "/usr/lib/systemd/systemd"
_CGROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")


def run(*command: str | Path) -> str:
    """Run a command to its end; gives what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr[-2000:]}{done.stdout[-500:]}"
    return done.stdout


def prepare(folder: Path) -> "Card":
    """Build the package, make the image of a stock system, and a node's of it."""
    package = run(ROOT / "deploy" / "debian" / "build").strip()
    card = Card(folder, folder / "node.img")
    _stock(card)
    options = ("--rtc", "ds3231", "--sound", "virtual")
    run("env", f"LOA_DATA_MB={DATA_MB}", ROOT / "deploy" / "image" / "card", *options, card.image, package)
    return card


def _stock(card: "Card") -> None:
    """Make an image as one comes from the makers of a system: a boot partition and a root, here Debian's."""
    if not BASE.exists():
        half = BASE.with_suffix(".half.tar")
        run("mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", "--dpkgopt=force-unsafe-io", RELEASE, half)
        half.rename(BASE)
    root, boot = card.folder / "stock", card.folder / "stock-boot"
    root.mkdir()
    boot.mkdir()
    run("tar", "--extract", "--preserve-permissions", "--directory", root, "--file", BASE)
    (root / "boot" / "firmware").mkdir(exist_ok=True)
    (root / "etc" / "fstab").write_text(STOCK_FSTAB)
    (boot / "cmdline.txt").write_text(STOCK_CMDLINE)
    (boot / "config.txt").write_text(STOCK_CONFIG)
    used = run("du", "--summarize", "--block-size=M", root).split("M", maxsplit=1)[0]
    sizes = {boot: 64, root: int(used) * 5 // 4 + 192}
    run("truncate", f"--size={sum(sizes.values()) + 2}M", card.image)
    lines = "".join(f",{size}M\n" for size in sizes.values())
    subprocess.run(["sfdisk", "--quiet", card.image], input=f"label: dos\n{lines}", text=True, check=True)
    for tree, (start, _) in zip(sizes, card.partitions(), strict=True):
        run("mke2fs", "-q", "-t", "ext4", "-d", tree, "-E", f"offset={start}", card.image, f"{sizes[tree]}M")
        shutil.rmtree(tree)


class Card:
    """The node's card: its three partitions, mounted as the node mounts them."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder, self.image = folder, image
        self.boot, self.root, self.data = folder / "boot", folder / "root", folder / "data"

    def partitions(self) -> list[tuple[int, int]]:
        """Give place and size of each, in bytes."""
        table = json.loads(run("sfdisk", "--json", self.image))["partitiontable"]["partitions"]
        return [(row["start"] * 512, row["size"] * 512) for row in table]

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount them for the length of the block; the boot partition so that a person could write to it."""
        ways = {self.boot: "rw", self.root: "ro,noatime", self.data: f"rw,{DATA_OPTIONS}"}
        with ExitStack() as stack:
            for (place, options), (start, size) in zip(ways.items(), self.partitions(), strict=True):
                place.mkdir(exist_ok=True)
                # Not by `mount -o loop,ro`: a card takes writes, it is mounted read-only.
                where = (f"--offset={start}", f"--sizelimit={size}")
                device = run("losetup", "--find", "--show", *where, self.image).strip()
                stack.callback(run, "losetup", "--detach", device)
                run("mount", "-t", "ext4", "-o", options, device, place)
                stack.callback(run, "umount", place)
            yield


@contextmanager
def cable(name: str) -> Iterator[Path]:
    """Lay a cable between this machine and a network namespace; gives the namespace."""
    inside = ("ip", "netns", "exec", name)
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "address", "add", f"{HOST}/{PREFIX}", "dev", name)
        run("ip", "link", "set", name, "up")
        run(*inside, "ip", "address", "add", f"{NODE}/{PREFIX}", "dev", "eth0")
        run(*inside, "ip", "link", "set", "eth0", "up")
        run(*inside, "ip", "link", "set", "lo", "up")
        yield Path("/run/netns") / name
    finally:
        subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)
        run("ip", "netns", "delete", name)


@contextmanager
def cgroup(name: str) -> Iterator[list[Path]]:
    """Make groups of our own in the hierarchies that systemd uses; gives their lists of members."""
    made = [Path(top) / name for top in _CGROUPS if Path(top).is_dir()] or [Path("/sys/fs/cgroup") / name]
    for group in made:
        group.mkdir()
    try:
        yield [group / "cgroup.procs" for group in made]
    finally:
        for group in made:
            for folder, _, _ in os.walk(group, topdown=False):
                with suppress(OSError):  # a task is still on its way out; an empty group does no harm
                    Path(folder).rmdir()


class Machine:
    """The node, switched on and off."""

    def __init__(self, card: Card, network: Path, members: Sequence[Path]) -> None:
        self.card, self._network, self._members = card, network, members
        self.log = card.folder / "console.log"
        self._program: Program | None = None
        self._leader = 0

    async def switch_on(self) -> None:
        """Boot, and wait until systemd has started what there is to start."""
        join = "".join(f'echo $$ >"{members}" && ' for members in self._members)
        command = [
            *("systemd-nspawn", "-b", "--register=no", "--keep-unit", "--quiet", "--console=read-only"),
            # A node may ask for the state of its kernel's clock; nobody in there may set the clock of this machine.
            *("--system-call-filter=adjtimex clock_adjtime", "--drop-capability=CAP_SYS_TIME"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--machine=loa-box"),
            *("-D", str(self.card.root), f"--network-namespace-path={self._network}"),
            *(f"--bind={self.card.data}:/data", f"--bind-ro={self.card.boot}:/boot/firmware"),
        ]
        argv = ["sh", "-c", f'{join}exec "$@"', "sh", *command]
        self._program = await Program.start(
            "nspawn", argv, env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}, log=self.log
        )
        self._leader = await until(self._find_leader, 30, "a first process")
        await until(lambda: self.state() in {"running", "degraded"}, BOOT_S, "a system that is up")

    def _find_leader(self) -> int:
        assert self._program is not None
        self._program.check()
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._program.process.pid).children():
                if child.cmdline()[:1] == [FIRST_PROCESS]:  # and not the one of nspawn's that starts it
                    return child.pid
        return 0

    def state(self) -> str:
        """Say what systemd says of the whole system."""
        return self.ask("systemctl", "is-system-running", check=False).strip()

    def ask(self, *command: str, check: bool = True) -> str:
        """Run a command on the node, as its root."""
        done = subprocess.run(
            ["nsenter", f"--target={self._leader}", "--all", "--", *command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def unit(self, name: str, *wanted: str) -> dict[str, str]:
        """Give properties of a unit."""
        said = self.ask("systemctl", "show", name, "--property", ",".join(wanted))
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def agent(self) -> int:
        """Give the agent's process as the node counts; 0 when it is not ready."""
        given = self.unit("loa-agent.service", "MainPID", "ActiveState")
        return int(given["MainPID"]) if given["ActiveState"] == "active" else 0

    def signal(self, name: str) -> None:
        """Send the agent's process a signal."""
        self.ask("systemctl", "kill", f"--signal={name}", "--kill-who=main", "loa-agent.service")

    def journal(self, *words: str) -> str:
        """Give what the node's log says."""
        return self.ask("journalctl", "--no-pager", "--output=cat", *words)

    async def cut_power(self) -> None:
        """Take the supply away: every process dies at once."""
        if self._program is None:
            return

        def dead() -> bool:
            files = [file for members in self._members for file in members.parent.rglob(members.name)]
            left = {int(pid) for file in files for pid in file.read_text().split()}
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not left

        await until(dead, 20, "no process left")
        await self._program.stop(signal.SIGKILL)
        self._program = None


def missing() -> str:
    """Say what this machine lacks for a box; empty when nothing."""
    if os.geteuid() != 0:
        return "it takes root"
    lacking = [name for name in ("systemd-nspawn", "mmdebstrap", "sfdisk", "ip", "nsenter") if not shutil.which(name)]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


def last_words(log: Path) -> str:
    """Give the end of a console without its colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", log.read_text("utf-8", "replace"))[-3000:]
