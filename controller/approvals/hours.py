"""Holds what was to be said "now" against the policies once more when its yes comes: by then it is another hour."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in, read_tree
from controller.broadcasts.models import Broadcast
from controller.broadcasts.policed import unusual_error
from controller.broadcasts.sending import begins_at
from controller.errors import LoaError
from controller.policies.checks import Besides, Places, breaches, quiet_refusal, refusal, unusual_hour
from controller.policies.limits import Airing

from .models import ApprovalRequest


class Late(NamedTuple):
    """What is against it by now."""

    against: LoaError | None = None
    """It cannot be said any more: nobody's yes helps."""
    unusual: LoaError | None = None
    """The hour is to be confirmed, by who approves: who asked did not know it."""


async def judge(session: AsyncSession, request: ApprovalRequest, lead: timedelta, *, now: datetime) -> Late:
    """Say what a yes of this moment meets; what has its time, or waits for none, was judged when it was sent."""
    kind, _, key = request.subject.partition("/")
    row = await session.get(Broadcast, key) if kind == "broadcasts" else None
    if row is None or begins_at(row, lead, now=now) == row.start_at:
        return Late()
    tree = await read_tree(session)
    places = Places.of_nodes(tree, await nodes_in(session, tree, request.scopes, reports=False))
    asked, run = (
        Airing(at, timedelta(milliseconds=row.length_ms)) for at in (row.start_at, begins_at(row, lead, now=now))
    )
    found = await breaches(session, places, [run], besides=Besides(broadcast_ids=frozenset([row.id])))
    if against := refusal(found) or quiet_refusal(found, field="start_at"):
        return Late(against=against)
    known = await unusual_hour(session, places, asked, now=now)
    unusual = await unusual_hour(session, places, run, now=now)
    is_news = unusual is not None and (known is None or known.reason != unusual.reason)
    return Late(unusual=unusual_error(unusual) if unusual is not None and is_news else None)
