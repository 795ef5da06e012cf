"""The real device without a device: recipe, package, units and agent as they would be on a pole.

The tests share one node and run in this order: a card is written, started for the first time, tried, and cut from its
supply. Some minutes; `make box`. What only a real device can show is in docs/hardware-checklist.md.
"""

import json
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audio import tune
from controller.demo.commune import Commune
from tests.box.adoption import AGENT, CODE, adopt, start, until_online, until_ready
from tests.box.card import Card
from tests.box.machine import HOST, Machine, last_words, missing
from tests.e2e.waiting import until

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]

WATCHDOG_S, ABORT_S, START_S = 30, 5, 15
"""Of loa-agent.service; and a node's start on a busy machine."""

WITHOUT_THE_UNIT = {
    *("write its program", "write the data partition", "read the boot file", "read the passwords", "listen"),
    *("raw network", "netlink", "see other processes", "become root", "mount", "a namespace of its own"),
}
"""What the probe can do as the node's root, so that we know it tries in earnest."""


async def test_the_image_holds_nothing_that_belongs_to_one_node_or_to_the_centre(card: Card) -> None:
    """A card that is read out tells of its own node at most, a new one of nobody."""
    tree = card.root
    packages = tree / "usr/lib/loa-agent/lib/python3.11/site-packages"
    assert (packages / "edge_agent").is_dir()
    assert [name for name in ("controller", "web", "fastapi", "sqlalchemy") if (packages / name).exists()] == []
    ours = [tree / "etc", tree / "var", tree / "opt", packages / "edge_agent", packages / "audio", card.boot]
    files = [path for top in ours for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    secret = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{20}")
    assert [path for path in files if secret.search(path.read_bytes())] == []
    assert (tree / "etc/machine-id").read_bytes() == b""
    shadow = [line.split(":") for line in (tree / "etc/shadow").read_text().splitlines()]
    assert [name for name, password, *_ in shadow if password[:1] not in {"*", "!"}] == []


async def test_the_boot_partition_says_read_only_watchdog_and_clock(card: Card) -> None:
    (line,) = (card.boot / "cmdline.txt").read_text().splitlines()
    assert {"root=PARTUUID=4a2f1b3c-02", "ro", "panic=10", "fsck.repair=yes"} <= set(line.split())
    assert not re.search(r"\b(init=|quiet|splash|rw\b)", line)
    config = (card.boot / "config.txt").read_text()
    assert config.startswith("dtparam=audio=on\ncamera_auto_detect=1\n")
    assert {"dtparam=watchdog=on", "dtoverlay=i2c-rtc,ds3231"} <= set(config.splitlines())


async def test_a_card_without_a_centre_waits_and_fails_nothing(node: Machine) -> None:
    await node.switch_on()
    assert node.state() == "running", node.ask("systemctl", "--failed", "--no-legend", "--plain")
    given = node.unit("loa-agent.service", "ActiveState", "ConditionResult", "NRestarts")
    assert given == {"ActiveState": "inactive", "ConditionResult": "no", "NRestarts": "0"}
    assert node.unit("loa-agent-enrol.service", "ConditionResult") == {"ConditionResult": "no"}
    # What judges sound runs as a program of its own, out of the same package.
    node.ask("/usr/lib/loa-agent/bin/python3", "-c", "import edge_agent.ears")
    await node.cut_power()


async def test_the_boot_file_is_all_that_a_card_needs_to_become_a_node(
    node: Machine, card: Card, centre: Commune
) -> None:
    await start(card, node, centre)
    await adopt(node, centre)
    await until_online(centre)
    assert f"Claim code: {CODE}" in node.journal("--unit=loa-agent-enrol")
    assert "Claim code: " in last_words(node.log)
    assert node.state() == "running"


async def test_the_node_plays_what_the_commune_says(node: Machine, centre: Commune, tmp_path: Path) -> None:
    (tmp_path / "tune.wav").write_bytes(tune.signature())
    recording = await centre.upload(tmp_path / "tune.wav", "Nhạc hiệu")
    broadcast = await centre.broadcast("Thử loa", recording)
    (play,) = await centre.until_over(broadcast["id"], timeout_s=60)
    assert (play["outcome"], play["grade"], play["simulated"]) == ("played", 1, True)


async def test_the_root_takes_no_write_and_what_lasts_lies_on_the_data_partition(node: Machine, card: Card) -> None:
    mounts = {row[1]: row[3].split(",") for row in map(str.split, node.ask("cat", "/proc/mounts").splitlines())}
    assert "ro" in mounts["/"]
    for path in ("/data", "/var/lib/loa-agent", "/var/log/journal", "/opt/loa", "/var/lib/chrony", "/var/lib/systemd"):
        assert {"rw", "nosuid", "nodev"} <= set(mounts[path]), path
    assert "noexec" in mounts["/var/lib/loa-agent"]
    for path in ("/etc/x", "/usr/x", "/var/lib/x", "/home/x"):
        assert "Read-only" in node.ask("sh", "-c", f"touch {path} 2>&1", check=False), path
    assert (card.data / "loa-agent" / "node.key").stat().st_mode & 0o777 == 0o600
    assert list((card.data / "journal").glob("*/system.journal"))


async def test_nothing_is_written_beside_the_data_partition_and_nothing_that_must_last_lies_in_memory(
    node: Machine, card: Card
) -> None:
    """After a play and an adoption: what takes writes is that partition or is gone at the next start by intent."""
    rows = [line.split() for line in node.ask("cat", "/proc/mounts").splitlines()]
    taking = {row[1] for row in rows if row[2] == "ext4" and "rw" in row[3].split(",")}
    taking -= {path for path in taking if path.startswith("/run/host/")}  # this machine's, by nspawn
    bound = {row.split()[1] for row in (node.root / "etc/fstab").read_text().splitlines() if row.startswith("/data/")}
    assert taking == {"/data", *bound}
    in_memory = ("/tmp", "/var/tmp", "/run", "/dev/shm")
    assert node.ask("find", *in_memory, "-xdev", "-type", "f", "-user", "loa-agent") == ""
    journal = [line for line in node.ask("find", "/run/log", "-name", "*.journal", check=False).splitlines() if line]
    assert journal == [], "the log is in memory"
    kept = {path.name for path in (card.data / "loa-agent").iterdir()}
    assert {"agent.db", "node.key", "node.crt", "node.json", "media"} <= kept


async def test_nothing_on_the_node_listens(node: Machine) -> None:
    assert node.ask("ss", "-H", "--listening", "--tcp", "--udp", "--numeric", "--processes") == ""


async def test_the_agents_rights_end_at_its_own_state(node: Machine, centre: Commune) -> None:
    """A probe with the agent's unit, word for word but its command, does what the agent must and nothing else."""
    unit = (node.root / "usr/lib/systemd/system/loa-agent.service").read_text()
    unit = re.sub(r"ExecStart=.*", "ExecStart=/usr/bin/python3 -I /run/probe/probe.py", unit)
    unit = re.sub(r"(?m)^(Type|Restart|RestartSec|WatchdogSec|NotifyAccess)=.*\n", "", unit)
    unit = unit.replace("[Service]", "[Service]\nType=oneshot")
    unit = unit.replace("probe.py", f"probe.py {HOST} {centre.env['LOA_BROKER_PORT']}")
    text = Path(__file__).with_name("probe.py").read_text()
    node.ask("mkdir", "-p", "/run/probe", "/run/systemd/system")
    for path, content in (("/run/probe/probe.py", text), ("/run/systemd/system/probe.service", unit)):
        node.ask("sh", "-c", 'printf %s "$1" >"$2"', "sh", content, path)
    node.ask("systemctl", "daemon-reload")
    node.ask("systemctl", "start", "probe.service")
    (said,) = [line for line in node.journal("--unit=probe").splitlines() if line.startswith("[")]
    unbound = json.loads(node.ask("unshare", "--mount", "python3", "/run/probe/probe.py", HOST, "9"))
    assert set(unbound) >= WITHOUT_THE_UNIT
    assert json.loads(said) == ["write its state", "reach the centre", "ask for the clock"]


async def test_an_agent_that_hangs_is_started_again(node: Machine, centre: Commune) -> None:
    before = node.serving(AGENT)
    node.signal("STOP", AGENT)
    begun_s = time.monotonic()
    await until(lambda: node.serving(AGENT) not in {0, before}, WATCHDOG_S + ABORT_S + START_S, "another agent")
    assert time.monotonic() - begun_s > WATCHDOG_S / 2  # by its watchdog, and by nothing else
    assert "Watchdog timeout" in node.journal("--unit=loa-agent")
    await until_online(centre)


async def test_an_agent_that_is_killed_comes_back(node: Machine, centre: Commune) -> None:
    for _ in range(2):
        before = await until(lambda: node.serving(AGENT), START_S, "a ready agent")
        node.signal("KILL", AGENT)
        await until(lambda: node.serving(AGENT) not in {0, before}, START_S, "another agent")  # noqa: B023 - used at once
    await until_online(centre)


async def test_after_a_power_cut_the_same_node_is_back_by_itself(node: Machine, card: Card, centre: Commune) -> None:
    before = node.ask("cat", "/etc/machine-id")
    assert (node.root / "etc/machine-id").read_text() == before  # on the card, since its first start
    cut_at = datetime.now(UTC)
    await node.cut_power()
    await node.switch_on()
    await until_ready(node)
    assert node.ask("cat", "/etc/machine-id") == before
    assert node.unit("loa-agent-enrol.service", "ConditionResult") == {"ConditionResult": "no"}

    async def heard_again() -> bool:
        (row,) = await centre.call("GET", "/nodes")
        return row["status"] == "online" and datetime.fromisoformat(row["last_heard_at"]) > cut_at

    await until(heard_again, 60, "the same node, online")
    assert node.state() == "running"
    assert int(node.ask("sh", "-c", "journalctl --list-boots | wc -l")) >= 2
    assert shutil.disk_usage(card.data).used < 64 * 2**20
