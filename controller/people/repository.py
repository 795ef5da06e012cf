"""Reads of people that several services share, and whose account somebody may touch."""

import hashlib
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import Transaction
from controller.errors import ConflictError, ForbiddenError, NotFoundError

from . import rights
from .actor import ME, Actor
from .identity import must_show
from .models import Device, Grant, Person, Session
from .rights import Act, Role
from .schemas import GrantOut, PersonOut


class LastAdministratorError(ConflictError):
    """Nobody would be left who may do everything everywhere."""

    code = "last_administrator"


async def names_of(session: AsyncSession, person_ids: Iterable[str]) -> dict[str, str]:
    """Give the names of people by id."""
    rows = await session.execute(select(Person.id, Person.name).where(Person.id.in_(set(person_ids))))
    return dict(rows.all())


def hash_of(token: str) -> str:
    """Give what is kept of a token: enough to know it again, useless to whoever reads the rows."""
    return hashlib.sha256(token.encode()).hexdigest()


async def by_login(session: AsyncSession, login: str) -> Person | None:
    """Find somebody by what he types."""
    return await session.scalar(select(Person).where(Person.login == login))


async def grants_of(session: AsyncSession, person_id: str) -> Sequence[Grant]:
    """Give somebody's grants, oldest first."""
    query = select(Grant).where(Grant.person_id == person_id).order_by(Grant.granted_at, Grant.id)
    return (await session.scalars(query)).all()


def shown(person: Person, grants: Iterable[Grant]) -> PersonOut:
    """Say what is seen of somebody."""
    grants = tuple(grants)
    due_at = person.grace_until if person.totp_secret is None and must_show(grants) else None
    return PersonOut(
        id=person.id,
        login=person.login,
        name=person.name,
        phone=person.phone or None,
        grants=tuple(GrantOut(id=grant.id, role=grant.role, area_id=grant.area_id) for grant in grants),
        locale=person.locale,
        second_factor=person.totp_secret is not None,
        second_factor_due_at=due_at,
        disabled_at=person.disabled_at,
        password_due=person.password_due,
    )


def place_of(grants: Sequence[Grant]) -> str | None:
    """Say where acts on an account belong; None: everywhere, or to several places."""
    places = {grant.area_id for grant in grants}
    return next(iter(places)) if len(places) == 1 else None


async def seen(session: AsyncSession, actor: Actor, person_id: str) -> tuple[Person, Sequence[Grant]]:
    """Give an account that somebody may look at: his own, or of somebody who works where he changes people.

    Raises:
        NotFoundError: no such person, or not for this one.
        ForbiddenError: the person looks after nobody's account.
    """
    own = actor.person_id is not None and person_id in {ME, actor.person_id}
    wanted = actor.person_id if own else person_id
    if not own:
        await rights.require(session, actor, Act.PEOPLE_CHANGE)
    person = await session.get(Person, wanted)
    grants = await grants_of(session, person.id) if person else ()
    if person is None or not (own or await _works_there(session, actor, grants)):
        raise NotFoundError("there is no such person", resource="people", id=person_id[:64])
    return person, grants


async def managed(session: AsyncSession, actor: Actor, person_id: str) -> tuple[Person, Sequence[Grant]]:
    """Give an account that somebody may change: of one who works only where he changes people.

    Raises:
        NotFoundError: no such person, or not for this one.
        ForbiddenError: the person works elsewhere too, or this one changes nobody.
    """
    person, grants = await seen(session, actor, person_id)
    await rights.require(session, actor, Act.PEOPLE_CHANGE, [grant.area_id for grant in grants] or [None])
    return person, grants


async def own_or_managed(session: AsyncSession, actor: Actor, person_id: str) -> tuple[Person, Sequence[Grant]]:
    """Give an account whose sessions and keys somebody may end: his own, in person, or one that he may change.

    Raises:
        NotFoundError: no such person, or not for this one.
        ForbiddenError: the person works elsewhere too, or this one changes nobody, or is a machine.
    """
    person, grants = await seen(session, actor, person_id)
    if person.id != actor.person_id:
        return await managed(session, actor, person_id)
    if actor.acts is not None:
        raise ForbiddenError("a machine's key changes no account; sign in for this", problem="machine")
    return person, grants


async def keep_an_administrator(session: AsyncSession, *, without_grant: str = "", without_person: str = "") -> None:
    """See to it that somebody is left who may do everything.

    Raises:
        LastAdministratorError: nobody would be.
    """
    query = (
        select(Grant.id, Grant.person_id)
        .join(Person, Person.id == Grant.person_id)
        .where(Grant.role == Role.ADMINISTRATOR, Grant.area_id.is_(None), Person.disabled_at.is_(None))
        .with_for_update()  # two who take each other's role at once: the second one sees what the first one did
    )
    left = [row for row in (await session.execute(query)).all() if row[0] != without_grant and row[1] != without_person]
    if not left:
        raise LastAdministratorError("the last administrator of everything stays; name another one first")


async def sign_out_everywhere(tx: Transaction, person_id: str, *, but: str | None = None) -> None:
    """End somebody's sessions, ``but`` the one of that name, and forget his devices."""
    ended = delete(Session).where(Session.person_id == person_id)
    await tx.session.execute(ended if but is None else ended.where(Session.id != but))
    await tx.session.execute(delete(Device).where(Device.person_id == person_id))


async def _works_there(session: AsyncSession, actor: Actor, grants: Iterable[Grant]) -> bool:
    reach = await rights.reach(session, actor, Act.PEOPLE_CHANGE)
    return reach.areas is None or any(reach.sees(grant.area_id) for grant in grants)
