"""No password comes with Loa: not in what is shipped, not in a new centre, its broker, the demo or a node's card."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from controller.demo.commune import Commune
from controller.errors import NotSignedInError
from controller.people.models import Person
from controller.people.service import People
from controller.wire.broker_config import Listener, configuration
from tests.controller.factories import ADDRESS, Centre, quick_passwords

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("audio", "controller", "deploy", "edge_agent", "web")
GIVEN = re.compile(
    r"""(?ix) \b [a-z_]* (?: passwo?rd | passwd | passphrase | secret | credential ) [a-z_]* ["']? \s* [=:]{1,2} \s*
        ["'] (?P<value> [^"'{}$<>…\s]{3,} ) ["']"""
)
"""Something that is called a secret, and has a value of its own."""
MAKES_ONE = re.compile(r"\b(chpasswd|usermod\s.*-p|useradd\s.*-p|openssl\s+passwd|passwd\s+(?:--delete|-d)\b)")
WORDS = frozenset({"password_due", "password"})
"""Codes and names of fields, which stand there as values."""
KNOWN = (
    ("admin", "admin"),
    ("admin", ""),
    ("loa", "loa"),
    ("root", "root"),
    ("pi", "raspberry"),
    ("admin", "12345678"),
)
"""What is tried first on devices of this kind."""


def shipped() -> Iterator[tuple[str, str]]:
    for path in sorted(path for room in SHIPPED for path in (ROOT / room).rglob("*") if path.is_file()):
        name = str(path.relative_to(ROOT))
        if "/vendor/" in name or "/i18n/" in name or "__pycache__" in name:
            continue
        try:
            yield name, path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # a font, a picture


@pytest.mark.parametrize("text", ['password = "raspberry"', "LOA_PASSWORD='loa123'", '"secret": "abc"', "passwd -d pi"])
def test_what_is_looked_for_would_be_found(text: str) -> None:
    assert GIVEN.search(text) or MAKES_ONE.search(text)


def test_nothing_that_is_shipped_has_a_password_in_it() -> None:
    texts = dict(shipped())
    assert {"deploy/image/node", "deploy/debian/postinst", "controller/config.py"} <= texts.keys()
    found = [
        f"{name}: {match[0]}"
        for name, text in texts.items()
        for match in (*GIVEN.finditer(text), *MAKES_ONE.finditer(text))
        if match.groupdict().get("value") not in WORDS
    ]
    assert found == []


def test_no_user_of_ours_can_sign_in_to_a_machine() -> None:
    """Users without a shell and a password; on a node's card all that there are get locked."""
    lines = (ROOT / "deploy/systemd/loa.sysusers.conf").read_text("utf-8").splitlines()
    users = [line for line in lines if line.startswith("u ")]
    assert len(users) >= 3
    for line in users:
        assert re.fullmatch(r'u \S+\s+-\s+"[^"]*"\s+\S+', line), f"{line}: no shell, so nobody gets one"
    card = (ROOT / "deploy/image/node").read_text("utf-8")
    assert "passwd --quiet --lock" in card


def test_the_broker_lets_nobody_in_by_a_password_or_without_a_name(tmp_path: Path) -> None:
    lines = configuration(Listener("127.0.0.1", 8883, tmp_path)).splitlines()
    assert "allow_anonymous false" in lines
    assert "require_certificate true" in lines
    assert not [line for line in lines if line.startswith("password_file")]


def test_two_demos_have_two_passwords(tmp_path: Path) -> None:
    assert Commune(tmp_path).password != Commune(tmp_path).password


async def test_a_new_centre_knows_nobody_but_whom_somebody_added(lite: Centre) -> None:
    people = People(lite.database, lite.clock, session_hours=1, passwords=quick_passwords())
    async with lite.database.reading() as session:
        assert list(await session.scalars(select(Person.login))) == ["lan"], "added by the set-up of this test"
    for login, password in KNOWN:
        with pytest.raises(NotSignedInError):
            await people.sign_in(login=login, password=password, origin=ADDRESS)
