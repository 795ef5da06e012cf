"""A machine without a machine: a Debian in a folder, booted with nspawn in groups and on a cable of its own.

Needs root. Keeps out: what makes it a node (``card.py``) or a centre (``test_centre.py``).
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from controller.demo.processes import Program
from tests.e2e.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
RELEASE = "bookworm"
SYSTEM = "systemd,systemd-sysv,dbus,udev,python3,iproute2"
HOST, NODE, PREFIX = "198.51.100.1", "198.51.100.2", 30
"""Addresses for documentation (RFC 5737): nobody else has them."""
BOOT_S = 120
INSTALL_S = 300
"""To unpack the agent and to compile it, on a busy machine."""
FIRST_PROCESS = "/usr/lib/systemd/systemd"
_CGROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")


def run(*command: str | Path) -> str:
    """Run a command to its end; gives what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr[-2000:]}{done.stdout[-500:]}"
    return done.stdout


def debian(name: str, packages: str, into: Path) -> None:
    """Unpack a small Debian; made once, with these packages, and kept."""
    kept = DIST / f"box-{name}.tar"
    if not kept.exists():
        DIST.mkdir(exist_ok=True)
        half = kept.with_suffix(".half.tar")
        run("mmdebstrap", "--variant=minbase", f"--include={packages}", "--dpkgopt=force-unsafe-io", RELEASE, half)
        half.rename(kept)
    into.mkdir()
    run("tar", "--extract", "--preserve-permissions", "--directory", into, "--file", kept)


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
    """A Debian, switched on and off. What it says on its console goes to ``log``."""

    def __init__(
        self, root: Path, network: Path, members: Sequence[Path], *, log: Path, binds: Sequence[str] = ()
    ) -> None:
        self.root, self.log, self._binds = root, log, binds
        self._network, self._members = network, members
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
            *("-D", str(self.root), f"--network-namespace-path={self._network}", *self._binds),
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

    def ask(self, *command: str, check: bool = True, timeout_s: float = 60) -> str:
        """Run a command on it, as its root."""
        done = subprocess.run(
            ["nsenter", f"--target={self._leader}", "--all", "--", *command],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def unit(self, name: str, *wanted: str) -> dict[str, str]:
        """Give properties of a unit."""
        said = self.ask("systemctl", "show", name, "--property", ",".join(wanted))
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def serving(self, name: str) -> int:
        """Give the process of a unit as the machine counts; 0 when it is not ready."""
        given = self.unit(name, "MainPID", "ActiveState")
        return int(given["MainPID"]) if given["ActiveState"] == "active" else 0

    def signal(self, name: str, unit: str) -> None:
        """Send the process of a unit a signal."""
        self.ask("systemctl", "kill", f"--signal={name}", "--kill-who=main", unit)

    def install(self, package: str) -> None:
        """Lay a package over the one before; for that its root takes writes, until it is switched off."""
        self.ask("mount", "-o", "remount,rw", "/")
        self.ask("dpkg", "--install", package, timeout_s=INSTALL_S)

    def exposure(self, unit: str) -> float:
        """Say how much systemd counts that a unit may do here, drop-ins and all: from 0 to 10."""
        said = self.ask("systemd-analyze", "security", "--no-pager", unit)
        (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", said)
        return float(level)

    def journal(self, *words: str) -> str:
        """Give what its log says."""
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
