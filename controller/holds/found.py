"""Silence that no row knows: ordered after the copy was made from which the rows were put back, and obeyed ever since.

A node obeys until a release names the hold. So what it says that it obeys becomes a row, which stands on every screen
of its place and is released there like any other.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import areas_of
from controller.audit import service as audit
from controller.db import Database, Transaction, in_pieces
from controller.events import Event, Topic
from controller.people.actor import Actor

from .models import Hold

FOUND = "holds.found"
"""In the audit."""
MOST = 16
"""Of one node: what a node says is a claim, and one that makes holds up silences nobody but itself."""

_SYSTEM = Actor(None, "holds")
_log = logging.getLogger(__name__)


async def take_up(database: Database, obeyed: Mapping[str, Collection[str]], now: datetime) -> list[str]:
    """Write down the holds that nodes obey and no row knows; give their ids. ``obeyed``: node → holds.

    One that several nodes obey is written for the first of them; it reaches the others because they obey it.
    """
    async with database.reading() as session:
        unknown = await _unknown(session, obeyed)
    if not unknown:
        return []
    async with database.transaction() as tx:
        unknown = await _unknown(tx.session, obeyed)
        places = await areas_of(tx.session, {f"nodes/{node_id}" for node_id in unknown.values()})
        taken = []
        for hold_id, node_id in unknown.items():
            scope = f"nodes/{node_id}"
            if scope in places and await _found_at(tx.session, scope) < MOST:
                await _write(tx, hold_id, scope, places[scope], now)
                taken.append(hold_id)
    return taken


async def _unknown(session: AsyncSession, obeyed: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Give the holds without a row, each with a node that obeys it."""
    said = {hold_id: node_id for node_id in sorted(obeyed, reverse=True) for hold_id in obeyed[node_id]}
    known = set[str]()
    for some in in_pieces(sorted(said)):
        known |= set(await session.scalars(select(Hold.id).where(Hold.id.in_(some))))
    return {hold_id: node_id for hold_id, node_id in sorted(said.items()) if hold_id not in known}


async def _found_at(session: AsyncSession, scope: str) -> int:
    found = (Hold.scope == scope) & Hold.ordered_by.is_(None) & Hold.released_at.is_(None)
    return await session.scalar(select(func.count()).where(found)) or 0


async def _write(tx: Transaction, hold_id: str, scope: str, area_id: str, now: datetime) -> None:
    tx.session.add(Hold(id=hold_id, scope=scope, ordered_by=None, ordered_at=now))
    await tx.session.flush()
    await audit.write(tx, _SYSTEM, FOUND, f"holds/{hold_id}", {"scope": scope}, at=now, area_id=area_id)
    tx.tell(Event(Topic.HOLD, hold_id))
    _log.warning("%s obeys a hold that no row knows; it can be released on its page now", scope)
