"""What nobody can confirm: a play that was taken back while its node, which has it, is out of reach."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.models import Broadcast
from controller.db import in_pieces
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import HEARD
from edge_agent.protocol.states import Outcome, PlayState

from .schemas import PlayOut


async def with_doubts(
    session: AsyncSession, live: LiveNodes, row: Broadcast, plays: Sequence[PlayOut], *, now: datetime
) -> list[PlayOut]:
    """Say of plays that were taken back when their node will sound them all the same, unless it reconnects before."""
    suspects = [play.node_id for play in plays if _may_sound(play, row, now)]
    silent: set[str] = set()
    for some in in_pieces(suspects):
        nodes = await session.scalars(select(Node).where(Node.id.in_(some)))
        silent |= {node.id for node in nodes if live.status(node, now) not in HEARD}
    return [play.model_copy(update={"may_play_at": row.start_at}) if play.node_id in silent else play for play in plays]


def _may_sound(play: PlayOut, row: Broadcast, now: datetime) -> bool:
    """Tell whether a node that has heard nothing more would sound it: it has it, and its time is not over."""
    has_it = play.state.rank >= PlayState.RECEIVED.rank
    until_at = row.latest_end_at if play.state is PlayState.PLAYING else row.latest_start_at
    return play.outcome is Outcome.CANCEL_UNCONFIRMED and has_it and now <= until_at
