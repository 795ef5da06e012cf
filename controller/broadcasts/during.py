"""Finds the place of what is said now in a session that is on air: after its item, or at once by fading it.

Both are hard starts (the node's own rule): a soft one would wait for the whole session. What goes before, being of a
higher level, is waited for as long as it takes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from controller.errors import InvalidError
from controller.nodes.live import LiveNodes
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.states import StartMode

from .drafts import Draft
from .forecast import Surroundings, draft_broadcast, forecast, group
from .on_air import sounding
from .repository import surroundings
from .rules import END_MARGIN, During, Window
from .schemas import WindowIn

LONGEST_WAIT = timedelta(hours=2)
"""What is said now and cannot be heard within this is no longer "now"."""
MARGIN = timedelta(seconds=60)
"""What the forecast may be wrong by: nodes start a little late, and say so a little later."""


async def place(
    session: AsyncSession,
    live: LiveNodes,
    draft: Draft,
    wanted: WindowIn,
    trusted_keys: tuple[TrustedKey, ...],
    *,
    now: datetime,
) -> Draft:
    """Give the draft with the start and latest start that follow from ``wanted.during``.

    Raises:
        InvalidError: that goes with "now" only.
    """
    if wanted.during is None:
        return draft
    if not draft.urgent:
        raise InvalidError('during: goes with "now" only', field="during", problem="not_now")
    draft = replace(draft, start_mode=StartMode.HARD)
    far = _from(draft, draft.window.start_at, LONGEST_WAIT)
    around, others = await surroundings(
        session, live, draft.targets.tree, draft.targets.nodes, far.window, now=now, gone=draft.replaces_id
    )
    start_at = draft.window.start_at
    if wanted.during is During.AFTER_ITEM:
        start_at = free_at(start_at, around.values(), others)
    if wanted.latest_start_at is not None:
        return replace(draft, window=draft.window._replace(start_at=min(start_at, wanted.latest_start_at)))
    far = _from(draft, start_at, LONGEST_WAIT)
    ends = (forecast(draft_broadcast(far), each, others, now=now, trusted_keys=trusted_keys) for each in group(around))
    begins = [each.begins_at for each in ends if each.begins_at is not None]
    waits = max(begins, default=start_at) + MARGIN - start_at
    return _from(draft, start_at, max(waits, draft.window.latest_start_at - draft.window.start_at))


def free_at(at: datetime, around: Iterable[Surroundings], others: Mapping[str, Broadcast]) -> datetime:
    """Give when the item ends that sounds at ``at``; ``at`` itself where none does.

    The earliest end of all nodes: whoever is a moment behind loses the last of a word, but whoever were a moment ahead
    would lose the next item.
    """
    ends = [end for each in around if (end := _item_end(at, each, others)) is not None]
    return min(ends, default=at)


def _item_end(at: datetime, around: Surroundings, others: Mapping[str, Broadcast]) -> datetime | None:
    """Give the end of the slot that is under way, as long as its longest voice: neighbours are in step."""
    known = [each for each in around.on_air if each.broadcast_id in others]
    if (now := sounding(known)) is None:
        return None
    wire = others[now.broadcast_id]
    anchor_at = now.anchor(wire)
    for item in wire.items:
        begins_at = anchor_at + timedelta(milliseconds=item.offset_ms)
        ends_at = begins_at + timedelta(milliseconds=item.slot_ms)
        if begins_at <= at < ends_at:
            return ends_at
    return None


def _from(draft: Draft, start_at: datetime, wait: timedelta) -> Draft:
    """Let it start then, and wait so long."""
    latest_start_at = start_at + wait
    least_end_at = latest_start_at + timedelta(milliseconds=draft.length_ms) + END_MARGIN
    return replace(draft, window=Window(start_at, latest_start_at, max(draft.window.latest_end_at, least_end_at)))
