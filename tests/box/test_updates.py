"""Five bundles really run: a good one, and four that a node must come back from by itself, or never begin with.

One node, as it would be on a pole, a centre, and an update key that neither of them has. The tests share them and run
in this order. A trial is short here; what counts its starts, kills what hangs and goes back is as shipped.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from controller.demo.commune import Commune
from tests.box import bundles
from tests.box.adoption import AGENT, READY_S, adopt, start, until_ready
from tests.box.card import Card
from tests.box.machine import ROOT, Machine, missing, run
from tests.box.package import newer
from tests.e2e.waiting import until

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.fault("F27"),
]

TRIAL_S = 30
LAY_S = 400
"""Fetched, unpacked, compiled, looked at and put on the disk, behind everything else on a busy machine."""
HANG_S = 3 * (30 + 5 + 30)
"""Three times until the watchdog is sure, the abort, and a start."""
OPTIONS = f"""[Service]
ExecStart=
ExecStart=/usr/bin/loa-agent run --slots /opt/loa --output virtual --trial-s {TRIAL_S}
"""


@pytest.fixture(scope="module")
def libs(card: Card) -> Path:
    return bundles.environment(card.folder / "environment")


class Updates:
    """What a person does: signs a bundle away from the centre, adds it, and sends it."""

    def __init__(self, card: Card, node: Machine, centre: Commune) -> None:
        self.card, self.node, self.centre = card, node, centre
        self.key = card.folder / "update.key"

    def loa(self, *words: str | Path) -> str:
        """Type a command at the machine of the centre."""
        given = [f"{name}={value}" for name, value in self.centre.env.items() if name.startswith("LOA_")]
        return run("env", *given, ROOT / ".venv/bin/loa", *words)

    def sign(self, bundle: Path, release: int) -> Path:
        """Sign it with the key that neither node nor centre has."""
        board = run("dpkg", "--print-architecture").strip()
        words = ("--key", self.key, "--release", str(release), "--board", board)
        self.loa("updates", "sign", bundle, *words)
        return bundle.with_name(f"{bundle.name}.release")

    async def send(self, bundle: Path, release: int) -> str:
        """Add it and let it go to all nodes; gives the rollout."""
        self.loa("updates", "add", bundle, self.sign(bundle, release))
        row = await self.centre.call(
            "POST",
            "/rollouts",
            json={"release": release, "targets": [f"areas/{self.centre.areas['commune']}"], "waves": ["100%"]},
        )
        return str(row["id"])

    async def until(self, rollout: str, state: str, timeout_s: float) -> dict[str, Any]:
        """Wait until the centre knows that the node has come so far."""

        async def there() -> dict[str, Any] | None:
            found: dict[str, Any]
            (found,) = (await self.centre.call("GET", f"/rollouts/{rollout}"))["nodes"]
            assert found["state"] not in {"good", "returned", "refused", "lost", "skipped"} - {state}, found
            return found if found["state"] == state else None

        return dict(await until(there, timeout_s, f"a release that is {state}") or {})

    def current(self) -> str:
        """Say which slot is the good one."""
        return (self.card.data / "opt-loa" / "current").readlink().name

    def runs(self) -> str:
        """Say out of which folder the agent runs."""
        pid = self.node.unit(AGENT, "MainPID")["MainPID"]
        return self.node.ask("sh", "-c", f"tr '\\0' '\\n' </proc/{pid}/cmdline | head -1").strip()

    async def faults(self) -> set[str]:
        """Name what stands against the node at the centre."""
        return {row["code"] for row in await self.centre.call("GET", "/faults") if row["cleared_at"] is None}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def updates(card: Card, node: Machine, centre: Commune) -> Updates:
    """A node that is adopted, after its centre has been told of an update key."""
    made = Updates(card, node, centre)
    made.loa("keys", "make-update-key", made.key)
    made.loa("keys", "trust-update-key", made.key.with_name(f"{made.key.name}.pub"))
    await centre.stop()
    await centre.start_centre()
    await start(card, node, centre)
    drop_in = f"/run/systemd/system/{AGENT}.d"
    node.ask("mkdir", "-p", drop_in)
    node.ask("sh", "-c", 'printf %s "$1" >"$2"', "sh", OPTIONS, f"{drop_in}/trial.conf")
    node.ask("systemctl", "daemon-reload")
    await adopt(node, centre)
    return made


async def test_a_good_release_runs_and_stays(updates: Updates, libs: Path) -> None:
    assert updates.runs().startswith("/usr/lib/loa-agent/")
    rollout = await updates.send(bundles.pack(libs, updates.card.folder / "good.tar.xz"), 2)
    await updates.until(rollout, "trying", LAY_S)
    assert updates.runs().startswith("/opt/loa/b/")
    assert updates.current() == "a"  # until it has shown that it is good
    await updates.until(rollout, "good", TRIAL_S + 60)
    await until(lambda: updates.current() == "b", 60, "a slot that is the good one")
    assert not (updates.card.data / "opt-loa" / "trial").is_symlink()
    assert await updates.faults() == set()


async def test_a_package_that_is_installed_takes_no_release_back(updates: Updates, package: Path) -> None:
    """The agent gives way to what it is itself; the package's own is what there is when no slot is any more."""
    version = newer(package, updates.card.data / "newer.deb")
    before, told = updates.node.serving(AGENT), (updates.card.data / "opt-loa" / "told.json").read_bytes()
    updates.node.install("/data/newer.deb")
    await until(lambda: updates.node.serving(AGENT) not in {0, before}, READY_S, "an agent that gave way")
    assert version in updates.node.ask("/usr/lib/loa-agent/bin/python3", "-I", "-m", "edge_agent", "--version")
    assert updates.runs().startswith("/opt/loa/b/")
    assert updates.current() == "b"
    assert (updates.card.data / "opt-loa" / "told.json").read_bytes() == told
    assert await updates.faults() == set()


@pytest.mark.parametrize(
    ("name", "release", "wait_s", "reason"),
    [("crashing", 3, 60, "crashed"), ("hanging", 4, HANG_S, "crashed"), ("offline", 5, TRIAL_S + 90, "no_link")],
)
async def test_a_bad_release_is_left_by_itself(
    updates: Updates, libs: Path, name: str, release: int, wait_s: float, reason: str
) -> None:
    bundle = bundles.pack(libs, updates.card.folder / f"{name}.tar.xz", broken=getattr(bundles, name))
    rollout = await updates.send(bundle, release)
    found = await updates.until(rollout, "returned", LAY_S + wait_s)
    assert found["reason"] == reason
    assert updates.runs().startswith("/opt/loa/b/")
    assert updates.current() == "b"
    await until(lambda: not (updates.card.data / "opt-loa" / "trial").is_symlink(), 60, "no trial")
    assert "update_returned" in await updates.faults()
    bundle.unlink()


async def test_an_older_release_is_never_begun_not_even_by_the_agent_itself(updates: Updates, libs: Path) -> None:
    """The centre does not send it; here the agent's own user asks for it, past everything that the agent checks."""
    bundle = bundles.pack(libs, updates.card.folder / "older.tar.xz")
    token = updates.sign(bundle, 1).read_text().strip()
    told = updates.card.data / "opt-loa" / "told.json"
    inbox = updates.card.data / "loa-agent" / "update"
    updates.node.ask("systemctl", "stop", AGENT)
    shutil.copy(bundle, inbox / f"{run('sha256sum', bundle).split()[0]}.tar.xz")
    (inbox / "ask.json").write_text(f'{{"wish":"old","release":"{token}","go":"1-9"}}')
    await until(lambda: '"not_newer"' in told.read_text(), 120, "a refusal")
    assert updates.current() == "b"
    assert not (updates.card.data / "opt-loa" / "trial").is_symlink()
    updates.node.ask("systemctl", "start", AGENT)
    await until_ready(updates.node)
    assert updates.runs().startswith("/opt/loa/b/")


async def test_after_a_power_cut_the_good_one_runs(updates: Updates) -> None:
    await updates.node.cut_power()
    await updates.node.switch_on()
    await until_ready(updates.node)
    assert updates.runs().startswith("/opt/loa/b/")
    assert updates.node.state() == "running"
