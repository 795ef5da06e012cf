"""``loa.toml``: what a person writes on a card is understood, or refused with the word that is wrong."""

from pathlib import Path

import pytest

from edge_agent.boot_file import BootFile, read_boot_file
from edge_agent.errors import ConfigError

SERVER = 'server = "https://loa.xa.example:8443"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "loa.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_file_says_where_the_centre_is_and_how_it_is_known(tmp_path: Path) -> None:
    text = SERVER + 'ca_sha256 = "AB:12"\nclaim = " abcd 2345"\n[wifi]\nssid = "xã"\n'
    assert read_boot_file(written(tmp_path, text)) == BootFile("https://loa.xa.example:8443", "AB:12", "ABCD-2345")


def test_the_address_is_enough(tmp_path: Path) -> None:
    assert read_boot_file(written(tmp_path, SERVER)) == BootFile("https://loa.xa.example:8443")


@pytest.mark.parametrize(("text", "says"), [
    ("", "server is missing"),
    ("server = https://loa", "cannot be read"),
    ("server = 8443\n", "server is no text"),
    (SERVER + 'ca_sha265 = "ab12"\n', "nobody knows ca_sha265"),
    (SERVER + 'claim = "ABCD-234"\n', "is no claim code"),
    (SERVER + 'claim = "ABCD-0O1I"\n', "is no claim code"),
])  # fmt: skip
def test_a_slip_of_the_pen_is_named_and_nothing_is_guessed(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_boot_file(written(tmp_path, text))


def test_a_card_without_the_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_boot_file(tmp_path / "loa.toml")
