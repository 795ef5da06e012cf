"""The systemd units: they start commands that we have, with no more rights than these need."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
LEAST_RIGHTS = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "CapabilityBoundingSet": "",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
    "Restart": "always",
}


def settings(unit: Path) -> dict[str, str]:
    rows = [line.partition("=") for line in unit.read_text("utf-8").splitlines() if line[:1].isalpha()]
    return {name: value for name, _, value in rows}


def test_the_centre_and_the_node_have_a_unit() -> None:
    assert [unit.name for unit in UNITS] == ["loa-agent.service", "loa.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_the_wheel_installs(unit: Path) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert Path(settings(unit)["ExecStart"].split()[0]).name in scripts


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_as_its_own_user_with_the_least_rights(unit: Path) -> None:
    given = settings(unit)
    assert {name: given.get(name) for name in LEAST_RIGHTS} == LEAST_RIGHTS
    users = (ROOT / "deploy" / "systemd" / "loa.sysusers.conf").read_text("utf-8").splitlines()
    assert ["u", given["User"]] in [line.split()[:2] for line in users]


def test_the_supervisor_listens_to_what_the_agent_says_about_its_life() -> None:
    given = settings(ROOT / "deploy" / "systemd" / "loa-agent.service")
    assert (given["Type"], given["WatchdogSec"]) == ("notify", "30")


def test_the_agent_may_ask_the_kernel_about_its_clock() -> None:
    """`ProtectClock` refuses `adjtimex` as a whole; a node that cannot ask would never trust its clock."""
    given = settings(ROOT / "deploy" / "systemd" / "loa-agent.service")
    assert "ProtectClock" not in given
    assert "adjtimex" in given["SystemCallFilter"].split()
