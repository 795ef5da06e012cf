"""What the radios of a node say of themselves, by the kernel's table and by a program in ModemManager's place."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.radio import Modem, Radio, Signal, Wireless, strongest, wifi_percent

HEAD = """Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
"""
"""As Linux prints it."""


def wireless(root: Path, percent: int | None) -> Radio:
    line = "" if percent is None else f" wlan0: 0000   54.  {percent / 2.5 - 90:.0f}.  -256        0      0\n"
    (root / "wireless").write_text(HEAD + line, encoding="ascii")
    return Wireless(root / "wireless")


def modem(root: Path, percent: int | None) -> Radio:
    said = {"modem": {"generic": {"signal-quality": {"recent": "yes", "value": str(percent)}, "state": "connected"}}}
    answer = "sys.exit(1)" if percent is None else f"print({json.dumps(said)!r})"
    program = root / "mmcli"
    program.write_text(f"#!{sys.executable}\nimport sys\n{answer}\n", encoding="utf-8")
    program.chmod(0o755)
    return Modem(str(program))


@pytest.mark.parametrize(("make", "kind"), [(wireless, "wifi"), (modem, "mobile")])
def test_a_radio_says_how_strongly_it_receives_or_nothing(
    tmp_path: Path, make: Callable[[Path, int | None], Radio], kind: str
) -> None:
    for percent in (0, 20, 100):
        assert make(tmp_path, percent).signal() == (kind, percent)
    assert make(tmp_path, None).signal() is None


def test_a_manager_that_exaggerates_is_taken_to_the_end_of_the_scale(tmp_path: Path) -> None:
    assert modem(tmp_path, 250).signal() == ("mobile", 100)
    assert modem(tmp_path, -1).signal() == ("mobile", 0)


def test_what_is_not_there_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "mmcli").write_text("no program")
    radios: list[Radio] = [Wireless(tmp_path / "gone"), Modem(str(tmp_path / "gone")), Modem(str(tmp_path / "mmcli"))]
    assert [radio.signal() for radio in radios] == [None, None, None]


@pytest.mark.parametrize(
    "said", ["", "no json", "[]", '{"modem": {}}', '{"modem": {"generic": {"signal-quality": {"value": "--"}}}}']
)
def test_a_manager_that_says_something_else_is_not_believed(tmp_path: Path, said: str) -> None:
    program = tmp_path / "mmcli"
    program.write_text(f"#!{sys.executable}\nprint({said!r})\n", encoding="utf-8")
    program.chmod(0o755)
    assert Modem(str(program)).signal() is None


@pytest.mark.parametrize("table", ["", HEAD, f"{HEAD} wlan0: 0000 54.", f"{HEAD} wlan0: 0000   54.  194.  161.  0\n"])
def test_a_table_that_tells_no_level_in_dbm_says_nothing(tmp_path: Path, table: str) -> None:
    (tmp_path / "wireless").write_text(table, encoding="ascii")
    assert Wireless(tmp_path / "wireless").signal() is None


def test_the_strongest_radio_counts() -> None:
    class One:
        def __init__(self, signal: Signal | None) -> None:
            self._signal = signal

        def signal(self) -> Signal | None:
            return self._signal

    assert strongest([One(None), One(Signal("wifi", 10)), One(Signal("mobile", 60))]) == ("mobile", 60)
    assert strongest([One(None)]) is None
    assert [wifi_percent(dbm) for dbm in (-100, -90, -82, -50, -20)] == [0, 0, 20, 100, 100]
