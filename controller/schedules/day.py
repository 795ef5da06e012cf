"""A node's day, resolved by the very function that the node plays by (promise P10).

What lies behind us is told by the node's own reports; what lies ahead is projected, approvals that are still awaited
counted as given. Dates too far ahead to be planned yet are planned here, for the look only.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.broadcasts.forecast import guards_of, listing_of, settings_of
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.on_air import OnAir, progress_of
from controller.broadcasts.wire_form import wire_forms
from controller.clock import Clock
from controller.db import Database, in_pieces
from controller.errors import InvalidError, NotFoundError
from controller.holds.reach import silencing
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.people import rights
from controller.people.actor import Actor
from controller.plays.models import Play
from controller.plays.unconfirmed import Watch, at_node
from edge_agent.protocol import content
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.states import Level, Outcome, Reason, StartMode
from edge_agent.protocol.timeline import Conclusion, Progress, Sound, View, project

from .looking import Looking
from .models import Schedule
from .planning import Planned, Planner, is_aired
from .repository import exceptions_of
from .schemas import DayEntryOut, DayOut, SoundOut
from .walltime import instant, wall_time

BEFORE = timedelta(hours=6)
"""What begins earlier than this before midnight cannot reach into the day."""


class Entry(NamedTuple):
    """A broadcast of the day, saved or only thought."""

    wire: content.Broadcast
    title: str
    schedule_id: str | None
    saved: bool
    awaits_approval: bool
    left_out: tuple[str, ...] = ()
    """Of one that is only thought: titles of what its schedule leaves out for want of time."""


class Around(NamedTuple):
    """What one node has to do in a span of time, how far it is, and all of that as the node would see it."""

    entries: tuple[Entry, ...]
    """By start."""
    plays: dict[str, Play]
    view: View


class Days:
    """Looks at the days of nodes."""

    def __init__(
        self, database: Database, clock: Clock, live: LiveNodes, *, trusted_keys: tuple[TrustedKey, ...]
    ) -> None:
        self._database, self._clock, self._live, self._trusted_keys = database, clock, live, trusted_keys

    async def of(self, actor: Actor, node_id: str, day: date | None = None) -> DayOut:
        """Resolve a day by the wall clock of where the node stands; today when none is named.

        Raises:
            NotFoundError: there is no such node.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            node = await session.get(Node, node_id)
            if node is None or node.removed_at is not None or not seen.sees(node.area_id):
                raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
            tree, now = await read_tree(session), self._clock()
            zone = tree.effective(node.area_id).zone
            day = day or wall_time(now, zone).date()
            span = (_midnight(day, zone), _midnight(day + timedelta(days=1), zone))
            around = await look(session, self._live, tree, node, span, now=now, trusted_keys=self._trusted_keys)
            unconfirmed = await at_node(session, Watch(self._live, seen, now), node, span)
        found = resolve(around.view, max(span[0] - BEFORE, now), span[1] + BEFORE)
        shown = [_out(each, around.plays.get(each.wire.broadcast_id), found, now) for each in around.entries]
        return DayOut(
            node_id=node_id,
            date=day,
            zone=zone,
            from_at=span[0],
            until_at=span[1],
            entries=tuple(each for each in shown if _touches(each, *span)),
            unconfirmed=tuple(unconfirmed),
        )


async def look(
    session: AsyncSession,
    live: LiveNodes,
    tree: Tree,
    node: Node,
    span: tuple[datetime, datetime],
    *,
    now: datetime,
    trusted_keys: tuple[TrustedKey, ...],
) -> Around:
    """Read what reaches a node in a span of time; approvals that are still awaited count as given."""
    scopes = tree.scopes(node.id, node.area_id)
    entries = await _saved(session, scopes, span) + await thought(session, tree, scopes, span, now)
    entries.sort(key=lambda each: (each.wire.start_at, each.wire.broadcast_id))
    plays = await _plays(session, node.id, [each.wire.broadcast_id for each in entries])
    guards = guards_of(tree.effective(node.area_id))
    holds = await silencing(session, live, tree, {node.id: node.area_id})
    view = View(
        listings={each.wire.broadcast_id: listing_of(each.wire) for each in entries},
        settings=settings_of(guards, trusted_keys, now),
        holds=holds.get(node.id, frozenset()),
        progress=_progress(entries, plays, guards.languages),
    )
    return Around(tuple(entries), plays, view)


def _progress(entries: Iterable[Entry], plays: Mapping[str, Play], languages: Sequence[str]) -> dict[str, Progress]:
    """Take over what the node has said."""
    wires = {each.wire.broadcast_id: each.wire for each in entries}
    on_air = [
        OnAir(key, play.item or 0, play.started_at, play.item_at)
        for key, play in plays.items()
        if play.outcome is None and play.started_at is not None
    ]
    over = {
        key: Progress(began_at=play.started_at, outcome=Outcome(play.outcome))
        for key, play in plays.items()
        if play.outcome is not None
    }
    return over | progress_of(on_air, wires, languages)


class Resolved(NamedTuple):
    """What the node's own function says of a span of time."""

    sounds: dict[str, dict[tuple[int, datetime], Sound]]
    """By broadcast; one that is cut ends where it is cut."""
    ends: dict[str, Conclusion]


def resolve(view: View, from_at: datetime, until_at: datetime) -> Resolved:
    """Walk through a day as the node would."""
    sounds: dict[str, dict[tuple[int, datetime], Sound]] = defaultdict(dict)
    ends: dict[str, Conclusion] = {}
    for step in project(view, from_at, until_at):
        if step.cut is not None:
            cut = msgspec.structs.replace(step.cut, ends_at=step.at)
            sounds[cut.broadcast_id][cut.item, cut.begins_at] = cut
        if step.sound is not None:
            key = (step.sound.item, step.sound.begins_at)
            sounds[step.sound.broadcast_id].setdefault(key, step.sound)
        ends |= {each.broadcast_id: each for each in step.conclusions}
    return Resolved(sounds, ends)


async def _saved(session: AsyncSession, scopes: Sequence[str], span: tuple[datetime, datetime]) -> list[Entry]:
    query = (
        select(Broadcast)
        .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(BroadcastTarget.scope.in_(scopes))
        .where(Broadcast.superseded_at.is_(None), Broadcast.cancelled_at.is_(None))
        .where(Broadcast.latest_end_at > span[0] - BEFORE, Broadcast.start_at < span[1])
        .order_by(Broadcast.start_at, Broadcast.id)
        .distinct()
    )
    rows = (await session.scalars(query)).all()
    forms = await wire_forms(session, rows)
    return [
        Entry(approved(forms[row.id], scopes), row.title, row.schedule_id, True, row.awaits_approval)
        for row in rows
        if row.id in forms
    ]


async def thought(
    session: AsyncSession, tree: Tree, scopes: Sequence[str], span: tuple[datetime, datetime], now: datetime
) -> list[Entry]:
    """Plan the dates that no roll has reached yet; each counts as approved for those of ``scopes`` it is aimed at."""
    found: list[Entry] = []
    looking = Looking(session, tree, (span[0] - BEFORE, span[1]))
    heard = set(scopes)
    query = select(Schedule).where(Schedule.ended_at.is_(None)).order_by(Schedule.id)
    rows = [row for row in await session.scalars(query) if not heard.isdisjoint(row.scopes)]
    changes = await exceptions_of(session, [row.id for row in rows])
    beyond_of = {row.id: max(row.rolled_until or now, now) for row in rows}
    there = await _planned_of(session, [row.id for row in rows if beyond_of[row.id] == now])
    for row in rows:
        beyond = beyond_of[row.id]
        planner: Planner | None = None
        for each in await looking.dates(row, changes.get(row.id, ())):
            if each.start_at < beyond or not is_aired(each) or (row.id, each.recurrence.isoformat()) in there:
                continue
            planner = planner or await Planner.of(session, row, tree)
            try:
                planned = await planner.plan(each)
            except InvalidError:
                continue  # the dates of the schedule say why it cannot be aired
            aimed = sorted(heard.intersection(row.scopes))
            found.append(Entry(approved(wire_of(row, planned), aimed), planned.title, row.id, False, False))
    return found


async def _planned_of(session: AsyncSession, ids: Sequence[str]) -> set[tuple[str | None, str | None]]:
    """Name the dates that have a broadcast, of schedules that wait to be rolled anew: as far as before, they are."""
    found: set[tuple[str | None, str | None]] = set()
    for some in in_pieces(ids):
        query = select(Broadcast.schedule_id, Broadcast.recurrence_local)
        rows = await session.execute(query.where(Broadcast.schedule_id.in_(some), Broadcast.superseded_at.is_(None)))
        found |= {(schedule_id, recurrence) for schedule_id, recurrence in rows}
    return found


def wire_of(row: Schedule, planned: Planned, *, prefix: str = "z") -> content.Broadcast:
    """Write a date as nodes would get it, without an approval. Ids with a prefix sort after all hexadecimal ones."""
    start_at, latest_start_at, latest_end_at = planned.session[:3]
    return content.Broadcast(
        broadcast_id=f"{prefix}-{row.id[:32]}-{start_at:%Y%m%d%H%M}",
        level=Level(row.level),
        start_at=start_at,
        latest_start_at=latest_start_at,
        latest_end_at=latest_end_at,
        order=row.position,
        start=StartMode(row.start_mode),
        items=planned.laid_out.items,
    )


def approved(wire: content.Broadcast, scopes: Sequence[str]) -> content.Broadcast:
    """Count an approval as given."""
    yes = content.Approval(
        approval_id="preview",
        content_sha256=content.content_hash(wire.items, wire.drill),
        scopes=tuple(scopes),
        not_before_at=wire.start_at,
        not_after_at=wire.latest_end_at,
    )
    return msgspec.structs.replace(wire, approvals=(yes,))


async def _plays(session: AsyncSession, node_id: str, ids: Sequence[str]) -> dict[str, Play]:
    return {
        row.broadcast_id: row
        for some in in_pieces(ids)
        for row in await session.scalars(select(Play).where(Play.node_id == node_id, Play.broadcast_id.in_(some)))
    }


def _out(entry: Entry, play: Play | None, found: Resolved, now: datetime) -> DayEntryOut:
    wire, end = entry.wire, found.ends.get(entry.wire.broadcast_id)
    said = play is not None and play.outcome is not None
    outcome = play.outcome if play is not None and said else end.outcome if end else None
    reason = play.reason if play is not None and said else end.reason if end else None
    sounds = sorted(found.sounds.get(wire.broadcast_id, {}).values(), key=lambda each: each.begins_at)
    return DayEntryOut(
        broadcast_id=wire.broadcast_id if entry.saved else None,
        schedule_id=entry.schedule_id,
        title=entry.title,
        level=wire.level,
        start_at=wire.start_at,
        latest_start_at=wire.latest_start_at,
        latest_end_at=wire.latest_end_at,
        awaits_approval=entry.awaits_approval,
        outcome=Outcome(outcome) if outcome else None,
        reason=Reason(reason) if reason else None,
        by=play.interrupted_by if play is not None and said else end.by if end else None,
        is_past=said or wire.latest_end_at <= now,
        grade=play.grade if play is not None else None,
        simulated=play is not None and play.simulated,
        sounds=tuple(
            SoundOut(
                begins_at=each.begins_at,
                ends_at=each.ends_at,
                item=each.item,
                language=each.voice.language,
                sha256=each.voice.sha256,
            )
            for each in sounds
        ),
    )


def _touches(entry: DayEntryOut, from_at: datetime, until_at: datetime) -> bool:
    """Keep what belongs to the day: what starts in it, or reaches into it from the evening before."""
    last = max((each.ends_at for each in entry.sounds), default=entry.start_at)
    return from_at <= entry.start_at < until_at or (entry.start_at < from_at < last)


def _midnight(day: date, zone: str) -> datetime:
    return instant(datetime.combine(day, time()), zone)
