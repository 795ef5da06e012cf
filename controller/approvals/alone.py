"""What authors approved alone, within the bounds of the policy: listed to those who would have been asked."""

from sqlalchemy import Select, literal, select

from controller.audit import service as audit
from controller.broadcasts.models import Broadcast
from controller.clock import Clock
from controller.db import Database
from controller.errors import ConflictError, NotFoundError
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act

from .errors import OwnWorkError
from .models import Approval
from .repository import reach
from .schemas import AloneOut


class ByAuthors:
    """Every use of the right to approve alone."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def list(self, actor: Actor, *, seen: bool | None = None, limit: int = 100) -> list[AloneOut]:
        """Give the latest of the places in which somebody may approve; ``seen``: only those ticked off, or the others.

        Raises:
            ForbiddenError: the person approves nowhere.
        """
        async with self._database.reading() as session:
            await rights.require(session, actor, Act.APPROVALS_GIVE)
            query = _uses().where((await reach(session, actor)).where(Broadcast.area_id))
            if seen is not None:
                query = query.where(Approval.seen_by_leader_at.is_not(None) == seen)
            rows = await session.execute(query.order_by(Approval.given_at.desc(), Approval.id).limit(limit))
            return [_out(*row) for row in rows]

    async def see(self, actor: Actor, approval_id: str) -> AloneOut:
        """Tick one off.

        Raises:
            NotFoundError: there is none in the places where the person may approve.
            ForbiddenError: the person approves nowhere.
            OwnWorkError: they did this alone themselves.
            ConflictError: somebody did already.
        """
        async with self._database.transaction() as tx:
            await rights.require(tx.session, actor, Act.APPROVALS_GIVE)
            query = _uses().where((await reach(tx.session, actor)).where(Broadcast.area_id))
            found = (await tx.session.execute(query.where(Approval.id == approval_id))).first()
            if found is None:
                raise NotFoundError("there is no such self-approval", resource="approvals", id=approval_id[:64])
            yes, broadcast, _ = found
            if yes.person_id == actor.person_id:
                raise OwnWorkError("another person has to look at what you approved alone")
            if yes.seen_by_leader_at is not None:
                raise ConflictError("somebody has seen this already", problem="seen")
            yes.seen_by_leader_at = self._clock()
            await tx.session.flush()
            detail, subject = {"title": broadcast.title, "seen": True}, f"broadcasts/{broadcast.id}"
            await audit.write(
                tx, actor, Act.APPROVALS_GIVE, subject, detail, at=yes.seen_by_leader_at, area_id=broadcast.area_id
            )
            return _out(*found)


def _uses() -> Select[Approval, Broadcast, str]:
    subject = literal("broadcasts/").concat(Broadcast.id)
    return (
        select(Approval, Broadcast, Person.name)
        .join(Broadcast, Approval.subject == subject)
        .join(Person, Person.id == Approval.person_id)
        .where(Approval.by_author.is_(True))
    )


def _out(yes: Approval, broadcast: Broadcast, person: str) -> AloneOut:
    return AloneOut(
        id=yes.id,
        broadcast_id=broadcast.id,
        area_id=broadcast.area_id,
        title=broadcast.title,
        category=broadcast.category,
        person=person,
        person_id=yes.person_id,
        given_at=yes.given_at,
        start_at=broadcast.start_at,
        length_ms=broadcast.length_ms,
        seen_at=yes.seen_by_leader_at,
    )
