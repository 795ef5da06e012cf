"""The one place that says who may do what. Roles by area come here (DESIGN section 7); so far there is one role."""

from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from controller.errors import ForbiddenError, NotSignedInError

from .actor import Actor
from .models import Person


class Role(StrEnum):
    """What a person is here for."""

    ADMINISTRATOR = "administrator"


class Act(StrEnum):
    """What can be done; also the action of the audit entry."""

    PEOPLE_ADD = "people.add"
    AREAS_CREATE = "areas.create"
    AREAS_CHANGE = "areas.change"
    NODES_CHANGE = "nodes.change"
    NODES_ADOPT = "enrolments.adopt"
    RECORDINGS_UPLOAD = "recordings.upload"
    RECORDINGS_WITHDRAW = "recordings.withdraw"
    BROADCASTS_CREATE = "broadcasts.create"
    BROADCASTS_CANCEL = "broadcasts.cancel"
    HOLDS_ORDER = "holds.order"
    HOLDS_RELEASE = "holds.release"
    AUDIT_READ = "audit.read"


ALLOWED: dict[Role, frozenset[Act]] = {Role.ADMINISTRATOR: frozenset(Act)}
"""Role → acts."""


def may(role: str, act: Act) -> bool:
    """Say whether a role allows an act; an unknown role allows nothing."""
    return role in set(Role) and act in ALLOWED[Role(role)]


async def require(session: AsyncSession, actor: Actor, act: Act) -> None:
    """Let the act pass, or not. Asked inside the transaction of the act, so that a right withdrawn counts at once.

    Raises:
        NotSignedInError: the person is unknown or disabled.
        ForbiddenError: the person's role does not allow it.
    """
    if actor.person_id is None:
        return
    person = await session.get(Person, actor.person_id)
    if person is None or person.disabled_at is not None:
        raise NotSignedInError("this account is closed")
    if not may(person.role, act):
        raise ForbiddenError(f"{person.role} may not {act}", act=str(act))
