"""The second factor: set up, shown, reset; codes for the day on which the telephone is lost."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError, NotSignedInError, TooManyAttemptsError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.ratelimit import RateLimit

from . import totp
from .actor import Actor
from .identity import Identity, must_show
from .models import Device, Person, RecoveryCode, Session
from .passwords import Passwords
from .repository import grants_of, hash_of, managed, place_of, shown, sign_out_everywhere
from .schemas import DeviceMade, Needs, PersonOut, SecretOut
from .sealing import Seal

DEVICE_FOR = timedelta(days=90)
"""So long a browser is remembered."""

FRESH = timedelta(minutes=10)
"""So long after signing in the first second factor is set up without typing the password again."""

TRIES = 5
ONE_MORE_EVERY = timedelta(minutes=3)
"""Three of a million codes fit at any time: a stranger who knows the password needs years."""


class Factors:
    """Second factors of people who sign in."""

    def __init__(self, database: Database, clock: Clock, *, alarms: Alarms, passwords: Passwords, seal: Seal) -> None:
        self._database, self._clock, self._alarms, self._passwords = database, clock, alarms, passwords
        self._seal = seal
        self._tries = RateLimit(burst=TRIES, every=ONE_MORE_EVERY, clock=clock)

    def asks_password(self, who: Identity) -> bool:
        """Say whether ``begin`` asks for the password: to replace a factor, and for the first one unless ``FRESH``."""
        return who.person.second_factor or self._clock() - who.since > FRESH

    async def begin(self, who: Identity, *, password: str | None = None) -> SecretOut:
        """Make a secret and show it this once; it counts from the first right code on.

        Raises:
            ForbiddenError: a machine asks.
            SecondFactorError: there is one already, and this session did not show it.
            InvalidError: the password is missing or wrong.
            TooManyAttemptsError: too many wrong passwords.
        """
        self._allow(who)
        async with self._database.reading() as session:
            person = await session.get_one(Person, who.person.id)
        if password is not None or person.totp_secret is not None or self._clock() - who.since > FRESH:
            self._tries.take(person.id)
            if not await self._passwords.check(password or "", person.password_hash):
                raise InvalidError("password: type your password", field="password", problem="wrong_password")
            self._tries.forget(person.id)
        secret = totp.new_secret()
        async with self._database.transaction() as tx:
            row = await tx.session.get_one(Person, person.id)
            row.totp_pending = self._seal.close(secret, row.id)
        return SecretOut(secret=secret, uri=totp.uri(secret, person.login))

    async def confirm(self, who: Identity, *, code: str, origin: str) -> tuple[str, ...]:
        """Take the secret that was shown, if the code is its own; gives recovery codes. Ends the other sessions.

        Raises:
            ForbiddenError: a machine asks.
            SecondFactorError: there is one already, and this session did not show it.
            ConflictError: no secret was shown, or it cannot be read any more.
            InvalidError: the code is wrong.
            TooManyAttemptsError: too many wrong codes.
        """
        self._allow(who)
        await self._take_turn(who.person.id, origin)
        now = self._clock()
        async with self._database.transaction() as tx:
            person = await tx.session.get_one(Person, who.person.id, with_for_update=True)
            if person.totp_pending is None:
                raise ConflictError("ask for a secret first: POST /api/v1/people/me/factor", problem="no_secret")
            step = totp.step_of(self._seal.open(person.totp_pending, person.id), code, now, None)
            if step is None:
                raise _wrong_code()
            person.totp_secret, person.totp_pending = person.totp_pending, None
            person.totp_confirmed_at, person.totp_last_step = now, step
            codes = await _new_codes(tx, person.id)
            await sign_out_everywhere(tx, person.id, but=who.session_id)
            await _mark(tx, who, now)
            await self._note(tx, Actor(person.id, origin), "people.factor_set", person, {})
        self._tries.forget(who.person.id)
        return codes

    async def show(
        self, who: Identity, *, code: str, origin: str, remember: bool = False, agent: str = ""
    ) -> tuple[PersonOut, DeviceMade | None]:
        """Lift a session with a code or a recovery code; gives what to keep in a browser that is to be remembered.

        Raises:
            ForbiddenError: a machine asks.
            ConflictError: this person has no second factor, or it cannot be read any more.
            InvalidError: the code is wrong, or was used.
            NotSignedInError: the session ended meanwhile.
            TooManyAttemptsError: too many wrong codes.
        """
        who.in_person()
        await self._take_turn(who.person.id, origin)
        now, device = self._clock(), None
        async with self._database.transaction() as tx:
            person = await tx.session.get_one(Person, who.person.id, with_for_update=True)
            how = await self._fits(tx, person, code, now)
            await _mark(tx, who, now)
            grants = await grants_of(tx.session, person.id)
            if remember and not must_show(grants):
                device = _new_device(tx, person.id, agent, now)
            await self._note(
                tx, Actor(person.id, origin), "people.factor_shown", person, {**how, "remember": device is not None}
            )
        self._tries.forget(who.person.id)
        return shown(person, grants), device

    async def new_recovery_codes(self, who: Identity, *, origin: str) -> tuple[str, ...]:
        """Make new recovery codes; the old ones count no more.

        Raises:
            ForbiddenError: a machine asks.
            SecondFactorError: this session did not show the second factor.
            ConflictError: there is none.
        """
        self._allow(who)
        if not who.shown:
            raise ConflictError("this session showed no second factor", problem="no_factor")
        async with self._database.transaction() as tx:
            person = await tx.session.get_one(Person, who.person.id)
            codes = await _new_codes(tx, person.id)
            await self._note(tx, Actor(person.id, origin), "people.new_recovery_codes", person, {})
        return codes

    async def reset(self, actor: Actor, person_id: str) -> PersonOut:
        """Take somebody's second factor away, who lost the telephone and the codes: he signs in and sets up another.

        Raises:
            NotFoundError: no such person, or not for this one.
            ForbiddenError: the person works elsewhere too, or this one changes nobody.
        """
        async with self._database.transaction() as tx:
            person, grants = await managed(tx.session, actor, person_id)
            person.totp_secret, person.totp_pending = None, None
            person.totp_confirmed_at, person.totp_last_step, person.grace_until = None, None, None
            await tx.session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
            await sign_out_everywhere(tx, person.id)
            await self._note(tx, actor, "people.factor_reset", person, {})
        return shown(person, grants)

    def _allow(self, who: Identity) -> None:
        """Let a person change his own factor; one that exists has to be shown first."""
        if who.in_person().needs is not Needs.SET_UP:
            who.full()

    async def _take_turn(self, person_id: str, origin: str) -> None:
        try:
            self._tries.take(person_id)
        except TooManyAttemptsError:
            await self._tell_guessing(person_id, origin)
            raise

    async def _tell_guessing(self, person_id: str, origin: str) -> None:
        """Raise the alarm: whoever guesses codes knows the password."""
        async with self._database.transaction() as tx:
            person = await tx.session.get_one(Person, person_id)
            told = {"login": person.login, "name": person.name, "origin": origin, "guessing": "codes"}
            places = {grant.area_id for grant in await grants_of(tx.session, person_id)}
            for area_id in places or {None}:
                subject = f"people/{person_id}"
                await self._alarms.raise_(tx, "people.locked", area_id, subject, told, unless_open=True)

    async def _fits(self, tx: Transaction, person: Person, code: str, now: datetime) -> dict[str, object]:
        """Use a code up and say what it was."""
        if person.totp_secret is None:
            raise ConflictError("this person has no second factor", problem="no_factor")
        if recovery := totp.plain_recovery_code(code):
            row = await tx.session.get(RecoveryCode, hash_of(recovery))
            if row is None or row.person_id != person.id or row.used_at is not None:
                raise _wrong_code()
            row.used_at = now
            return {"by": "recovery_code", "left": await _left(tx.session, person.id)}
        secret = self._seal.open(person.totp_secret, person.id)
        step = totp.step_of(secret, code, now, person.totp_last_step)
        if step is None:
            raise _wrong_code()
        person.totp_last_step = step
        return {"by": "code"}

    async def _note(
        self, tx: Transaction, actor: Actor, action: str, person: Person, detail: dict[str, object]
    ) -> None:
        place = place_of(await grants_of(tx.session, person.id))
        said = {"login": person.login, **detail}
        await audit.write(tx, actor, action, f"people/{person.id}", said, at=self._clock(), area_id=place)
        tx.tell(Event(Topic.PERSON, person.id))


def _wrong_code() -> InvalidError:
    return InvalidError("code: wrong, too old or used; wait for the next one", field="code", problem="wrong_code")


async def _mark(tx: Transaction, who: Identity, now: datetime) -> None:
    """Note in the session that it showed the second factor."""
    opened = await tx.session.scalar(select(Session).where(Session.id == who.session_id))
    if opened is None:
        raise NotSignedInError("sign in first")
    opened.second_factor_at = now


async def _new_codes(tx: Transaction, person_id: str) -> tuple[str, ...]:
    codes = totp.new_recovery_codes()
    await tx.session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person_id))
    tx.session.add_all(RecoveryCode(code_sha256=hash_of(code), person_id=person_id) for code in codes)
    return codes


async def _left(session: AsyncSession, person_id: str) -> int:
    await session.flush()
    query = select(RecoveryCode).where(RecoveryCode.person_id == person_id, RecoveryCode.used_at.is_(None))
    return len((await session.scalars(query)).all())


def _new_device(tx: Transaction, person_id: str, agent: str, now: datetime) -> DeviceMade:
    token, expires_at = secrets.token_urlsafe(32), now + DEVICE_FOR
    name = "".join(letter for letter in agent if letter.isprintable())[:200]
    tx.session.add(
        Device(
            token_sha256=hash_of(token),
            id=new_id(),
            person_id=person_id,
            name=name,
            created_at=now,
            expires_at=expires_at,
        )
    )
    return DeviceMade(token=token, expires_at=expires_at)
