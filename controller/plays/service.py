"""Plays in the database: planned with their broadcast, moved on by what nodes report, swept when nothing comes."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from controller.areas.repository import read_tree
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.db import Transaction, in_pieces
from controller.events import Event, Topic
from controller.names import in_reading_order
from controller.nodes.models import Node
from controller.nodes.rules import NodeKind
from controller.people.rights import EVERYTHING, Sight
from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.states import Outcome, PlayState, Reason

from .models import Play
from .rules import UNKNOWN_AFTER, PlayFacts, advance
from .schemas import PlayOut

IN_LIST = 200
"""Plays in one query: far below SQLite's limit of bound values."""

SHOWN = (Play, Node.name, Node.area_id, Node.kind, Node.abilities["output"].as_string() == "virtual")
"""What ``out`` is made of."""
_Key = tuple[str, str]
"""Broadcast, node."""
_table = cast("Table", Play.__table__)
_move = (
    update(_table)
    .where(_table.c.broadcast_id == bindparam("of_broadcast"), _table.c.node_id == bindparam("of_node"))
    .values({name: bindparam(name, type_=_table.c[name].type) for name in (*PlayFacts._fields, "updated_at")})
)


async def plan(tx: Transaction, broadcast_id: str, node_ids: Iterable[str], *, now: datetime) -> None:
    """Write a planned play for each node, in the transaction that makes the broadcast."""
    rows = [
        {
            "broadcast_id": broadcast_id,
            "node_id": node_id,
            "state": PlayState.PLANNED,
            "simulated": False,
            "updated_at": now,
        }
        for node_id in node_ids
    ]
    if rows:
        await tx.session.execute(insert(Play), rows)


async def join(tx: Transaction, node_id: str, scopes: Collection[str], *, now: datetime) -> None:
    """Plan the coming broadcasts of a node that was adopted or moved: it will find them in its areas' plans."""
    query = (
        select(Broadcast.id)
        .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(BroadcastTarget.scope.in_(scopes))
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None), Broadcast.latest_start_at > now)
        .distinct()
    )
    listed = set(await tx.session.scalars(query))
    known = set(await tx.session.scalars(select(Play.broadcast_id).where(Play.node_id == node_id)))
    left = Play.outcome == Outcome.CANCEL_UNCONFIRMED
    for some in in_pieces(sorted(listed & known)):  # it went and came back before its node heard of it
        back = (Play.node_id == node_id) & Play.broadcast_id.in_(some) & left
        await tx.session.execute(update(Play).where(back).values(outcome=None, updated_at=now))
    for broadcast_id in sorted(listed - known):
        await plan(tx, broadcast_id, [node_id], now=now)
        tx.tell(Event(Topic.PLAY, broadcast_id, node_id))


async def leave(tx: Transaction, node_id: str, scopes: Collection[str], *, now: datetime) -> None:
    """Take a node out of coming broadcasts that are not aimed at any of its scopes: it was moved.

    As with what is cancelled, nobody knows that it will not play them before it says so.
    """
    aimed = select(BroadcastTarget.broadcast_id).where(BroadcastTarget.scope.in_(scopes))
    query = (
        select(Play)
        .join(Broadcast, Broadcast.id == Play.broadcast_id)
        .where(Play.node_id == node_id, Play.outcome.is_(None), Play.state != PlayState.PLAYING)
        .where(Broadcast.latest_start_at > now, Play.broadcast_id.not_in(aimed))
    )
    for play in (await tx.session.scalars(query)).all():
        play.outcome, play.updated_at = Outcome.CANCEL_UNCONFIRMED, now
        tx.tell(Event(Topic.PLAY, play.broadcast_id, node_id))


async def lose(tx: Transaction, node_id: str, *, now: datetime) -> int:
    """End all that a node in strange hands has not ended; gives how many. What it still sounds, nobody hears of."""
    query = select(Play).where(Play.node_id == node_id, Play.outcome.is_(None))
    open_plays = (await tx.session.scalars(query)).all()
    for play in open_plays:
        play.outcome, play.updated_at = Outcome.CANCEL_UNCONFIRMED, now
        tx.tell(Event(Topic.PLAY, play.broadcast_id, node_id))
    return len(open_plays)


async def apply(tx: Transaction, node_id: str, event: PlayEvent, now: datetime) -> bool:
    """Take in one play event; see ``apply_many``. Say whether it changed anything."""
    return bool(await apply_many(tx, [(node_id, event)], now))


async def apply_many(tx: Transaction, said: Iterable[tuple[str, PlayEvent]], now: datetime) -> set[_Key]:
    """Take in play events by node, in this order, whose signatures were checked; name the plays that moved.

    A node moves its own plays only; what it says of a broadcast that was not meant for it stays a receipt.
    Below the ORM: plays that the session holds as objects are not changed.
    """
    by_play: dict[_Key, list[PlayEvent]] = {}
    for node_id, event in said:
        by_play.setdefault((event.broadcast_id, node_id), []).append(event)
    connection = await tx.session.connection()
    before = await _locked(connection, list(by_play))
    after = {key: reduce(advance, by_play[key], facts) for key, facts in before.items()}
    moved = {key: facts for key, facts in after.items() if facts != before[key]}
    if moved:
        rows = [
            {"of_broadcast": broadcast_id, "of_node": node_id, **facts._asdict(), "updated_at": now}
            for (broadcast_id, node_id), facts in moved.items()
        ]
        await connection.execute(_move, rows)
    for key in moved:
        tx.tell(Event(Topic.PLAY, *key))
    return set(moved)


async def _locked(connection: AsyncConnection, keys: Sequence[_Key]) -> dict[_Key, PlayFacts]:
    """Read plays, and keep others from changing them until the end of the transaction."""
    found: dict[_Key, PlayFacts] = {}
    ordered = sorted(keys)  # so that no two wait crosswise
    columns = (_table.c.broadcast_id, _table.c.node_id, *(_table.c[name] for name in PlayFacts._fields))
    for some in (ordered[at : at + IN_LIST] for at in range(0, len(ordered), IN_LIST)):
        query = select(*columns).where(tuple_(*columns[:2]).in_(some)).order_by(*columns[:2]).with_for_update()
        for broadcast_id, node_id, *values in await connection.execute(query):
            found[broadcast_id, node_id] = _facts(*values)
    return found


async def sweep(tx: Transaction, now: datetime) -> int:
    """Write ``unknown`` where no report came; gives how many. A later report replaces it."""
    query = (
        select(Play)
        .join(Broadcast, Broadcast.id == Play.broadcast_id)
        .where(Play.outcome.is_(None), Broadcast.latest_end_at < now - UNKNOWN_AFTER)
        .where(Broadcast.awaits_approval.is_(False))  # nobody can have heard of it: see ``approvals.expiry``
    )
    overdue = (await tx.session.scalars(query)).all()
    for play in overdue:
        play.outcome, play.updated_at = Outcome.UNKNOWN, now
    for broadcast_id in sorted({play.broadcast_id for play in overdue}):
        tx.tell(Event(Topic.BROADCAST, broadcast_id))
    return len(overdue)


async def cancel(
    tx: Transaction,
    broadcast_id: str,
    outcome: Outcome = Outcome.CANCEL_UNCONFIRMED,
    reason: Reason | None = None,
    *,
    now: datetime,
) -> int:
    """End what has no outcome, as a rule unconfirmed until the node says what it did; gives how many."""
    query = select(Play).where(Play.broadcast_id == broadcast_id, Play.outcome.is_(None))
    open_plays = (await tx.session.scalars(query)).all()
    for play in open_plays:
        play.outcome, play.reason, play.updated_at = outcome, reason, now
    return len(open_plays)


async def of_broadcast(session: AsyncSession, broadcast_id: str, seen: Sight = EVERYTHING) -> list[PlayOut]:
    """Give the plays of one broadcast at the nodes in sight, area by area."""
    tree = await read_tree(session)
    order = {place.id: index for index, place in enumerate(tree.walk())}
    query = select(*SHOWN).join(Node, Node.id == Play.node_id).where(Play.broadcast_id == broadcast_id)
    query = query.where(seen.where(Node.area_id))
    rows = (await session.execute(query)).all()
    found = sorted(rows, key=lambda row: (order[row[2]], in_reading_order(row[1]), row[0].node_id))
    return [out(play, name, kind, tree.path(area_id), virtual=virtual) for play, name, area_id, kind, virtual in found]


def _facts(state: str, outcome: str | None, reason: str | None, *rest: Any) -> PlayFacts:
    """Read the columns of a play, in the order of ``PlayFacts``."""
    return PlayFacts(
        PlayState(state),
        Outcome(outcome) if outcome else None,
        Reason(reason) if reason else None,
        *rest,
    )


def out(play: Play, node_name: str, kind: str, area_path: tuple[str, ...], *, virtual: bool | None) -> PlayOut:
    """Show a play; ``virtual``: what sounds at this node now sounds at no real output."""
    facts = _facts(*(getattr(play, name) for name in PlayFacts._fields))._asdict()
    del facts["item"], facts["item_at"]
    facts["reached"] = facts["state"]
    is_sounding = facts["outcome"] is None and facts["state"] is PlayState.PLAYING
    facts["simulated"] = play.simulated or (is_sounding and bool(virtual))
    if facts["outcome"] is not None:
        facts["state"] = None
    return PlayOut(
        broadcast_id=play.broadcast_id,
        node_id=play.node_id,
        node_name=node_name,
        reports=kind == NodeKind.AGENT,
        area_path=area_path,
        updated_at=play.updated_at,
        **facts,
    )
