"""What a draft would do at each of its nodes: its surroundings read from rows, the forecast by the timeline."""

import asyncio
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.nodes.live import LiveNodes
from edge_agent.protocol.documents import TrustedKey

from .drafts import Draft
from .forecast import draft_broadcast, forecast, group
from .models import Broadcast
from .preview import Forecasts
from .repository import surroundings


async def foresee(
    session: AsyncSession,
    live: LiveNodes,
    draft: Draft,
    trusted_keys: tuple[TrustedKey, ...],
    *,
    now: datetime,
    released: Collection[str] = (),
) -> tuple[Forecasts, dict[str, str]]:
    """Give what will happen at which nodes, and the titles of what is crossed; ``released`` as in ``surroundings``."""
    targets = draft.targets
    gone = draft.replaces_id
    around, others = await surroundings(
        session, live, targets.tree, targets.nodes, draft.window, now=now, released=released, gone=gone
    )
    wire = draft_broadcast(draft)
    found: Forecasts = []
    for alike, node_ids in group(around).items():
        found.append((forecast(wire, alike, others, now=now, trusted_keys=trusted_keys), node_ids))
        await asyncio.sleep(0)  # a province has many different surroundings: others get a turn
    met = {key for each, _ in found for key in each.crossed.union(cut.broadcast_id for cut in each.cuts)}
    rows = await session.execute(select(Broadcast.id, Broadcast.title).where(Broadcast.id.in_(met)))
    return found, dict(rows.all())
