"""Who may decide about an emergency, and why alone."""

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import areas_of
from controller.errors import ForbiddenError
from controller.names import clean_name
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act

from .models import Emergency
from .schemas import MAX_REASON, BreakGlassIn
from .states import GlassReason


def person_of(actor: Actor) -> str:
    """Give the person who answers for it.

    Raises:
        ForbiddenError: there is none.
    """
    if actor.person_id is None:
        raise ForbiddenError("an emergency takes a person who answers for it")
    return actor.person_id


def somebody(actor: Actor) -> str:
    """Give the person who decides and is there. With its key a machine proposes, and decides nothing.

    Raises:
        ForbiddenError: there is none.
    """
    if actor.acts is not None:
        raise ForbiddenError("a machine's key proposes an emergency; what is heard of it is a person's to decide")
    return person_of(actor)


async def require_everywhere(session: AsyncSession, actor: Actor, act: Act, row: Emergency) -> None:
    """Ask for the right in every place at which it is aimed, those of nodes that are gone among them.

    Raises:
        ForbiddenError: no role of the person allows it in one of them.
    """
    areas = await areas_of(session, row.scopes, removed=True)
    await rights.require(session, actor, act, set(areas.values()))


def reason_of(wanted: BreakGlassIn) -> str:
    """Give the words, else the code, that stand for why nobody else was asked.

    Raises:
        InvalidError: neither is given.
    """
    if wanted.reason_code in {None, GlassReason.OTHER} or wanted.reason.strip():
        return clean_name(wanted.reason, field="reason", most=MAX_REASON)
    return str(wanted.reason_code)
