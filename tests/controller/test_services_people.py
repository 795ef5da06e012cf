"""Signing in."""

import unicodedata

import pytest
from sqlalchemy import update

from controller.errors import ConflictError, InvalidError, NotSignedInError, TooManyAttemptsError
from controller.people import service as people
from controller.people.actor import Actor
from controller.people.models import Person
from tests.controller.factories import ADDRESS, PASSWORD, Centre, quick_passwords

SYSTEM = Actor(None, "tests")


async def sign_in(here: Centre, login: str = "lan", password: str = PASSWORD) -> str:
    return (await here.services.people.sign_in(login=login, password=password, origin=ADDRESS)).token


async def test_a_wrong_password_and_an_unknown_login_are_told_alike(here: Centre) -> None:
    said = []
    for login, password in (("lan", "wrong password"), ("nobody", PASSWORD)):
        with pytest.raises(NotSignedInError) as refused:
            await sign_in(here, login, password)
        said.append((refused.value.message, refused.value.fields))
    assert said[0] == said[1]


@pytest.mark.parametrize("login", ["lan", "nobody"])
async def test_ten_failures_lock_a_login_for_a_quarter_of_an_hour(here: Centre, login: str) -> None:
    for _ in range(10):
        with pytest.raises(NotSignedInError):
            await sign_in(here, login, "wrong password")
    with pytest.raises(TooManyAttemptsError) as locked:
        await sign_in(here, login, "wrong password")
    assert 0 < locked.value.fields["retry_after_s"] <= 15 * 60


async def test_the_right_password_opens_only_after_the_lock(here: Centre) -> None:
    for _ in range(10):
        with pytest.raises(NotSignedInError):
            await sign_in(here, password="wrong password")
    with pytest.raises(TooManyAttemptsError):
        await sign_in(here)
    here.clock.step(minutes=15)
    assert await sign_in(here)


async def test_a_stranger_cannot_lock_the_only_administrator_out(here: Centre) -> None:
    """The limit belongs to a login and the place from where it is tried, the 64 bits of one line counting as one."""
    for number in range(10):
        with pytest.raises(NotSignedInError):
            await here.services.people.sign_in(login="lan", password="wrong password", origin=f"2001:db8::{number}")
    with pytest.raises(TooManyAttemptsError):
        await here.services.people.sign_in(login="lan", password=PASSWORD, origin="2001:db8::ffff")
    assert await sign_in(here)


@pytest.mark.parametrize("login", ["lan", "nobody"])
async def test_many_strangers_together_lock_a_login(here: Centre, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MAX_FAILURES_ANYWHERE", 20)
    opened = people.People(here.database, here.clock, session_hours=12, passwords=quick_passwords())
    for number in range(20):
        with pytest.raises(NotSignedInError):
            await opened.sign_in(login=login, password="wrong password", origin=f"192.0.2.{number}")
    with pytest.raises(TooManyAttemptsError):
        await opened.sign_in(login=login, password=PASSWORD, origin=ADDRESS)


async def test_who_knows_the_password_may_sign_in_as_often_as_needed(here: Centre) -> None:
    for _ in range(11):
        with pytest.raises(NotSignedInError):
            await sign_in(here, password="wrong password")
        assert await sign_in(here)


async def test_failures_of_long_ago_are_forgotten(here: Centre) -> None:
    for _ in range(3):
        for _ in range(9):
            with pytest.raises(NotSignedInError):
                await sign_in(here, password="wrong password")
        here.clock.step(minutes=16)
    assert await sign_in(here)


async def test_a_session_ends_by_itself(here: Centre) -> None:
    token = await sign_in(here)
    assert (await here.services.people.whoami(token)).login == "lan"
    here.clock.step(hours=12)
    with pytest.raises(NotSignedInError):
        await here.services.people.whoami(token)


async def test_signing_out_ends_the_session_and_twice_is_once(here: Centre) -> None:
    token = await sign_in(here)
    await here.services.people.sign_out(token)
    await here.services.people.sign_out(token)
    with pytest.raises(NotSignedInError):
        await here.services.people.whoami(token)


async def test_a_closed_account_has_no_session_and_no_rights(here: Centre) -> None:
    token = await sign_in(here)
    async with here.database.transaction() as tx:
        await tx.session.execute(update(Person).values(disabled_at=here.clock()))
    with pytest.raises(NotSignedInError):
        await here.services.people.whoami(token)
    with pytest.raises(NotSignedInError):
        await here.services.areas.create(here.actor, name="Thôn Đông")
    with pytest.raises(NotSignedInError):
        await sign_in(here)


async def test_a_password_typed_on_another_keyboard_is_the_same_password(here: Centre) -> None:
    """Vietnamese comes composed or decomposed, by keyboard."""
    assert unicodedata.normalize("NFD", PASSWORD) != PASSWORD
    assert await sign_in(here, password=unicodedata.normalize("NFD", PASSWORD))


@pytest.mark.parametrize("login", ["", "ab", "lаn", "lan\nx", "lan\x1b[31m", "a" * 65, "-lan", "lan tran"])
async def test_a_login_has_plain_letters_only(lite: Centre, login: str) -> None:
    """The third one has a Cyrillic а."""
    with pytest.raises(InvalidError) as wrong:
        await lite.services.people.add(SYSTEM, login=login, name="Lan", password=PASSWORD)
    assert wrong.value.fields["field"] == "login"


async def test_a_login_belongs_to_one_person_whatever_its_case(here: Centre) -> None:
    with pytest.raises(ConflictError):
        await here.services.people.add(SYSTEM, login="LAN", name="Lan", password=PASSWORD)
