"""People: sign in and out, who is there, who asks."""

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.models import Area
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError, NotSignedInError, TooManyAttemptsError
from controller.ids import new_id
from controller.names import clean_name
from controller.ratelimit import RateLimit, network_of

from . import rights
from .actor import Actor
from .models import Grant, Person, Session
from .passwords import Passwords
from .rights import Act, Role
from .schemas import GrantOut, PersonOut, SignedIn

MAX_FAILURES = 10
LOCK_FOR = timedelta(minutes=15)
"""After so many failures at once, an address may try a login's password only once every tenth of this."""
MAX_FAILURES_ANYWHERE = 1000
"""In a row, from all addresses together, before an account takes no password at all for ``LOCK_FOR``. Far above what
one stranger can do, who would otherwise lock the only administrator out; a guessed password needs far more."""

LOCALES = ("vi", "en")

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,62}[a-z0-9]\Z")


class People:
    """Who may sign in, and who has."""

    def __init__(
        self, database: Database, clock: Clock, *, session_hours: int, passwords: Passwords | None = None
    ) -> None:
        self._database, self._clock = database, clock
        self._session_for = timedelta(hours=session_hours)
        self._passwords = passwords or Passwords()
        self._from_one_address = RateLimit(burst=60, every=timedelta(seconds=2), clock=clock)
        # Known and unknown logins alike: what one gets must look like what the other gets, the lock included.
        self._failures = RateLimit(burst=MAX_FAILURES, every=LOCK_FOR / MAX_FAILURES, clock=clock)
        self._unknown_logins = RateLimit(
            burst=MAX_FAILURES_ANYWHERE, every=LOCK_FOR / MAX_FAILURES_ANYWHERE, clock=clock
        )

    async def any(self) -> bool:
        """Say whether there is anybody who could sign in."""
        async with self._database.reading() as session:
            return await session.scalar(select(Person.id).limit(1)) is not None

    async def add(
        self,
        actor: Actor,
        *,
        login: str,
        name: str,
        password: str,
        role: str = Role.ADMINISTRATOR,
        area_id: str | None = None,
        locale: str = "vi",
    ) -> PersonOut:
        """Add somebody who may sign in, with a role in an area; None: everywhere.

        Raises:
            InvalidError: a field is wrong.
            ConflictError: the login is taken.
        """
        login = _clean_login(login)
        if role not in set(Role):
            raise InvalidError(f"role: {role!r} is none of {', '.join(Role)}", field="role", problem="unknown")
        person = Person(
            id=new_id(),
            login=login,
            name=clean_name(name),
            password_hash=await self._passwords.make(password),
            locale=_known_locale(locale),
            created_at=self._clock(),
            failed_attempts=0,
        )
        async with self._database.transaction() as tx:
            await rights.require(tx.session, actor, Act.PEOPLE_ADD, [area_id] if area_id else ())
            if area_id is not None and await tx.session.get(Area, area_id) is None:
                raise InvalidError("area_id: there is no such area", field="area_id", problem="unknown")
            if await _by_login(tx.session, login):
                raise ConflictError(f"login {login!r} is taken; choose another", field="login", problem="taken")
            tx.session.add(person)
            await tx.session.flush()
            grant = Grant(
                id=new_id(),
                person_id=person.id,
                role=role,
                area_id=area_id,
                granted_by=actor.person_id,
                granted_at=person.created_at,
            )
            tx.session.add(grant)
            detail = {"login": login, "role": role, "area_id": area_id}
            await audit.write(tx, actor, Act.PEOPLE_ADD, f"people/{person.id}", detail, at=self._clock())
        return _out(person, [grant])

    async def sign_in(self, *, login: str, password: str, origin: str) -> SignedIn:
        """Open a session.

        Raises:
            NotSignedInError: wrong login or password, without saying which.
            TooManyAttemptsError: too many failures.
        """
        network = network_of(origin)
        self._from_one_address.take(network)
        typed = unicodedata.normalize("NFC", login).strip().casefold()
        trying = f"{network} {typed}"
        self._failures.take(trying)  # before the password is looked at: many tries at once are many
        async with self._database.reading() as session:
            person = await _by_login(session, typed)
        if person is None:
            self._unknown_logins.take(typed)
        else:
            self._refuse_locked(person)
        known = person is not None and person.disabled_at is None
        fits = await self._passwords.check(password, person.password_hash if person and known else None)
        if person is None or not fits:
            if person is not None:
                await self._failed(person.id, origin)
            raise NotSignedInError("wrong login or password", problem="wrong_password")
        self._failures.forget(trying)
        return await self._open(person.id, origin)

    async def whoami(self, token: str) -> PersonOut:
        """Say whose session it is.

        Raises:
            NotSignedInError: no such session, it ended, or the account is closed.
        """
        query = (
            select(Person)
            .join(Session, Session.person_id == Person.id)
            .where(Session.token_sha256 == _hash(token), Session.expires_at > self._clock())
            .where(Person.disabled_at.is_(None))
        )
        async with self._database.reading() as session:
            person = await session.scalar(query)
            if person is None:
                raise NotSignedInError("sign in first")
            return _out(person, await _grants(session, person.id))

    async def sign_out(self, token: str) -> None:
        """End the session. Twice is once."""
        async with self._database.transaction() as tx:
            opened = await tx.session.get(Session, _hash(token))
            if opened is None:
                return
            actor = Actor(opened.person_id, opened.origin)
            await tx.session.delete(opened)
            await audit.write(tx, actor, "people.sign_out", f"people/{opened.person_id}", {}, at=self._clock())

    async def set_locale(self, actor: Actor, locale: str) -> PersonOut:
        """Choose the language of one's own pages.

        Raises:
            InvalidError: not a language of the pages.
            NotSignedInError: nobody acts.
        """
        async with self._database.transaction() as tx:
            person = await tx.session.get(Person, actor.person_id) if actor.person_id else None
            if person is None:
                raise NotSignedInError("sign in first")
            person.locale = _known_locale(locale)
            return _out(person, await _grants(tx.session, person.id))

    def _refuse_locked(self, person: Person) -> None:
        now = self._clock()
        if person.locked_until is not None and person.locked_until > now:
            wait = round((person.locked_until - now).total_seconds() + 0.5)
            raise TooManyAttemptsError(f"too many failures; try again in {wait} s", retry_after_s=wait)

    async def _failed(self, person_id: str, origin: str) -> None:
        now = self._clock()
        async with self._database.transaction() as tx:
            row = await tx.session.get(Person, person_id, with_for_update=True)
            if row is None:
                return
            forgotten = row.last_failed_at is None or now - row.last_failed_at > LOCK_FOR
            row.failed_attempts = 1 if forgotten else row.failed_attempts + 1
            row.last_failed_at = now
            if row.failed_attempts >= MAX_FAILURES_ANYWHERE:
                row.failed_attempts, row.locked_until = 0, now + LOCK_FOR
                actor = Actor(None, origin)
                await audit.write(
                    tx, actor, "people.locked", f"people/{row.id}", {"failures": MAX_FAILURES_ANYWHERE}, at=now
                )

    async def _open(self, person_id: str, origin: str) -> SignedIn:
        now, token = self._clock(), secrets.token_urlsafe(32)
        expires_at = now + self._session_for
        async with self._database.transaction() as tx:
            person = await tx.session.get_one(Person, person_id)
            person.failed_attempts, person.last_failed_at, person.locked_until = 0, None, None
            await _forget_ended(tx, person_id, now)
            tx.session.add(
                Session(
                    token_sha256=_hash(token),
                    id=new_id(),
                    person_id=person_id,
                    created_at=now,
                    expires_at=expires_at,
                    origin=origin,
                )
            )
            await audit.write(tx, Actor(person_id, origin), "people.sign_in", f"people/{person_id}", {}, at=now)
            shown = _out(person, await _grants(tx.session, person_id))
        return SignedIn(token=token, person=shown, expires_at=expires_at)


async def _forget_ended(tx: Transaction, person_id: str, now: datetime) -> None:
    ended = select(Session).where(Session.person_id == person_id, Session.expires_at <= now)
    for row in await tx.session.scalars(ended):
        await tx.session.delete(row)


async def _by_login(session: AsyncSession, login: str) -> Person | None:
    return await session.scalar(select(Person).where(Person.login == login))


def _clean_login(login: str) -> str:
    plain = unicodedata.normalize("NFC", login).strip().casefold()
    if not _LOGIN.match(plain):
        raise InvalidError(
            "login: 3 to 64 of the letters a-z, digits and . _ @ -, beginning and ending with a letter or digit",
            field="login",
            problem="characters",
        )
    return plain


def _known_locale(locale: str) -> str:
    if locale not in LOCALES:
        raise InvalidError(f"locale: one of {', '.join(LOCALES)}", field="locale", problem="unknown")
    return locale


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def _grants(session: AsyncSession, person_id: str) -> Sequence[Grant]:
    query = select(Grant).where(Grant.person_id == person_id).order_by(Grant.granted_at, Grant.id)
    return (await session.scalars(query)).all()


def _out(person: Person, grants: Iterable[Grant]) -> PersonOut:
    shown = tuple(GrantOut(id=grant.id, role=grant.role, area_id=grant.area_id) for grant in grants)
    return PersonOut(id=person.id, login=person.login, name=person.name, grants=shown, locale=person.locale)
