"""Signing in and out, and whom a token belongs to. Accounts, factors and keys have their own files."""

import secrets
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ForbiddenError, NotSignedInError, TooManyAttemptsError
from controller.ids import new_id
from controller.ratelimit import RateLimit, network_of

from .accounts import Accounts, known_locale
from .actor import Actor
from .identity import Identity, in_grace, must_show, needs
from .models import ApiToken, Device, Grant, Person, Session
from .passwords import Passwords
from .repository import by_login, grants_of, hash_of, place_of, shown
from .rights import Role
from .schemas import Needs, PersonOut, SignedIn
from .tokens import PREFIX

MAX_FAILURES = 10
LOCK_FOR = timedelta(minutes=15)
"""After so many failures at once, an address may try a login's password only once every tenth of this."""
MAX_FAILURES_ANYWHERE = 1000
"""In a row, from all addresses together, before an account takes no password at all for ``LOCK_FOR``. Far above what
one stranger can do, who would otherwise lock the only administrator out; a guessed password needs far more."""

USE_NOTED_EVERY = timedelta(hours=1)
"""So often at most the use of a machine's key is written down."""


class People:
    """Who may sign in, and who has."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        session_hours: int,
        alarms: Alarms | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self._database, self._clock = database, clock
        self._session_for = timedelta(hours=session_hours)
        self._alarms = alarms or Alarms(database, clock)
        self._passwords = passwords or Passwords()
        self._accounts = Accounts(database, clock, self._passwords)
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
        """Add somebody who may sign in; see ``Accounts.add``.

        Raises:
            InvalidError: a field is wrong.
            ConflictError: the login is taken.
            ForbiddenError: not this role, or not there.
        """
        return await self._accounts.add(
            actor, login=login, name=name, password=password, role=role, area_id=area_id, locale=locale
        )

    async def sign_in(
        self, *, login: str, password: str, origin: str, agent: str = "", device: str | None = None
    ) -> SignedIn:
        """Open a session with a password; ``device``: the token of a remembered browser.

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
            person = await by_login(session, typed)
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
        return await self._open(person.id, origin, agent, device)

    async def identify(self, token: str) -> Identity:
        """Say whom a token belongs to, and what its session still has to show.

        Raises:
            NotSignedInError: no such session, it ended, or the account is closed.
        """
        if token.startswith(PREFIX):
            return await self._machine(token)
        now = self._clock()
        query = (
            select(Person, Session)
            .join(Session, Session.person_id == Person.id)
            .where(Session.token_sha256 == hash_of(token), Session.expires_at > now)
            .where(Person.disabled_at.is_(None))
        )
        async with self._database.reading() as session:
            found = (await session.execute(query)).one_or_none()
            if found is None:
                raise NotSignedInError("sign in first")
            person, opened = found
            grants = await grants_of(session, person.id)
        showed = opened.second_factor_at is not None
        return Identity(
            person=shown(person, grants),
            session_id=opened.id,
            since=opened.created_at,
            shown=showed,
            weighty=must_show(grants),
            needs=needs(person, grants, shown=showed, now=now),
        )

    async def whoami(self, token: str) -> PersonOut:
        """Say who may act with a token.

        Raises:
            NotSignedInError: no such session, it ended, or the account is closed.
            SecondFactorError: the password alone is not enough for this person.
        """
        return (await self.identify(token)).full().person

    async def sign_out(self, token: str) -> None:
        """End the session. Twice is once."""
        async with self._database.transaction() as tx:
            opened = await tx.session.get(Session, hash_of(token))
            if opened is None:
                return
            actor = Actor(opened.person_id, opened.origin)
            await tx.session.delete(opened)
            place = place_of(await grants_of(tx.session, opened.person_id))
            subject = f"people/{opened.person_id}"
            await audit.write(tx, actor, "people.sign_out", subject, {}, at=self._clock(), area_id=place)

    async def set_locale(self, actor: Actor, locale: str) -> PersonOut:
        """Choose the language of one's own pages.

        Raises:
            InvalidError: not a language of the pages.
            ForbiddenError: a machine asks.
            NotSignedInError: nobody acts.
        """
        if actor.acts is not None:
            raise ForbiddenError("a machine's key changes no account; sign in for this", problem="machine")
        async with self._database.transaction() as tx:
            person = await tx.session.get(Person, actor.person_id) if actor.person_id else None
            if person is None:
                raise NotSignedInError("sign in first")
            person.locale = known_locale(locale)
            return shown(person, await grants_of(tx.session, person.id))

    async def _machine(self, token: str) -> Identity:
        now = self._clock()
        query = (
            select(Person, ApiToken)
            .join(ApiToken, ApiToken.person_id == Person.id)
            .where(ApiToken.token_sha256 == hash_of(token), ApiToken.expires_at > now, ApiToken.revoked_at.is_(None))
            .where(Person.disabled_at.is_(None))
        )
        async with self._database.reading() as session:
            found = (await session.execute(query)).one_or_none()
            if found is None:
                raise NotSignedInError("this key is unknown, revoked or past its time")
            person, key = found
            known = shown(person, await grants_of(session, person.id))
        if key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EVERY:
            async with self._database.transaction() as tx:
                (await tx.session.get_one(ApiToken, key.id)).last_used_at = now
        return Identity(person=known, session_id=None, since=key.created_at, shown=False, acts=frozenset(key.acts))

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
            locked = row.failed_attempts >= MAX_FAILURES_ANYWHERE
            if locked or row.failed_attempts == MAX_FAILURES:
                await self._tell_locked(tx, row, origin, everywhere=locked)
            if locked:
                row.failed_attempts, row.locked_until = 0, now + LOCK_FOR

    async def _tell_locked(self, tx: Transaction, row: Person, origin: str, *, everywhere: bool) -> None:
        """Write down that an account was tried too often, and raise the alarm where its person works."""
        grants = await grants_of(tx.session, row.id)
        subject, detail = f"people/{row.id}", {"failures": row.failed_attempts, "everywhere": everywhere}
        await audit.write(
            tx,
            Actor(None, origin),
            "people.locked",
            subject,
            detail,
            at=self._clock(),
            area_id=place_of(grants),
        )
        told = {"login": row.login, "name": row.name, "origin": origin, **detail}
        for area_id in {grant.area_id for grant in grants} or {None}:
            await self._alarms.raise_(tx, "people.locked", area_id, subject, told, unless_open=not everywhere)

    async def _open(self, person_id: str, origin: str, agent: str, device: str | None) -> SignedIn:
        now, token = self._clock(), secrets.token_urlsafe(32)
        expires_at = now + self._session_for
        async with self._database.transaction() as tx:
            person = await tx.session.get_one(Person, person_id)
            person.failed_attempts, person.last_failed_at, person.locked_until = 0, None, None
            await _forget_ended(tx, person_id, now)
            grants = await grants_of(tx.session, person_id)
            remembered = await _remembered(tx.session, person, grants, device, now)
            tx.session.add(
                Session(
                    token_sha256=hash_of(token),
                    id=new_id(),
                    person_id=person_id,
                    created_at=now,
                    expires_at=expires_at,
                    second_factor_at=now if remembered else None,
                    origin=origin,
                    agent="".join(letter for letter in agent if letter.isprintable())[:200],
                )
            )
            missing = needs(person, grants, shown=remembered, now=now)
            how = _how(person, grants, missing, remembered=remembered, now=now)
            actor, subject = Actor(person_id, origin), f"people/{person_id}"
            await audit.write(tx, actor, "people.sign_in", subject, how, at=now, area_id=place_of(grants))
        return SignedIn(token=token, person=shown(person, grants), expires_at=expires_at, needs=missing)


def _how(
    person: Person, grants: Sequence[Grant], missing: Needs | None, *, remembered: bool, now: datetime
) -> dict[str, str]:
    """Say for the audit what stood for the second factor."""
    if remembered:
        return {"second_factor": "device"}
    if missing is not None:
        return {"second_factor": f"needs_{missing}"}
    return {"second_factor": "grace"} if must_show(grants) and in_grace(person, now) else {}


async def _remembered(
    session: AsyncSession, person: Person, grants: Sequence[Grant], token: str | None, now: datetime
) -> bool:
    """Say whether a browser stands for the second factor of this person."""
    if token is None or person.totp_secret is None or must_show(grants):
        return False
    device = await session.get(Device, hash_of(token))
    if device is None or device.person_id != person.id or device.expires_at <= now:
        return False
    device.last_used_at = now
    return True


async def _forget_ended(tx: Transaction, person_id: str, now: datetime) -> None:
    for table in (Session, Device):
        await tx.session.execute(delete(table).where(table.person_id == person_id, table.expires_at <= now))
