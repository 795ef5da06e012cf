"""What is laid on a node's root: that it hangs together. That it works is shown by ``make box``."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

IMAGE = Path(__file__).resolve().parents[2] / "deploy" / "image"
FILES = IMAGE / "files"
FSTAB = [line.split() for line in (IMAGE / "fstab").read_text("utf-8").splitlines() if not line.startswith("#")]


def wifi(folder: Path, text: str) -> tuple[int, str, str]:
    """Run the node's script on a boot file; gives status, what it wrote, and what it said."""
    (folder / "loa.toml").write_text(text, "utf-8")
    command = [FILES / "usr/lib/loa-node/wifi", folder / "loa.toml", folder / "connections"]
    # The node's python3 is Debian's; any will do.
    done = subprocess.run(["python3", "-I", *command], capture_output=True, text=True, timeout=20, check=False)
    written = folder / "connections" / "loa.nmconnection"
    return done.returncode, written.read_text("utf-8") if written.exists() else "", done.stderr


def test_everything_that_lasts_has_its_folder_and_its_place() -> None:
    made = [
        line.split()[1] for line in (FILES / "usr/lib/tmpfiles.d/loa-data.conf").read_text("utf-8").splitlines()[1:]
    ]
    bound = [row[0] for row in FSTAB if "bind" in row[3].split(",")]
    assert sorted(made) == sorted(bound)
    assert {"/var/lib/loa-agent", "/var/log/journal", "/var/lib/chrony", "/opt/loa"} <= {row[1] for row in FSTAB}


def test_a_node_starts_without_its_data_partition_and_runs_nothing_off_it_but_the_agent() -> None:
    for _, place, kind, options, *_ in FSTAB:
        given = set(options.split(","))
        assert {"nosuid", "nodev"} <= given, place
        assert "nofail" in given or kind == "tmpfs", place
        assert "noexec" in given or place in {"/data", "/opt/loa"}, place
    (data,) = [row for row in FSTAB if row[1] == "/data"]
    assert {"data=ordered", "errors=remount-ro"} <= set(data[3].split(","))


def test_the_log_is_kept_and_bounded() -> None:
    journal = configparser.ConfigParser()
    journal.read(FILES / "etc/systemd/journald.conf.d/50-loa.conf")
    assert journal["Journal"]["Storage"] == "persistent"
    assert int(journal["Journal"]["SystemMaxUse"].removesuffix("M")) <= 64


def test_the_boards_watchdog_is_within_what_the_hardware_counts() -> None:
    manager = configparser.ConfigParser()
    manager.read(FILES / "etc/systemd/system.conf.d/50-loa-watchdog.conf")
    assert 0 < int(manager["Manager"]["RuntimeWatchdogSec"]) < 15


def test_the_clock_opens_no_port_and_steps_only_at_the_start() -> None:
    lines = (FILES / "etc/chrony/chrony.conf").read_text("utf-8").splitlines()
    assert {"port 0", "cmdport 0", "makestep 1 3", "rtcsync", "minsources 2"} <= set(lines)
    (change,) = [line.split() for line in lines if line.startswith("maxchange")]
    week_of_drift_s = 7 * 86_400 * 100e-6
    assert float(change[1]) > week_of_drift_s
    assert change[2:] == ["3", "-1"]


def test_a_network_by_its_name_and_password(tmp_path: Path) -> None:
    status, written, _ = wifi(tmp_path, '[wifi]\nssid = "Xã;1"\npassword = " \\\\pass;word"\n')
    assert status == 0
    assert f"ssid={';'.join(str(byte) for byte in 'Xã;1'.encode())};\n" in written
    assert "psk=\\s\\\\pass;word\n" in written
    assert (tmp_path / "connections" / "loa.nmconnection").stat().st_mode & 0o777 == 0o600


def test_an_open_network_has_no_security_and_no_network_writes_nothing(tmp_path: Path) -> None:
    assert wifi(tmp_path, 'server = "https://loa"\n') == (0, "", "")
    status, written, _ = wifi(tmp_path, '[wifi]\nssid = "loa"\n')
    assert (status, "wifi-security" in written) == (0, False)


@pytest.mark.parametrize("text", [
    "wifi = 1",
    '[wifi]\nssid = ""',
    '[wifi]\nssid = "a"\npassword = "short"',
    '[wifi]\nssid = "a"\npassword = "ab\\ncdefgh"',
])  # fmt: skip
def test_what_is_no_network_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    status, written, said = wifi(tmp_path, text)
    assert (status, written, said.count("\n")) == (1, "", 1)


def test_one_line_of_the_sound_cards_is_for_each_choice_of_the_recipe() -> None:
    rules = (FILES / "etc/udev/rules.d/85-loa-sound.rules").read_text("utf-8")
    assert re.findall(r"(?m)^#(\w+) SUBSYSTEM", rules) == ["usb", "headphones", "hat"]
    assert not re.search(r"(?m)^[^#\n]", rules)  # none is chosen before the recipe does


@pytest.mark.parametrize("words", [[], ["--rtc", "pi9", "a", "b", "c"], ["--colour", "red", "/", "/", "/etc/fstab"]])
def test_the_recipe_changes_nothing_when_it_is_not_told_clearly(words: list[str]) -> None:
    done = subprocess.run([IMAGE / "node", *words], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
