"""The centre under its unit: all of it works with the rights it is left, and what hangs is started again."""

import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.box.machine import ROOT, SYSTEM, Machine, cable, cgroup, debian, missing, run
from tests.e2e.waiting import until

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

UNIT, SIGNER = "loa.service", "loa-signer.service"
APART = "/var/lib/loa-signer"
START_S, WATCHDOG_S, ABORT_S = 90, 60, 10
ENVIRONMENT = "opt/loa/.venv"
ASK = """
import sys, time, urllib.request
for _ in range(100):
    try:
        print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
        break
    except OSError:
        time.sleep(0.1)
"""


def install(root: Path) -> None:
    """Put the centre where its unit expects it, as `pip install` would: every file by its hash."""
    environment = root / ENVIRONMENT
    packages = environment / "lib/python3.11/site-packages"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin/python3").symlink_to("/usr/bin/python3")
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    uv = (ROOT / ".venv/bin/uv", "pip", "install", "--quiet", "--no-config", "--target", packages)
    python = ("--python-version", "3.11", "--link-mode", "copy", "--require-hashes", "--only-binary", ":all:")
    run(*uv, *python, "-r", ROOT / "requirements/controller.txt")
    for room in ("audio", "edge_agent", "controller", "web"):
        shutil.copytree(ROOT / room, packages / room)
    command = environment / "bin/loa"
    command.write_text(f"#!/{ENVIRONMENT}/bin/python3\nimport sys\nfrom controller.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    for unit in (UNIT, SIGNER):
        shutil.copy(ROOT / "deploy/systemd" / unit, root / "etc/systemd/system")
    shutil.copy(ROOT / "deploy/systemd/loa.sysusers.conf", root / "usr/lib/sysusers.d/loa.conf")
    run("chroot", root, "systemctl", "--quiet", "enable", UNIT)
    run("chroot", root, "systemctl", "--quiet", "mask", "mosquitto.service")
    (root / "etc/machine-id").write_text("")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def machine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    folder, name = tmp_path_factory.mktemp("centre"), f"loactr{os.getpid()}"
    debian("centre", f"{SYSTEM},mosquitto,ffmpeg,espeak-ng", folder / "root")
    install(folder / "root")
    with cable(name) as network, cgroup(name) as members:
        machine = Machine(folder / "root", network, members, log=folder / "console.log")
        try:
            yield machine
        finally:
            await machine.cut_power()
            shutil.rmtree(folder / "root")


async def test_the_centre_is_ready_with_the_rights_of_its_unit(machine: Machine) -> None:
    await machine.switch_on()
    await until(lambda: machine.serving(UNIT), START_S, "a ready centre")
    said = machine.ask("python3", "-c", ASK, "http://127.0.0.1:8080/readyz")
    assert '"ready":true' in said
    # The cage around ffmpeg needs namespaces, the one thing that this unit keeps and others give away.
    assert '"tools_without_network":true' in said
    assert machine.ask("stat", "--format=%U %a", "/var/lib/loa").split() == ["loa", "700"]
    assert machine.state() == "running"


async def test_a_centre_that_hangs_is_started_again(machine: Machine) -> None:
    before = machine.serving(UNIT)
    machine.signal("STOP", UNIT)
    begun_s = time.monotonic()
    await until(lambda: machine.serving(UNIT) not in {0, before}, WATCHDOG_S + ABORT_S + START_S, "another centre")
    assert time.monotonic() - begun_s > WATCHDOG_S / 2
    assert "Watchdog timeout" in machine.journal(f"--unit={UNIT}")


async def test_a_signer_apart_has_the_keys_and_the_centre_cannot_reach_them(machine: Machine) -> None:
    before = machine.serving(UNIT)
    machine.ask("sh", "-c", "echo LOA_SIGNER=/run/loa-signer/socket > /etc/loa/loa.env")
    machine.ask("systemctl", "enable", "--now", SIGNER)
    machine.ask("systemctl", "restart", UNIT)
    await until(lambda: machine.serving(UNIT) not in {0, before}, START_S, "a centre beside its signer")
    assert '"ready":true' in machine.ask("python3", "-c", ASK, "http://127.0.0.1:8080/readyz")
    assert machine.ask("stat", "--format=%U %a", APART).split() == ["loa-signer", "700"]
    assert machine.ask("stat", "--format=%U %a", f"{APART}/ring.json").split() == ["loa-signer", "600"]
    as_centre, as_signer = (("setpriv", f"--reuid={user}", "--clear-groups") for user in ("loa", "loa-signer"))
    assert machine.ask(*as_centre, "cat", f"{APART}/ring.json", check=False) == ""
    loa = ("/opt/loa/.venv/bin/loa", "signer", "--folder", APART)
    assert "otpauth://" in machine.ask(*as_signer, *loa, "enrol", "somebody", "--everywhere")
    assert machine.ask(*as_signer, *loa, "list").split()[0] == "dispatch"
    machine.ask(*as_signer, *loa, "log", "verify")
    asked = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(1) == b'')"
    assert machine.ask("python3", "-c", asked, "/run/loa-signer/socket").strip() == "True", "root is not the centre"
    interfaces = machine.ask("cat", f"/proc/{machine.serving(SIGNER)}/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
