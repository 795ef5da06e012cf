"""Faults in SQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from .models import Fault
from .rules import COMES_AND_GOES

Standing = Mapping[str, Collection[str]]
"""Codes of what stands, by node."""


async def standing(session: AsyncSession) -> Standing:
    """Give what stands."""
    found: dict[str, set[str]] = {}
    for node_id, code in await session.execute(select(Fault.node_id, Fault.code).where(Fault.cleared_at.is_(None))):
        found.setdefault(node_id, set()).add(code)
    return found


async def acknowledged(session: AsyncSession) -> Standing:
    """Give what stands and is looked after."""
    found: dict[str, set[str]] = {}
    open_ones = Fault.cleared_at.is_(None) & Fault.acknowledged_at.is_not(None)
    for node_id, code in await session.execute(select(Fault.node_id, Fault.code).where(open_ones)):
        found.setdefault(node_id, set()).add(code)
    return found


async def latest(session: AsyncSession, node_ids: Sequence[str], now: datetime) -> dict[str, dict[str, Fault]]:
    """Give, by node and code, what stands or ended so recently that it is the same as what begins now.

    What ended in the future did so before the clock was set back.
    """
    recent = Fault.cleared_at.is_(None) | (Fault.cleared_at >= now - COMES_AND_GOES)
    rows = await session.scalars(select(Fault).where(Fault.node_id.in_(node_ids), recent))
    found: dict[str, dict[str, Fault]] = {}
    for row in sorted(rows, key=lambda each: (each.cleared_at is None, each.began_at)):
        found.setdefault(row.node_id, {})[row.code] = row
    return found


async def clear_all(session: AsyncSession, node_id: str, now: datetime) -> None:
    """End what stands with a node that is no more."""
    of_node = (Fault.node_id == node_id) & Fault.cleared_at.is_(None)
    await session.execute(update(Fault).where(of_node).values(cleared_at=now))
