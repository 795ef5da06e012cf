"""What is sealed is opened with the centre's key only, for its own person only, and no row shows it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from controller.errors import ConflictError
from controller.people import totp
from controller.people.factors import Factors
from controller.people.models import Person
from controller.people.passwords import Passwords
from controller.people.sealing import KEY_BYTES, Seal
from controller.wire.keys import SEAL_FILE, KeyFileError, secret_key
from tests.controller.factories import PASSWORD, Centre
from tests.controller.people.test_factors import SHOW, has_factor, sign_in

KEY = bytes(range(KEY_BYTES))


@given(st.text(max_size=64), st.text(max_size=64))
def test_what_is_sealed_is_opened_as_it_was_and_never_sealed_alike(plain: str, person_id: str) -> None:
    first, second = Seal(KEY).close(plain, person_id), Seal(KEY).close(plain, person_id)
    assert first != second
    assert Seal(KEY).open(first, person_id) == Seal(KEY).open(second, person_id) == plain


@pytest.mark.parametrize(
    ("key", "person_id", "change"),
    [
        (bytes(KEY_BYTES), "lan", lambda sealed: sealed),
        (KEY, "hoa", lambda sealed: sealed),
        (KEY, "lan", lambda sealed: sealed[:-6] + ("AAAA" if sealed[-6:-2] != "AAAA" else "BBBB") + sealed[-2:]),
        (KEY, "lan", lambda sealed: sealed[:10]),
        (KEY, "lan", lambda sealed: sealed.replace("1.", "2.", 1)),
        (KEY, "lan", lambda _: ""),
        (KEY, "lan", lambda _: "JBSWY3DPEHPK3PXP"),
    ],
    ids=["other key", "other person", "changed", "cut short", "other form", "empty", "plain"],
)
def test_what_does_not_fit_is_not_opened(key: bytes, person_id: str, change: object) -> None:
    sealed = Seal(KEY).close("JBSWY3DPEHPK3PXP", "lan")
    assert callable(change)
    with pytest.raises(ConflictError, match="reset"):
        Seal(key).open(change(sealed), person_id)


def test_the_key_is_made_once_and_a_damaged_one_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "keys" / SEAL_FILE
    assert secret_key(path) == secret_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    for content in (b"", b"damaged", b"AAAA"):
        path.write_bytes(content)
        with pytest.raises(KeyFileError, match=SEAL_FILE):
            secret_key(path)
        assert path.read_bytes() == content


async def test_no_row_shows_a_secret(lite: Centre) -> None:
    await lite.somebody("binh", "operator")
    secret, _ = await has_factor(lite, "binh")
    async with lite.database.reading() as session:
        row = (await session.scalars(select(Person).where(Person.login == "binh"))).one()
    assert row.totp_secret is not None
    assert secret not in row.totp_secret
    key = secret_key(lite.services.config.keys / SEAL_FILE)
    assert Seal(key).open(row.totp_secret, row.id) == secret
    files = [path.read_bytes() for path in lite.services.config.state.glob("loa.db*")]
    assert files
    assert not any(secret.encode() in each for each in files)


async def test_without_the_key_a_recovery_code_and_a_reset_still_help(lite: Centre) -> None:
    person = await lite.somebody("binh", "operator")
    secret, codes = await has_factor(lite, "binh")
    services = lite.services
    other = Factors(lite.database, lite.clock, alarms=services.alarms, passwords=Passwords(), seal=Seal(KEY))
    object.__setattr__(services, "factors", other)  # the centre as it starts with another key
    async with lite.client(signed_in=False) as client:
        await sign_in(client, "binh")
        refused = await client.post(SHOW, json={"code": totp.code_at(secret, lite.clock())})
        assert (refused.status_code, refused.json()["error"]["fields"]["problem"]) == (409, "factor_unreadable")
        assert (await client.post(SHOW, json={"code": codes[0]})).status_code == 200
    assert not (await other.reset(lite.actor, person.id)).second_factor
    async with lite.client(signed_in=False) as client:
        assert (await sign_in(client, "binh"))["needs"] is None
        assert PASSWORD not in (await client.get("/api/v1/people/me")).text
