"""The systemd units: they start commands that we have, with no more rights than these need."""

import argparse
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from controller.commands.signer import add_arguments

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
AGENT = ROOT / "deploy" / "systemd" / "loa-agent.service"
UPDATE = AGENT.with_name("loa-agent-update.service")
LASTING = [unit for unit in UNITS if unit != UPDATE]
"""Units with a state of their own that run until they are stopped; who lays updates down does so and ends."""
LEAST_RIGHTS = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "CapabilityBoundingSet": "",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
}


def rows(unit: Path) -> list[tuple[str, str]]:
    lines = [line.partition("=") for line in unit.read_text("utf-8").splitlines() if line[:1].isalpha()]
    return [(name, value) for name, _, value in lines]


def settings(unit: Path) -> dict[str, str]:
    return dict(rows(unit))


def system_calls(unit: Path) -> set[str]:
    """Give what the unit's filter lets through, by name or group, as systemd reads its lines: one after the other."""
    allowed: set[str] = set()
    for line in [value for name, value in rows(unit) if name == "SystemCallFilter"]:
        names = set(line.removeprefix("~").split())
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def test_the_centre_and_the_node_have_their_units() -> None:
    assert [unit.name for unit in UNITS] == [
        "loa-agent-enrol.service",
        "loa-agent-update.service",
        "loa-agent.service",
        "loa-signer.service",
        "loa.service",
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_the_wheel_installs(unit: Path) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert Path(settings(unit)["ExecStart"].split()[0]).name in scripts


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_as_its_own_user_with_the_least_rights(unit: Path) -> None:
    given = settings(unit)
    wanted = {name: value for name, value in LEAST_RIGHTS.items() if name[:5] != "State" or unit in LASTING}
    assert {name: given.get(name) for name in wanted} == wanted
    users = (ROOT / "deploy" / "systemd" / "loa.sysusers.conf").read_text("utf-8").splitlines()
    assert ["u", given["User"]] in [line.split()[:2] for line in users]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_itself_counts_little_that_a_unit_may_do(unit: Path) -> None:
    """Its exposure level, from 0 to 10; what is safe stands up to 2.0."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    command = [analyze, "security", "--no-pager", "--offline=true", "--threshold=20", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    level = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert level, done.stderr
    assert float(level[1]) <= 2.0
    assert done.returncode == 0


@pytest.mark.parametrize("unit", LASTING, ids=lambda unit: unit.name)
def test_a_unit_is_started_again_for_as_long_as_it_takes(unit: Path) -> None:
    given = settings(unit)
    assert given["Restart"] == ("on-failure" if unit.stem == "loa-agent-enrol" else "always")
    assert given["StartLimitIntervalSec"] == "0"
    assert given["MemoryMax"]


def test_the_signer_stands_apart_from_the_centre_and_from_every_network() -> None:
    signer, centre = settings(AGENT.with_name("loa-signer.service")), settings(AGENT.with_name("loa.service"))
    assert signer["User"] != centre["User"]
    assert (signer["PrivateNetwork"], signer["RestrictAddressFamilies"]) == ("yes", "AF_UNIX")
    words = signer["ExecStart"].split()
    assert words[words.index("--user") + 1] == centre["User"], "nobody else may ask"
    assert words[words.index("--folder") + 1] == f"/var/lib/{signer['StateDirectory']}"
    assert words[words.index("--socket") + 1] == f"/run/{signer['RuntimeDirectory']}/socket"
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(words[2:]).act == "serve"


@pytest.mark.fault("F27")
def test_who_writes_the_agents_programs_is_not_who_runs_them() -> None:
    agent, update = settings(AGENT), settings(UPDATE)
    assert agent["User"] != update["User"]
    assert [value for name, value in rows(AGENT) if name == "ReadWritePaths"] == []
    assert update["ReadWritePaths"] == "/opt/loa"
    assert (update["PrivateNetwork"], update["RestrictAddressFamilies"]) == ("yes", "none")
    made = (ROOT / "deploy/debian/loa-agent.tmpfiles.conf").read_text("utf-8").splitlines()
    assert ["d", "/opt/loa", "0755", update["User"], update["User"], "-"] in [line.split() for line in made]
    # What it reads of the agent is the folder that the agent asks in, and it cannot write there.
    asked, inside = update["BindReadOnlyPaths"].split(":")
    (watched,) = [value for name, value in rows(UPDATE.with_suffix(".path")) if name == "PathChanged"]
    assert str(Path(watched).parent) == asked == f"/var/lib/{agent['StateDirectory']}/update"
    assert update["ExecStart"].split()[1:] == ["update", inside, "/opt/loa"]
    assert "--slots /opt/loa" in agent["ExecStart"]


@pytest.mark.parametrize(
    "unit", [AGENT, AGENT.with_name("loa-agent-enrol.service"), UPDATE], ids=lambda unit: unit.name
)
def test_the_kernel_lets_nothing_on_a_node_listen(unit: Path) -> None:
    (denied,) = [value for name, value in rows(unit) if name == "SystemCallFilter" and value.startswith("~")]
    assert {"listen", "accept", "accept4", "@privileged"} <= set(denied.removeprefix("~").split())
    assert not {"listen", "accept", "accept4"} & system_calls(unit)


@pytest.mark.parametrize(("name", "seconds"), [("loa-agent.service", "30"), ("loa.service", "60")])
def test_the_supervisor_listens_to_what_a_program_says_about_its_life(name: str, seconds: str) -> None:
    given = settings(AGENT.with_name(name))
    assert (given["Type"], given["NotifyAccess"], given["WatchdogSec"]) == ("notify", "main", seconds)


def test_the_agent_may_ask_the_kernel_about_its_clock() -> None:
    """`ProtectClock` refuses `adjtimex` as a whole; a node that cannot ask would never trust its clock."""
    assert "ProtectClock" not in settings(AGENT)
    assert "adjtimex" in system_calls(AGENT)


def test_a_card_that_is_nobodys_waits_instead_of_failing() -> None:
    conditions = [value for name, value in rows(AGENT) if name == "ConditionPathExists"]
    enrolling = [value for name, value in rows(AGENT.with_name("loa-agent-enrol.service")) if name.startswith("Cond")]
    assert conditions == ["/var/lib/loa-agent/node.json"]
    assert enrolling == ["!/var/lib/loa-agent/node.json", "/boot/firmware/loa.toml"]


def test_an_upgraded_package_asks_a_running_agent_to_give_way_and_ends_nothing(tmp_path: Path) -> None:
    """Its script, with stand-ins for what it calls; what sounds is not cut off for a new version."""
    (tmp_path / "bin").mkdir()
    told = tmp_path / "told"
    names = ("systemctl", "deb-systemd-invoke", "deb-systemd-helper", "systemd-sysusers", "systemd-tmpfiles", "chown")
    for name in (*names, "python3", "test-d"):
        path = tmp_path / "bin" / name
        path.write_text(f'#!/bin/sh\necho {name} "$@" >>{told}\n')
        path.chmod(0o755)
    script = (ROOT / "deploy/debian/postinst").read_text().replace("[ -d /run/systemd/system ]", "test-d")
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", script, "postinst", "configure", "1.0"], env=environment, timeout=20, check=True)
    lines = [line.split() for line in told.read_text().splitlines()]
    about = [words[:3] if words[1] == "--system" else words[:2] for words in lines if AGENT.name in words]
    assert about[-2:] == [["systemctl", "--system", "try-reload-or-restart"], ["deb-systemd-invoke", "start"]]
    assert not {"stop", "restart"} & {word for words in about for word in words}
    assert settings(AGENT)["ExecReload"] == "/bin/sh -c 'kill -USR1 $MAINPID'"
