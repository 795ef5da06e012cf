"""Tells that what stands in plans may not be right any more: the rules of a place changed, or what is to be aired."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Update, case, update

from controller.areas.rules import Tree
from controller.db import Transaction, in_pieces
from controller.events import Event, Topic

from .models import Schedule


def roll_anew(those: Iterable[ColumnElement[bool]], now: datetime) -> Update:
    """Have schedules rolled anew. Up to ``now`` they were planned, or as far as they were before, if that is less.

    So of dates that pass before anybody comes to it, it is known that nobody planned them.
    """
    until = case((Schedule.rolled_until > now, now), else_=Schedule.rolled_until)
    return update(Schedule).where(Schedule.ended_at.is_(None), *those).values(rolled_until=until)


async def rules_changed(tx: Transaction, tree: Tree, area_id: str, now: datetime) -> None:
    """Have the schedules rolled anew that may be heard in an area or below it."""
    around = {place.id for place in tree.chain(area_id)} | tree.below(area_id)
    for some in in_pieces(sorted(around)):
        await tx.session.execute(roll_anew([Schedule.area_id.in_(some)], now))
    tx.tell(Event(Topic.SCHEDULE, area_id))
