"""Who may have heard an emergency, wherever they stand by now: they are to hear its end, too."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from controller.nodes.models import Node
from controller.plays.models import Play
from edge_agent.protocol.states import Outcome

from .ending import is_end_of
from .models import Emergency

UNHEARD = frozenset({Outcome.MISSED, Outcome.REFUSED, Outcome.EXPIRED, Outcome.CANCELLED})
"""By a node's own word nothing of it was heard there. Whatever else became of it, or no word, may have been heard."""


async def was_heard(session: AsyncSession, row: Emergency) -> bool:
    """Say whether it may have been heard anywhere."""
    query = select(Play.node_id).where(Play.broadcast_id == row.broadcast_id, _may_be_heard())
    return await session.scalar(query.limit(1)) is not None


async def may_have_heard(session: AsyncSession, row: Emergency) -> list[Node]:
    """Give the nodes at which it may have been heard that are still there, by name; none when it was not sent."""
    query = (
        select(Node)
        .join(Play, Play.node_id == Node.id)
        .where(Play.broadcast_id == row.broadcast_id, _may_be_heard())
        .where(Node.removed_at.is_(None))
        .options(defer(Node.abilities, raiseload=True), defer(Node.health, raiseload=True))
    )
    return list(await session.scalars(query.order_by(Node.name, Node.id)))


async def not_followed(session: AsyncSession, row: Emergency) -> Sequence[Node]:
    """Give the nodes that may have heard an alert, but to which its end was not sent; ``row``: the alert or its end.

    None as long as nobody ended it.
    """
    alert = await session.get_one(Emergency, row.follows_id) if row.follows_id else row
    ends = select(Emergency.broadcast_id).where(Emergency.broadcast_id.is_not(None), is_end_of(alert))
    if row.follows_id:
        ends = ends.where(Emergency.id == row.id)
    said = (await session.scalars(ends)).all()
    if not said:
        return ()
    told = set(await session.scalars(select(Play.node_id).where(Play.broadcast_id.in_(said))))
    return [node for node in await may_have_heard(session, alert) if node.id not in told]


def _may_be_heard() -> ColumnElement[bool]:
    return or_(Play.outcome.is_(None), Play.outcome.not_in(UNHEARD))
