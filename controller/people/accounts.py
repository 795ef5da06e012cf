"""Accounts: who may sign in, with which roles where. Nobody gives more than he has; one administrator always stays."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.standing import stands
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.names import clean_name, in_reading_order
from controller.paging import Found, Wanted, part_of
from controller.ratelimit import RateLimit
from controller.search import kept, words
from controller.validation import Wrong

from . import rights
from .actor import ME, Actor
from .identity import Identity, must_show
from .models import ApiToken, Grant, Person
from .passwords import Passwords, fitting
from .repository import (
    by_login,
    grants_of,
    keep_an_administrator,
    managed,
    own_or_managed,
    place_of,
    seen,
    shown,
    sign_out_everywhere,
)
from .rights import ALLOWED, Act, Role
from .schemas import Needs, PersonOut

LOCALES = ("vi", "en")
GRACE = timedelta(hours=24)
"""So long the first administrator, whom nobody could help yet, may go without a second factor."""

TRIES = 10
ONE_MORE_EVERY = timedelta(minutes=1)
"""Whoever found an open browser does not find out the password with it."""

_BETWEEN = str.maketrans(".-()/", "     ")
_PHONE = re.compile(r"\+?[0-9](?: ?[0-9]){2,14}\Z")
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,62}[a-z0-9]\Z")


class Accounts:
    """Who may sign in, and as what."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords) -> None:
        self._database, self._clock, self._passwords = database, clock, passwords
        self._tries = RateLimit(burst=TRIES, every=ONE_MORE_EVERY, clock=clock)

    async def list(self, actor: Actor) -> list[PersonOut]:
        """Give everybody who works where the one who asks changes people, by login.

        Raises:
            ForbiddenError: the person looks after nobody's account.
        """
        async with self._database.reading() as session:
            await rights.require(session, actor, Act.PEOPLE_CHANGE)
            reach = await rights.reach(session, actor, Act.PEOPLE_CHANGE)
            grants: dict[str, list[Grant]] = {}
            for grant in await session.scalars(select(Grant).order_by(Grant.granted_at, Grant.id)):
                grants.setdefault(grant.person_id, []).append(grant)
            everybody = (await session.scalars(select(Person).order_by(Person.login))).all()
        return [
            shown(person, grants.get(person.id, ()))
            for person in everybody
            if reach.areas is None or any(reach.sees(grant.area_id) for grant in grants.get(person.id, ()))
        ]

    async def find(self, actor: Actor, wanted: Wanted) -> Found[PersonOut]:
        """Give one part of those of ``list``, sorted by ``name`` or ``login``.

        Filters: ``role``, ``area`` (of a role), ``state`` (``open``, ``closed``, ``without_factor``,
        ``without_phone``). Words are those of name and login.

        Raises:
            ForbiddenError: the person looks after nobody's account.
        """
        looked_for = words(wanted.q)
        found = [
            each
            for each in await self.list(actor)
            if _fits(each, wanted.having) and all(word in kept([each.name, each.login]) for word in looked_for)
        ]
        found.sort(key=lambda each: each.login)
        if wanted.sort != "login":
            found.sort(key=lambda each: in_reading_order(each.name))
        return part_of(found[::-1] if wanted.down else found, wanted)

    async def get(self, actor: Actor, person_id: str) -> PersonOut:
        """Give one person.

        Raises:
            NotFoundError: no such person, or not for this one.
            ForbiddenError: the person looks after nobody's account.
        """
        async with self._database.reading() as session:
            return shown(*await seen(session, actor, person_id))

    async def add(
        self,
        actor: Actor,
        *,
        login: str,
        name: str,
        password: str,
        role: str,
        area_id: str | None,
        phone: str = "",
        locale: str = "vi",
        own_password: bool | None = None,
    ) -> PersonOut:
        """Add somebody who may sign in, with a role in an area; None: everywhere.

        ``own_password``: the person typed it; else it has to be changed at the first sign-in. None: so it is for who
        is added at the machine itself. The very first one there may go without a second factor for ``GRACE``.

        Raises:
            InvalidError: fields are wrong.
            ConflictError: the login is taken.
            ForbiddenError: not this role, or not there.
        """
        number, now, wrong = None, self._clock(), Wrong()
        with wrong.noted():
            name = clean_name(name)
        with wrong.noted():
            login = _clean_login(login)
        with wrong.noted():
            number = clean_phone(phone)
        with wrong.noted():
            password = fitting(password)
        wrong.tell()
        person = Person(
            id=new_id(),
            login=login,
            name=name,
            phone=number,
            password_hash=await self._passwords.make(password),
            locale=known_locale(locale),
            created_at=now,
            failed_attempts=0,
            password_due=not (actor.person_id is None if own_password is None else own_password),
        )
        async with self._database.transaction() as tx:
            await rights.require(tx.session, actor, Act.PEOPLE_ADD, [area_id])
            await _grantable(tx.session, actor, role, area_id)
            if await by_login(tx.session, login):
                raise ConflictError(f"login {login!r} is taken; choose another", field="login", problem="taken")
            first = actor.person_id is None and await tx.session.scalar(select(Person.id).limit(1)) is None
            person.grace_until = now + GRACE if first else None
            tx.session.add(person)
            await tx.session.flush()
            grant = await self._give(tx, actor, person, role, area_id)
            detail = {"login": login, "role": role, "area_id": area_id}
            if person.grace_until is not None:
                detail["second_factor_due_at"] = person.grace_until.isoformat()
            await audit.write(tx, actor, Act.PEOPLE_ADD, f"people/{person.id}", detail, at=now, area_id=area_id)
            tx.tell(Event(Topic.PERSON, person.id))
        return shown(person, [grant])

    async def change(
        self,
        actor: Actor,
        person_id: str,
        *,
        name: str | None = None,
        phone: str | None = None,
        password: str | None = None,
        disabled: bool | None = None,
    ) -> PersonOut:
        """Change an account. A new password ends its sessions and is good for one sign-in, at which it is changed.

        Closing an account revokes its machines' keys besides.

        Raises:
            NotFoundError: no such person, or not for this one.
            ForbiddenError: the person works elsewhere too, or this one changes nobody.
            InvalidError: a field is wrong.
            LastAdministratorError: nobody would be left who may do everything.
        """
        hashed = await self._passwords.make(password) if password is not None else None
        now = self._clock()
        async with self._database.transaction() as tx:
            person, grants = await managed(tx.session, actor, person_id)
            detail: dict[str, object] = {}
            if name is not None:
                person.name = clean_name(name)
                detail["name"] = person.name
            if phone is not None:
                person.phone, detail["phone"] = clean_phone(phone), True  # the number is nobody's who reads the audit
            if hashed is not None:
                person.password_hash, person.password_due = hashed, person.id != actor.person_id
                person.failed_attempts, person.last_failed_at, person.locked_until = 0, None, None
                detail["new_password"] = True
            if disabled is not None and disabled != (person.disabled_at is not None):
                if disabled:
                    await self._close(tx, person)
                person.disabled_at = now if disabled else None
                detail["disabled"] = disabled
            if hashed is not None or disabled:
                await sign_out_everywhere(tx, person.id)
            await self._note(tx, actor, Act.PEOPLE_CHANGE, person, grants=grants, detail=detail)
        return shown(person, grants)

    async def set_phone(self, actor: Actor, phone: str) -> PersonOut:
        """Say at which telephone one is called; empty: at none.

        Raises:
            InvalidError: it is no number.
            ForbiddenError: a machine asks.
            NotFoundError: nobody acts.
        """
        number = clean_phone(phone)
        async with self._database.transaction() as tx:
            person, grants = await own_or_managed(tx.session, actor, ME)
            person.phone = number
            await self._note(tx, actor, "people.set_phone", person, grants=grants, detail={})
            return shown(person, grants)

    async def change_password(self, who: Identity, *, old: str, new: str, origin: str) -> None:
        """Choose a new password of one's own; ends all sessions but the one that asks, and forgets the browsers.

        Raises:
            ForbiddenError: a machine asks.
            SecondFactorError: the password alone is not enough for this person.
            InvalidError: the old one is wrong, or the new one is the same, too short or too long.
            TooManyAttemptsError: the old one was wrong too often.
        """
        person_id = who.in_person().person.id
        if who.needs is not Needs.CHOOSE:
            who.full()
        self._tries.take(person_id)
        async with self._database.reading() as session:
            person = await session.get_one(Person, person_id)
        if not await self._passwords.check(old, person.password_hash):
            raise InvalidError("old: this is not your password", field="old", problem="wrong_password")
        self._tries.forget(person_id)
        if new == old:
            raise InvalidError("new: this is the old one", field="new", problem="same_password")
        hashed = await self._passwords.make(fitting(new, "new"))
        async with self._database.transaction() as tx:
            row = await tx.session.get_one(Person, person_id)
            row.password_hash, row.password_due = hashed, False
            await sign_out_everywhere(tx, row.id, but=who.session_id)
            grants = await grants_of(tx.session, row.id)
            actor = Actor(row.id, origin)
            await self._note(tx, actor, "people.change_password", row, grants=grants, detail={})

    async def grant(self, actor: Actor, person_id: str, *, role: str, area_id: str | None) -> PersonOut:
        """Give somebody a role in an area and all below it. Whoever now needs a second factor signs in again.

        Raises:
            NotFoundError: no such person, or not for this one.
            ForbiddenError: this one may not give this role there.
            InvalidError: no such role or area.
            ConflictError: he has it.
        """
        async with self._database.transaction() as tx:
            person, grants = await seen(tx.session, actor, person_id)
            await rights.require(tx.session, actor, Act.PEOPLE_CHANGE, [area_id])
            await _grantable(tx.session, actor, role, area_id)
            if any((each.role, each.area_id) == (role, area_id) for each in grants):
                raise ConflictError("this person has this role there", field="role", problem="taken")
            given = await self._give(tx, actor, person, role, area_id)
            if must_show([given]) and not must_show(grants):
                await sign_out_everywhere(tx, person.id)
            detail = {"granted": {"role": role, "area_id": area_id}}
            await self._note(tx, actor, Act.PEOPLE_CHANGE, person, grants=[given], detail=detail)
            return shown(person, [*grants, given])

    async def revoke(self, actor: Actor, person_id: str, grant_id: str) -> PersonOut:
        """Take a role from somebody.

        Raises:
            NotFoundError: no such person or grant, or not for this one.
            ForbiddenError: this one changes nobody there.
            LastAdministratorError: nobody would be left who may do everything.
        """
        async with self._database.transaction() as tx:
            person, grants = await seen(tx.session, actor, person_id)
            taken = next((each for each in grants if each.id == grant_id), None)
            if taken is None:
                raise NotFoundError("there is no such grant", resource="grants", id=grant_id[:64])
            await rights.require(tx.session, actor, Act.PEOPLE_CHANGE, [taken.area_id])
            if (taken.role, taken.area_id) == (Role.ADMINISTRATOR, None):
                await keep_an_administrator(tx.session, without_grant=taken.id)
            await tx.session.delete(taken)
            detail = {"revoked": {"role": taken.role, "area_id": taken.area_id}}
            await self._note(tx, actor, Act.PEOPLE_CHANGE, person, grants=[taken], detail=detail)
            return shown(person, [each for each in grants if each is not taken])

    async def _give(self, tx: Transaction, actor: Actor, person: Person, role: str, area_id: str | None) -> Grant:
        grant = Grant(
            id=new_id(),
            person_id=person.id,
            role=role,
            area_id=area_id,
            granted_by=actor.person_id,
            granted_at=self._clock(),
        )
        tx.session.add(grant)
        await tx.session.flush()
        return grant

    async def _close(self, tx: Transaction, person: Person) -> None:
        grants = await grants_of(tx.session, person.id)
        if any((each.role, each.area_id) == (Role.ADMINISTRATOR, None) for each in grants):
            await keep_an_administrator(tx.session, without_person=person.id)
        keys = update(ApiToken).where(ApiToken.person_id == person.id, ApiToken.revoked_at.is_(None))
        await tx.session.execute(keys.values(revoked_at=self._clock()))

    async def _note(
        self,
        tx: Transaction,
        actor: Actor,
        action: str,
        person: Person,
        *,
        grants: Sequence[Grant],
        detail: Mapping[str, object],
    ) -> None:
        subject = f"people/{person.id}"
        said = {"login": person.login, **detail}
        await audit.write(tx, actor, action, subject, said, at=self._clock(), area_id=place_of(grants))
        tx.tell(Event(Topic.PERSON, person.id))


async def _grantable(session: AsyncSession, actor: Actor, role: str, area_id: str | None) -> None:
    """See to it that the role and the place exist, and that whoever gives the role may do all that it allows there.

    Raises:
        InvalidError: no such role or area.
        ForbiddenError: the role allows more than this one may.
    """
    if role not in set(Role):
        raise InvalidError(f"role: {role!r} is none of {', '.join(Role)}", field="role", problem="unknown")
    if area_id is not None and not await stands(session, area_id):
        raise InvalidError("area_id: there is no such area", field="area_id", problem="unknown")
    for act in sorted(ALLOWED[Role(role)]):
        await rights.require(session, actor, act, [area_id])


def clean_phone(typed: str) -> str | None:
    """Give a telephone number with single spaces; None: nothing was typed.

    Raises:
        InvalidError: it is none.
    """
    number = " ".join(unicodedata.normalize("NFKC", typed).translate(_BETWEEN).split())
    if number and not _PHONE.match(number):
        raise InvalidError("phone: 3 to 15 digits, such as 0912 345 678", field="phone", problem="characters")
    return number or None


def _fits(person: PersonOut, having: Mapping[str, str]) -> bool:
    """Say whether somebody stands as filters ask."""
    role, area_id = having.get("role"), having.get("area")
    stands = {
        "open": person.disabled_at is None,
        "closed": person.disabled_at is not None,
        "without_factor": person.disabled_at is None and not person.second_factor,
        "without_phone": person.disabled_at is None and person.phone is None,
    }
    works = any((not role or each.role == role) and (not area_id or each.area_id == area_id) for each in person.grants)
    return (works or not (role or area_id)) and stands.get(having.get("state", ""), True)


def _clean_login(login: str) -> str:
    plain = unicodedata.normalize("NFC", login).strip().casefold()
    if not _LOGIN.match(plain):
        raise InvalidError(
            "login: 3 to 64 of the letters a-z, digits and . _ @ -, beginning and ending with a letter or digit",
            field="login",
            problem="characters",
        )
    return plain


def known_locale(locale: str) -> str:
    """Give a language of the pages.

    Raises:
        InvalidError: it is none.
    """
    if locale not in LOCALES:
        raise InvalidError(f"locale: one of {', '.join(LOCALES)}", field="locale", problem="unknown")
    return locale
