"""What is laid on a node's root: that it hangs together. That it works is shown by ``make box``."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from controller.cli import main
from edge_agent.cli import _parser
from edge_agent.protocol.documents import TrustedKey
from edge_agent.updates.layout import CARD_KEY, read

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


PINS = ["--amplifier", "gpio:gpiochip0:17", "--button", "gpio:gpiochip0:27:low"]


def fitted(root: Path, *what: str) -> tuple[list[str], list[str]]:
    """Tell a root what is fitted to it; gives the options of ``run`` and ``enroll``."""
    for place in ("loa-agent", "udev/rules.d", "systemd/system"):
        (root / "etc" / place).mkdir(parents=True, exist_ok=True)
    settings = root / "etc/loa-agent/agent.env"
    if not settings.exists():
        shutil.copy(IMAGE.parent / "debian/agent.env", settings)
    subprocess.run([IMAGE / "fitted", root, *what], check=True, timeout=20)
    given = dict(line.split("=", 1) for line in settings.read_text("utf-8").splitlines() if line[:1].isalpha())
    return given["LOA_AGENT_OPTIONS"].split(), given["LOA_ENROL_OPTIONS"].split()


@pytest.mark.parametrize(("what", "options"), [
    (("usb", "none", "none", "none", "no"), []),
    (("virtual", "none", "none", "none", "no"), ["--output", "virtual"]),
    (("virtual", "none", "none", "line", "no"), ["--output", "virtual", "--input", "virtual", "--input-kind", "line"]),
    (("usb", PINS[1], PINS[3], "none", "no"), PINS),
    (("hat", PINS[1], "none", "microphone", "no"), [*PINS[:2], "--input", "card", "--input-kind", "microphone"]),
])  # fmt: skip
def test_what_is_fitted_is_told_in_options_that_both_services_take(
    tmp_path: Path, what: tuple[str, ...], options: list[str]
) -> None:
    run, enrol = fitted(tmp_path, *what)
    assert run == options
    for words in (["run", *run], ["enroll", *run, *enrol, "--boot-file", "loa.toml"]):
        _parser().parse_args(words)


def test_pins_are_for_the_two_services_that_sound_and_for_nobody_else(tmp_path: Path) -> None:
    places = ["etc/udev/rules.d/86-loa-pins.rules"]
    places += [f"etc/systemd/system/{unit}.service.d/50-loa-pins.conf" for unit in ("loa-agent", "loa-agent-enrol")]
    fitted(tmp_path, "usb", PINS[1], "none", "none", "no")
    rule, *drop_ins = [(tmp_path / place).read_text("utf-8") for place in places]
    assert 'GROUP="gpio", MODE="0660"' in rule
    assert drop_ins == ["[Service]\nSupplementaryGroups=gpio\n"] * 2
    for unit in ("loa-agent", "loa-agent-enrol"):
        assert "DeviceAllow=char-gpiochip rw" in (IMAGE.parent / f"systemd/{unit}.service").read_text("utf-8")
    fitted(tmp_path, "usb", "none", "none", "none", "no")  # nothing to say: as it was
    assert (tmp_path / places[0]).exists()
    fitted(tmp_path, "usb", "none", "none", "line", "no")
    assert not [place for place in places if (tmp_path / place).exists()]


def test_what_a_person_wrote_by_hand_is_kept_when_there_is_nothing_to_say(tmp_path: Path) -> None:
    fitted(tmp_path, "usb", "none", "none", "none", "no")
    settings = tmp_path / "etc/loa-agent/agent.env"
    settings.write_text("LOA_AGENT_OPTIONS=--device Hat\nLOA_ENROL_OPTIONS=--qr\n", "utf-8")
    assert fitted(tmp_path, "usb", "none", "none", "none", "yes") == (["--device", "Hat"], ["--qr", "--speak"])


@pytest.mark.parametrize("words", [
    ["--amplifier", "gpio:17"],
    ["--button", "file:/etc/passwd"],
    ["--amplifier", "gpio:gpiochip0:17;reboot"],
    ["--amplifier", "gpio:gpiochip0:17", "--button", "gpio:gpiochip0:17:low"],
    ["--input", "ear"],
    ["--speak", "loud"],
])  # fmt: skip
def test_a_wrong_fitting_is_refused_before_anything_is_changed(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "etc").mkdir()
    done = subprocess.run(
        [IMAGE / "node", *words, tmp_path, tmp_path, __file__], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.rglob("*")] == ["etc"]


@pytest.mark.parametrize("words", [[], ["--rtc", "pi9", "a", "b", "c"], ["--colour", "red", "/", "/", "/etc/fstab"]])
def test_the_recipe_changes_nothing_when_it_is_not_told_clearly(words: list[str]) -> None:
    done = subprocess.run([IMAGE / "node", *words], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def trusted(root: Path, file: Path) -> tuple[int, str]:
    (root / "etc").mkdir(exist_ok=True)
    command = [IMAGE / "trusted", root, file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stderr


def test_a_card_is_made_with_the_update_key_that_its_node_believes(tmp_path: Path) -> None:
    assert main(["keys", "make-update-key", str(tmp_path / "update.key")]) == 0
    public = tmp_path / "update.key.pub"
    assert trusted(tmp_path, public) == (0, "")
    laid = tmp_path / CARD_KEY.relative_to("/")
    assert laid.read_bytes() == public.read_bytes()
    assert laid.stat().st_mode & 0o777 == 0o644  # another user than its maker reads it
    assert read(laid, TrustedKey) is not None
    recipe = (IMAGE / "node").read_text("utf-8")
    assert "--update-key) update_key=$2 ;;" in recipe
    assert '"$here/trusted" "$root" "$update_key"' in recipe


@pytest.mark.parametrize(
    ("name", "said"), [("update.key", "private half"), ("letter", "not the public"), ("none", "no")]
)
def test_nothing_but_the_public_half_goes_on_a_card(tmp_path: Path, name: str, said: str) -> None:
    assert main(["keys", "make-update-key", str(tmp_path / "update.key")]) == 0
    (tmp_path / "letter").write_text("hello")
    status, problem = trusted(tmp_path, tmp_path / name)
    assert (status, problem.count("\n"), said in problem) == (2, 1, True), problem
    assert not (tmp_path / "etc/loa-agent").exists()
