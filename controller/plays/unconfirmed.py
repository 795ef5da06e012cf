"""What nobody can confirm: a play that was taken back while its node, which has it, is out of reach."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.models import Broadcast
from controller.db import in_pieces
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import HEARD
from controller.people.rights import Sight
from edge_agent.protocol.states import Level, Outcome, PlayState

from .models import Play
from .schemas import MayPlayOut, PlayOut, UnconfirmedOut

_Date = tuple[str, str]
"""Schedule, name of the date."""


class Watch(NamedTuple):
    """Who looks, and when: at the nodes in sight, by what is heard of them."""

    live: LiveNodes
    seen: Sight
    now: datetime


async def with_doubts(
    session: AsyncSession, live: LiveNodes, row: Broadcast, plays: Sequence[PlayOut], *, now: datetime
) -> list[PlayOut]:
    """Say of plays that were taken back when their node will sound them all the same, unless it reconnects before."""
    suspects = [play.node_id for play in plays if _may_sound(play.reached, play.outcome, row, now)]
    silent: set[str] = set()
    for some in in_pieces(suspects):
        nodes = await session.scalars(select(Node).where(Node.id.in_(some)))
        silent |= {node.id for node in nodes if live.status(node, now) not in HEARD}
    return [play.model_copy(update={"may_play_at": row.start_at}) if play.node_id in silent else play for play in plays]


async def at_node(session: AsyncSession, watch: Watch, node: Node, span: tuple[datetime, datetime]) -> list[MayPlayOut]:
    """Say of one node what it may still sound in a span of time, by start."""
    if watch.live.status(node, watch.now) in HEARD:
        return []
    query = (
        select(Broadcast, Play.state)
        .join(Play, Play.broadcast_id == Broadcast.id)
        .where(Play.node_id == node.id, Play.outcome == Outcome.CANCEL_UNCONFIRMED)
        .where(Broadcast.start_at >= span[0], Broadcast.start_at < span[1])
        .order_by(Broadcast.start_at, Broadcast.id)
    )
    return [
        MayPlayOut(broadcast_id=row.id, title=row.title, level=Level(row.level), may_play_at=row.start_at)
        for row, state in await session.execute(query)
        if _may_sound(PlayState(state), Outcome.CANCEL_UNCONFIRMED, row, watch.now)
    ]


async def of_runs(session: AsyncSession, watch: Watch, rows: Sequence[Broadcast]) -> dict[str, UnconfirmedOut]:
    """Say, by id, what nodes out of reach may still sound of broadcasts, or of what stood in their places."""
    runs = {row.run_id or row.id for row in rows}
    dates = {(row.schedule_id, row.recurrence_local) for row in rows if row.schedule_id and row.recurrence_local}
    gone = await _taken_back(session, runs, dates, watch.now)
    doubts = await _doubts(session, watch, gone)
    found = {}
    for row in rows:
        threads = {row.run_id or row.id, (row.schedule_id, row.recurrence_local)}
        mine = [doubts[each.id] for each in gone if each.id in doubts and not threads.isdisjoint(_threads(each))]
        if said := _together(mine):
            found[row.id] = said
    return found


async def of_dates(session: AsyncSession, watch: Watch, dates: Collection[_Date]) -> dict[_Date, UnconfirmedOut]:
    """Say the same of dates of schedules, those among them that nothing stands for any more."""
    gone = await _taken_back(session, (), dates, watch.now)
    doubts = await _doubts(session, watch, gone)
    by_date: dict[_Date, list[_Doubt]] = defaultdict(list)
    for each in gone:
        if each.id in doubts and each.schedule_id and each.recurrence_local:
            by_date[each.schedule_id, each.recurrence_local].append(doubts[each.id])
    return {key: said for key, mine in by_date.items() if (said := _together(mine))}


class _Doubt(NamedTuple):
    at: datetime
    nodes: frozenset[str]


def _together(doubts: Sequence[_Doubt]) -> UnconfirmedOut | None:
    if not doubts:
        return None
    nodes = frozenset[str]().union(*(each.nodes for each in doubts))
    return UnconfirmedOut(node_count=len(nodes), may_play_at=min(each.at for each in doubts))


def _threads(row: Broadcast) -> set[object]:
    found: set[object] = {row.run_id or row.id}
    return found | {(row.schedule_id, row.recurrence_local)} if row.schedule_id else found


async def _taken_back(
    session: AsyncSession, runs: Iterable[str], dates: Iterable[_Date], now: datetime
) -> list[Broadcast]:
    """Give what was cancelled or replaced of these runs and dates, and would not be over: few or none."""
    found: dict[str, Broadcast] = {}
    over = or_(Broadcast.superseded_at.is_not(None), Broadcast.cancelled_at.is_not(None))
    query = select(Broadcast).where(over, Broadcast.latest_end_at >= now)
    for some in in_pieces(sorted(runs)):
        rows = await session.scalars(query.where(func.coalesce(Broadcast.run_id, Broadcast.id).in_(some)))
        found |= {row.id: row for row in rows}
    for pairs in in_pieces(sorted(dates)):
        rows = await session.scalars(query.where(tuple_(Broadcast.schedule_id, Broadcast.recurrence_local).in_(pairs)))
        found |= {row.id: row for row in rows}
    return sorted(found.values(), key=lambda each: (each.start_at, each.id))


async def _doubts(session: AsyncSession, watch: Watch, gone: Sequence[Broadcast]) -> dict[str, _Doubt]:
    rows = {row.id: row for row in gone}
    silent: dict[str, set[str]] = defaultdict(set)
    for some in in_pieces(sorted(rows)):
        query = (
            select(Play.broadcast_id, Play.state, Node)
            .join(Node, Node.id == Play.node_id)
            .where(Play.broadcast_id.in_(some), Play.outcome == Outcome.CANCEL_UNCONFIRMED)
            .where(Node.removed_at.is_(None), watch.seen.where(Node.area_id))
        )
        for broadcast_id, state, node in await session.execute(query):
            row, unheard = rows[broadcast_id], watch.live.status(node, watch.now) not in HEARD
            if unheard and _may_sound(PlayState(state), Outcome.CANCEL_UNCONFIRMED, row, watch.now):
                silent[broadcast_id].add(node.id)
    return {key: _Doubt(rows[key].start_at, frozenset(nodes)) for key, nodes in silent.items()}


def _may_sound(state: PlayState, outcome: Outcome | None, row: Broadcast, now: datetime) -> bool:
    """Tell whether a node that has heard nothing more would sound it: it has it, and its time is not over."""
    until_at = row.latest_end_at if state is PlayState.PLAYING else row.latest_start_at
    has_it = state.rank >= PlayState.RECEIVED.rank
    return outcome is Outcome.CANCEL_UNCONFIRMED and has_it and now <= until_at
