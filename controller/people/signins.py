"""Sessions and remembered browsers: listed and ended, by their person or by whoever may change the account."""

from collections.abc import Sequence

from sqlalchemy import select

from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import NotFoundError

from .actor import Actor
from .models import Device, Grant, Person, Session
from .repository import own_or_managed, place_of, sign_out_everywhere
from .schemas import DeviceOut, SessionOut


class SignIns:
    """Who is signed in, from where."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def sessions(self, actor: Actor, person_id: str, *, current: str | None = None) -> list[SessionOut]:
        """Give somebody's sessions that last, newest first; ``current``: the name of the one that asks.

        Raises:
            NotFoundError: no such person, or not for this one.
            ForbiddenError: the person works elsewhere too, or this one changes nobody.
        """
        async with self._database.reading() as session:
            person, _ = await own_or_managed(session, actor, person_id)
            query = select(Session).where(Session.person_id == person.id, Session.expires_at > self._clock())
            rows = (await session.scalars(query.order_by(Session.created_at.desc(), Session.id))).all()
        return [
            SessionOut(
                id=row.id,
                created_at=row.created_at,
                expires_at=row.expires_at,
                second_factor_at=row.second_factor_at,
                origin=row.origin,
                agent=row.agent,
                current=row.id == current,
            )
            for row in rows
        ]

    async def end(self, actor: Actor, person_id: str, session_id: str) -> None:
        """End one of somebody's sessions.

        Raises:
            NotFoundError: no such person or session, or not for this one.
            ForbiddenError: the person works elsewhere too, or this one changes nobody.
        """
        async with self._database.transaction() as tx:
            person, grants = await own_or_managed(tx.session, actor, person_id)
            row = await tx.session.scalar(
                select(Session).where(Session.id == session_id, Session.person_id == person.id)
            )
            if row is None:
                raise NotFoundError("there is no such session", resource="sessions", id=session_id[:64])
            await tx.session.delete(row)
            await self._note(tx, actor, "people.end_session", person, grants=grants, detail={"session": row.id})

    async def end_all(self, actor: Actor, person_id: str, *, but: str | None = None) -> None:
        """End all sessions of somebody, ``but`` the one that asks, and forget the browsers.

        Raises:
            NotFoundError: no such person, or not for this one.
            ForbiddenError: the person works elsewhere too, or this one changes nobody.
        """
        async with self._database.transaction() as tx:
            person, grants = await own_or_managed(tx.session, actor, person_id)
            await sign_out_everywhere(tx, person.id, but=but)
            await self._note(tx, actor, "people.end_sessions", person, grants=grants, detail={})

    async def devices(self, actor: Actor, person_id: str) -> list[DeviceOut]:
        """Give the browsers that are remembered, newest first.

        Raises:
            NotFoundError: no such person, or not for this one.
            ForbiddenError: the person works elsewhere too, or this one changes nobody.
        """
        async with self._database.reading() as session:
            person, _ = await own_or_managed(session, actor, person_id)
            query = select(Device).where(Device.person_id == person.id, Device.expires_at > self._clock())
            rows = (await session.scalars(query.order_by(Device.created_at.desc(), Device.id))).all()
        return [
            DeviceOut(
                id=row.id,
                name=row.name,
                created_at=row.created_at,
                expires_at=row.expires_at,
                last_used_at=row.last_used_at,
            )
            for row in rows
        ]

    async def forget_device(self, actor: Actor, person_id: str, device_id: str) -> None:
        """Forget a browser: it has to show a code again.

        Raises:
            NotFoundError: no such person or browser, or not for this one.
            ForbiddenError: the person works elsewhere too, or this one changes nobody.
        """
        async with self._database.transaction() as tx:
            person, grants = await own_or_managed(tx.session, actor, person_id)
            row = await tx.session.scalar(select(Device).where(Device.id == device_id, Device.person_id == person.id))
            if row is None:
                raise NotFoundError("there is no such browser", resource="devices", id=device_id[:64])
            await tx.session.delete(row)
            await self._note(tx, actor, "people.forget_device", person, grants=grants, detail={"device": row.id})

    async def _note(
        self,
        tx: Transaction,
        actor: Actor,
        action: str,
        person: Person,
        *,
        grants: Sequence[Grant],
        detail: dict[str, str],
    ) -> None:
        subject, said = f"people/{person.id}", {"login": person.login, **detail}
        await audit.write(tx, actor, action, subject, said, at=self._clock(), area_id=place_of(grants))
