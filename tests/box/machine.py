"""A node without a device: a Debian root made a node by the recipe, on file systems of its own, booted with nspawn.

Root and data partition are ext4 in files behind loop devices, with the options that the node's fstab says; the boot
partition is a folder. The node is joined to this machine by one cable (veth). Needs root.
"""

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
STOCK_FSTAB = """\
proc            /proc           proc    defaults          0       0
PARTUUID=4a2f1b3c-01  /boot/firmware  vfat    defaults          0       2
PARTUUID=4a2f1b3c-02  /               ext4    defaults,noatime  0       1
"""
STOCK_CMDLINE = (
    "console=serial0,115200 console=tty1 root=PARTUUID=4a2f1b3c-02 rootfstype=ext4 fsck.repair=yes rootwait quiet"
    " init=/usr/lib/raspberrypi-sys-mods/firstboot splash plymouth.ignore-serial-consoles\n"
)
STOCK_CONFIG = "dtparam=audio=on\ncamera_auto_detect=1\ndtoverlay=vc4-kms-v3d\n\n[all]\n"
_CGROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")


def run(*command: str | Path) -> str:
    """Run a command to its end; gives what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr[-2000:]}{done.stdout[-500:]}"
    return done.stdout


def prepare(folder: Path) -> Path:
    """Build the package, make a stock system and a node of it; gives the folder of its root."""
    package = Path(run(ROOT / "deploy" / "debian" / "build").strip())
    if not BASE.exists():
        half = BASE.with_suffix(".half.tar")
        run("mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", "--dpkgopt=force-unsafe-io", RELEASE, half)
        half.rename(BASE)
    root, boot = folder / "root.d", folder / "boot"
    root.mkdir()
    boot.mkdir()
    run("tar", "--extract", "--preserve-permissions", "--directory", root, "--file", BASE)
    (root / "etc" / "fstab").write_text(STOCK_FSTAB)
    (boot / "cmdline.txt").write_text(STOCK_CMDLINE)
    (boot / "config.txt").write_text(STOCK_CONFIG)
    run(ROOT / "deploy" / "image" / "node", "--rtc", "ds3231", "--sound", "virtual", root, boot, package)
    return root


class Card:
    """The node's card: its three partitions, mounted as the node mounts them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.boot = folder, folder / "boot"
        self.root, self.data = folder / "root", folder / "data"

    def write(self, tree: Path) -> None:
        """Write the image: the root from a folder, the data partition empty."""
        fstab = tree / "etc" / "fstab"
        # nspawn has no udev to look for a partition.
        fstab.write_text(fstab.read_text().replace("PARTUUID=4a2f1b3c-02", "/dev/root"))
        size_mb = int(run("du", "--summarize", "--block-size=M", tree).split("M")[0]) * 5 // 4 + 64
        run("mke2fs", "-q", "-t", "ext4", "-d", tree, self.folder / "root.ext4", f"{size_mb}M")
        run("mke2fs", "-q", "-t", "ext4", "-L", "loa-data", "-m", "1", self.folder / "data.ext4", "128M")

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount both partitions for the length of the block."""
        options = {"root": "ro,noatime", "data": "rw,noatime,nosuid,nodev,data=ordered,errors=remount-ro"}
        with ExitStack() as stack:
            for name, given in options.items():
                (self.folder / name).mkdir(exist_ok=True)
                # Not by `mount -o loop,ro`: a card takes writes, it is mounted read-only.
                device = run("losetup", "--find", "--show", self.folder / f"{name}.ext4").strip()
                stack.callback(run, "losetup", "--detach", device)
                run("mount", "-t", "ext4", "-o", given, device, self.folder / name)
                stack.callback(run, "umount", self.folder / name)
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
                if child.cmdline()[:1] and "systemd" in child.cmdline()[0]:
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
        with suppress(ProcessLookupError):
            os.kill(self._leader, signal.SIGKILL)
        await self._program.stop(signal.SIGKILL)
        await until(lambda: not psutil.pid_exists(self._leader), 20, "no process left")
        self._program = None


def missing() -> str:
    """Say what this machine lacks for a box; empty when nothing."""
    if os.geteuid() != 0:
        return "it takes root"
    lacking = [name for name in ("systemd-nspawn", "mmdebstrap", "mke2fs", "ip", "nsenter") if not shutil.which(name)]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


def last_words(log: Path) -> str:
    """Give the end of a console without its colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", log.read_text("utf-8", "replace"))[-3000:]
