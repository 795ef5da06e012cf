"""Alarms: raised in the transaction of what is the matter, shown to whoever may acknowledge them, kept for good."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act

from .models import Alarm
from .repository import looked_after, told_to
from .schemas import OVER, AlarmOut


class Alarms:
    """What people must be told at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def raise_(
        self,
        tx: Transaction,
        kind: str,
        area_id: str | None,
        subject: str,
        detail: dict[str, Any],
        *,
        unless_open: bool = False,
    ) -> None:
        """Tell those who look after an area, there and above; with the transaction or not at all.

        ``unless_open``: not again while the same alarm waits for somebody's acknowledgement.
        """
        if unless_open:
            same = select(Alarm.id).where(Alarm.kind == kind, Alarm.subject == subject, Alarm.acknowledged_at.is_(None))
            here = Alarm.area_id.is_(None) if area_id is None else Alarm.area_id == area_id
            if await tx.session.scalar(same.where(here).limit(1)):
                return
        row = Alarm(
            id=new_id(), area_id=area_id, kind=str(kind), subject=subject, detail=detail, raised_at=self._clock()
        )
        tx.session.add(row)
        await tx.session.flush()
        tx.tell(Event(Topic.ALARM, row.id))

    async def over(self, tx: Transaction, kind: str, subject: str, is_over: Callable[[Alarm], bool]) -> None:
        """Close what nobody acknowledged and is so no more: nobody has to look after it."""
        same = select(Alarm).where(Alarm.kind == kind, Alarm.subject == subject, Alarm.acknowledged_at.is_(None))
        for row in (await tx.session.scalars(same.with_for_update())).all():
            if is_over(row):
                row.acknowledged_at, row.detail = self._clock(), row.detail | {OVER: True}
                tx.tell(Event(Topic.ALARM, row.id))
        await tx.session.flush()

    async def list(self, actor: Actor, *, waiting: bool | None = None, limit: int = 100) -> list[AlarmOut]:
        """Give the latest alarms that somebody is told of (``told_to``), newest first.

        ``waiting``: only those that nobody acknowledged, or only the others.

        Raises:
            ForbiddenError: the person looks after no place, and plans nothing anywhere.
        """
        query = select(Alarm, Person.name).outerjoin(Person, Person.id == Alarm.acknowledged_by)
        if waiting is not None:
            query = query.where(Alarm.acknowledged_at.is_(None) == waiting)
        async with self._database.reading() as session:
            may = await looked_after(session, actor)
            query = query.where(await told_to(session, actor)).order_by(Alarm.raised_at.desc(), Alarm.id)
            rows = (await session.execute(query.limit(limit))).all()
        return [_out(row, name, may_acknowledge=may(row)) for row, name in rows]

    async def acknowledge(self, actor: Actor, alarm_id: str) -> AlarmOut:
        """Say that somebody looks after it.

        Raises:
            NotFoundError: the person is told of no such alarm.
            ForbiddenError: they look after a node that it is about, not after its place.
            ConflictError: somebody did already.
        """
        async with self._database.transaction() as tx:
            may = await looked_after(tx.session, actor)
            query = select(Alarm).where(Alarm.id == alarm_id, await told_to(tx.session, actor)).with_for_update()
            row = await tx.session.scalar(query)
            if row is None:
                raise NotFoundError("there is no such alarm", resource="alarms", id=alarm_id[:64])
            if not may(row):
                raise ForbiddenError("only who looks after the place where it was ordered", area_id=row.area_id)
            if row.acknowledged_at is not None:
                raise ConflictError("somebody acknowledged this alarm already", problem="acknowledged")
            row.acknowledged_at, row.acknowledged_by = self._clock(), actor.person_id
            await audit.write(
                tx,
                actor,
                Act.ALARMS_ACKNOWLEDGE,
                f"alarms/{row.id}",
                {"kind": row.kind, "subject": row.subject},
                at=row.acknowledged_at,
                area_id=row.area_id,
            )
            tx.tell(Event(Topic.ALARM, row.id))
            by = await tx.session.get(Person, actor.person_id) if actor.person_id else None
        return _out(row, by.name if by else None, may_acknowledge=True)


def _out(row: Alarm, name: str | None, *, may_acknowledge: bool) -> AlarmOut:
    return AlarmOut(
        id=row.id,
        kind=row.kind,
        area_id=row.area_id,
        subject=row.subject,
        detail=row.detail,
        raised_at=row.raised_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_by_name=name,
        may_acknowledge=may_acknowledge,
    )
