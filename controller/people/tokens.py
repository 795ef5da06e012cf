"""Machines' keys: named acts, a last day, shown once, revoked at once. What takes a person they never do."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import select

from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.ids import new_id
from controller.names import clean_name
from controller.validation import Wrong

from .actor import ME, Actor
from .models import ApiToken
from .repository import hash_of, own_or_managed, place_of
from .rights import Act
from .schemas import TokenMade, TokenOut

PREFIX = "loa_"
"""Every key begins with it, so that one that was published by mistake is found."""
LONGEST = timedelta(days=366)

TAKE_A_PERSON = frozenset(
    {
        Act.PEOPLE_ADD,
        Act.PEOPLE_CHANGE,
        Act.APPROVALS_GIVE,
        Act.EMERGENCIES_CONFIRM,
        Act.EMERGENCIES_BREAK_GLASS,
    }
)
"""Who says yes, breaks the glass or gives rights is somebody."""


class Tokens:
    """Keys of machines."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def make(self, actor: Actor, *, name: str, acts: tuple[str, ...], expires_at: datetime) -> TokenMade:
        """Make a key of one's own, shown this once.

        Raises:
            InvalidError: no such act, not for machines, or not within a year.
            NotFoundError: nobody acts.
            ForbiddenError: a machine asks.
        """
        now, token, wrong = self._clock(), PREFIX + secrets.token_urlsafe(32), Wrong()
        with wrong.noted():
            name = clean_name(name)
        with wrong.noted():
            _check_acts(acts)
        with wrong.noted():
            if not now < expires_at <= now + LONGEST:
                raise InvalidError("expires_at: within a year from now", field="expires_at", problem="range")
        wrong.tell()
        row = ApiToken(
            id=new_id(),
            token_sha256=hash_of(token),
            person_id="",
            name=name,
            acts=sorted(set(acts)),
            created_at=now,
            expires_at=expires_at,
        )
        async with self._database.transaction() as tx:
            person, grants = await own_or_managed(tx.session, actor, ME)
            row.person_id = person.id
            tx.session.add(row)
            detail = {"token": row.id, "name": row.name, "acts": row.acts, "expires_at": expires_at.isoformat()}
            subject = f"people/{person.id}"
            await audit.write(tx, actor, "people.make_token", subject, detail, at=now, area_id=place_of(grants))
        return TokenMade(**_out(row).model_dump(), token=token)

    async def list(self, actor: Actor, person_id: str) -> list[TokenOut]:
        """Give somebody's keys, newest first, also those that ended.

        Raises:
            NotFoundError: no such person, or not for this one.
            ForbiddenError: the person works elsewhere too, or this one changes nobody.
        """
        async with self._database.reading() as session:
            person, _ = await own_or_managed(session, actor, person_id)
            query = select(ApiToken).where(ApiToken.person_id == person.id)
            rows = (await session.scalars(query.order_by(ApiToken.created_at.desc(), ApiToken.id))).all()
        return [_out(row) for row in rows]

    async def revoke(self, actor: Actor, person_id: str, token_id: str) -> TokenOut:
        """End a key at once.

        Raises:
            NotFoundError: no such person or key, or not for this one.
            ForbiddenError: the person works elsewhere too, or this one changes nobody.
            ConflictError: it was revoked before.
        """
        async with self._database.transaction() as tx:
            person, grants = await own_or_managed(tx.session, actor, person_id)
            row = await tx.session.get(ApiToken, token_id)
            if row is None or row.person_id != person.id:
                raise NotFoundError("there is no such key", resource="tokens", id=token_id[:64])
            if row.revoked_at is not None:
                raise ConflictError("this key was revoked already", problem="revoked")
            row.revoked_at = self._clock()
            subject, detail = f"people/{person.id}", {"token": row.id, "name": row.name}
            await audit.write(
                tx, actor, "people.revoke_token", subject, detail, at=row.revoked_at, area_id=place_of(grants)
            )
        return _out(row)


def _check_acts(acts: tuple[str, ...]) -> None:
    if unknown := sorted(set(acts) - set(Act)):
        raise InvalidError(f"acts: there is no {unknown[0][:40]!r}", field="acts", problem="unknown")
    if personal := sorted(TAKE_A_PERSON.intersection(acts)):
        raise InvalidError(f"acts: {personal[0]} takes a person", field="acts", problem="takes_a_person")


def _out(row: ApiToken) -> TokenOut:
    return TokenOut(
        id=row.id,
        name=row.name,
        acts=tuple(row.acts),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
