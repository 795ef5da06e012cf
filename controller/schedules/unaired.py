"""Dates of which no broadcast came to be: kept by rolling, read by whoever asks whether what was to sound did."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from controller.areas.repository import read_tree
from controller.areas.targets import areas_of, node_names, scope_name
from controller.broadcasts.around import day_of
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.repository import in_sight, sounds_in
from controller.broadcasts.schemas import TargetOut
from controller.clock import Clock
from controller.db import Database, Transaction, among, elements, in_pieces
from controller.errors import InvalidError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.nodes.models import Node
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight
from edge_agent.protocol.states import Level

from .expand import Occurrence
from .models import Schedule, UnairedDate
from .schemas import UnairedOut
from .states import NOT_PLANNED

SOON = timedelta(hours=48)
"""Each schedule is rolled daily: this far ahead somebody is told at least a day before."""
MOST_A_DAY = 500

Broken = Mapping[str, tuple[Occurrence, InvalidError]]
"""Dates that cannot be aired, by name, and why."""


class NotPlannedError(InvalidError):
    """Nobody planned a date before its time was over: the centre was down, or failed at its schedule."""

    code = NOT_PLANNED


async def keep(tx: Transaction, row: Schedule, broken: Broken, aired: Collection[str], *, now: datetime) -> None:
    """Write down what a roll could not plan; what it could, or is not to be any more, is taken back.

    ``aired``: names of the dates that are planned. What has passed unaired stays, unless its date was moved.
    """
    named = (UnairedDate.recurrence_local.in_(some) for some in in_pieces(sorted({*broken, *aired})))
    query = select(UnairedDate).where(UnairedDate.schedule_id == row.id, or_(UnairedDate.start_at > now, *named))
    there = {each.recurrence_local: each for each in await tx.session.scalars(query)}
    for name in there.keys() - broken.keys():
        await tx.session.delete(there[name])
    written = [_written(tx, row, there.get(name), *why, now=now) for name, why in broken.items()]
    await tx.session.flush()
    if any(written) or there.keys() - broken.keys():
        tx.tell(Event(Topic.SCHEDULE, row.id))


async def keep_missed(tx: Transaction, row: Schedule, missed: Collection[Occurrence], *, now: datetime) -> None:
    """Write down the dates that passed before anybody planned them; of which anything is known stays as it is."""
    names, known = {each.recurrence.isoformat(): each for each in missed}, set[str | None]()
    for some in in_pieces(sorted(names)):
        for table in (Broadcast, UnairedDate):
            its = table.schedule_id == row.id, table.recurrence_local.in_(some)
            known |= set(await tx.session.scalars(select(table.recurrence_local).where(*its)))
    error = NotPlannedError("the centre did not plan it in time")
    for name in names.keys() - known:
        _written(tx, row, None, names[name], error, now=now)
    if names.keys() - known:
        tx.tell(Event(Topic.SCHEDULE, row.id))


def _written(
    tx: Transaction, row: Schedule, known: UnairedDate | None, date_: Occurrence, error: InvalidError, *, now: datetime
) -> bool:
    """Write one down; say whether anything was new."""
    said: dict[str, Any] = {
        "start_at": date_.start_at,
        "title": row.title,
        "level": row.level,
        "scopes": list(row.scopes),
        "problem": error.code,
        "message": error.message,
        "detail": {
            "problem": error.fields.get("problem"),
            "title": error.fields.get("title"),
            "rules": list(error.fields.get("rules", ())),
        },
    }
    if known is not None and all(getattr(known, name) == value for name, value in said.items()):
        return False
    if known is None:
        known = UnairedDate(id=new_id(), schedule_id=row.id, recurrence_local=date_.recurrence.isoformat())
        tx.session.add(known)
    for name, value in {**said, "noted_at": now}.items():
        setattr(known, name, value)
    return True


def seen_by(seen: Sight) -> ColumnElement[bool]:
    """Give the condition under which a date is in sight: its schedule is, or its broadcast was before it was taken out.

    So is one aimed there of a schedule of which any date was in sight. What was never told to anybody below is nobody's
    there: it may be a draft.
    """
    if seen.areas is None:
        return true()
    its_date = Broadcast.recurrence_local == UnairedDate.recurrence_local
    return or_(_of(seen), _was(its_date, in_sight(seen)), and_(_aimed(seen), _was(_is_told(seen))))


def heard_in(seen: Sight) -> ColumnElement[bool]:
    """Give the condition under which a date is of places in sight, or would have been heard at a node there."""
    if seen.areas is None:
        return true()
    its_date = Broadcast.recurrence_local == UnairedDate.recurrence_local
    return or_(_of(seen), _aimed(seen), _was(its_date, sounds_in(seen)))


def _of(seen: Sight) -> ColumnElement[bool]:
    its = select(Schedule.id).where(Schedule.id == UnairedDate.schedule_id, seen.where(Schedule.area_id))
    return its.correlate(UnairedDate).exists()


def _aimed(seen: Sight) -> ColumnElement[bool]:
    """Is aimed at a place in sight or above, or at a node there."""
    scope = elements(UnairedDate.scopes)
    places = [f"areas/{area_id}" for area_id in (seen.areas or frozenset()) | seen.above]
    nodes = select(literal("nodes/") + Node.id).where(seen.where(Node.area_id))
    there = or_(among(scope.c.value, places), scope.c.value.in_(nodes))
    return select(scope.c.value).where(there).correlate(UnairedDate).exists()


def _was(*such: ColumnElement[bool]) -> ColumnElement[bool]:
    query = select(Broadcast.id).where(Broadcast.schedule_id == UnairedDate.schedule_id, *such)
    return query.correlate(UnairedDate).exists()


def _is_told(seen: Sight) -> ColumnElement[bool]:
    return and_(Broadcast.awaits_approval.is_(False), sounds_in(seen))


class Shown(NamedTuple):
    """What a date is found, sorted and narrowed by: what is shown of it, so that nobody finds out what is not."""

    title: ColumnElement[str]
    search: ColumnElement[str]
    level: ColumnElement[str]


def shown_to(seen: Sight) -> Shown:
    """Give these columns: of the date itself to whom its schedule is in sight, else of what was told of it."""
    its = Shown(*(getattr(UnairedDate, name) for name in Shown._fields))
    if seen.areas is None:
        return its
    its_date = Broadcast.recurrence_local == UnairedDate.recurrence_local

    def told(name: str) -> ColumnElement[str]:
        of_any = _told_last(UnairedDate, getattr(Broadcast, name), seen=seen).limit(1).correlate(UnairedDate)
        return func.coalesce(of_any.where(its_date).scalar_subquery(), of_any.scalar_subquery(), "")

    those = [told(name) for name in Shown._fields]
    return Shown(*(case((_of(seen), own), else_=other) for own, other in zip(its, those, strict=True)))


async def outs(session: AsyncSession, query: Select[UnairedDate], seen: Sight) -> list[UnairedOut]:
    """Give the dates of a query as the API shows them, in its order. ``seen``: all that may be read."""
    its = query.join(Schedule, Schedule.id == UnairedDate.schedule_id).add_columns(Schedule.area_id)
    rows = (await session.execute(its)).all()
    if not rows:
        return []
    told = {row.id: await _told(session, row, seen) for row, area_id in rows if not seen.sees(area_id)}
    of = {row.id: told.get(row.id) or _Told(row.title, row.level, tuple(row.scopes)) for row, _ in rows}
    scopes, tree = {scope for each in of.values() for scope in each.scopes}, await read_tree(session)
    known, names = await areas_of(session, scopes, removed=True), await node_names(session, scopes)
    replaced = await _replaced(session, [row.id for row, _ in rows], seen)
    return [
        _out(
            row,
            of[row.id],
            replaced.get(row.id, ()),
            [
                TargetOut(scope=scope, name=scope_name(scope, tree, names))
                for scope in of[row.id].scopes
                if seen.knows(known.get(scope))
            ],
            is_seen=seen.sees(area_id),
        )
        for row, area_id in rows
    ]


class _Told(NamedTuple):
    title: str
    level: str
    scopes: tuple[str, ...]


def _told_last(
    date_: UnairedDate | type[UnairedDate], *columns: InstrumentedAttribute[str], seen: Sight
) -> Select[*tuple[Any, ...]]:
    """Find what was told of the schedule of a date, the last first."""
    query = select(*columns).where(Broadcast.schedule_id == date_.schedule_id, _is_told(seen))
    return query.order_by(Broadcast.created_at.desc(), Broadcast.id)


async def _told(session: AsyncSession, row: UnairedDate, seen: Sight) -> _Told:
    """Give what was told of a date to whom its schedule is not in sight, else of the date planned last."""
    told = _told_last(row, Broadcast.id, Broadcast.title, Broadcast.level, seen=seen).limit(1)
    of_it = told.where(Broadcast.recurrence_local == row.recurrence_local)
    last = (await session.execute(of_it)).first() or (await session.execute(told)).first()
    if last is None:
        return _Told("", Level.NORMAL, ())
    its = select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == last.id).order_by(BroadcastTarget.scope)
    return _Told(last.title, last.level, tuple(await session.scalars(its)))


async def _replaced(session: AsyncSession, ids: Sequence[str], seen: Sight) -> dict[str, list[str]]:
    """Give, by date, the broadcasts in sight that stood for it."""
    found: dict[str, list[str]] = {}
    its = and_(
        Broadcast.schedule_id == UnairedDate.schedule_id, Broadcast.recurrence_local == UnairedDate.recurrence_local
    )
    query = select(UnairedDate.id, Broadcast.id).join(Broadcast, its).where(Broadcast.superseded_at.is_not(None))
    for some in in_pieces(ids):
        its_own = query.where(UnairedDate.id.in_(some), in_sight(seen)).order_by(Broadcast.created_at, Broadcast.id)
        for date_id, broadcast_id in await session.execute(its_own):
            found.setdefault(date_id, []).append(broadcast_id)
    return found


def _out(
    row: UnairedDate, told: _Told, replaced: Sequence[str], targets: Sequence[TargetOut], *, is_seen: bool
) -> UnairedOut:
    """``is_seen``: the schedule is in sight; to others nothing is told of what it says."""
    detail = row.detail if is_seen else {}
    return UnairedOut(
        id=row.id,
        schedule_id=row.schedule_id if is_seen else None,
        recurrence_local=datetime.fromisoformat(row.recurrence_local),
        start_at=row.start_at,
        title=told.title,
        level=Level(told.level),
        targets=tuple(targets),
        problem=row.problem,
        problem_message=row.message if is_seen else "",
        cause=detail.get("problem"),
        item=detail.get("title"),
        rules=tuple(detail.get("rules", ())),
        noted_at=row.noted_at,
        replaced_ids=tuple(replaced),
    )


async def next_of(session: AsyncSession, ids: Sequence[str], seen: Sight, *, now: datetime) -> dict[str, UnairedOut]:
    """Give by schedule the next date that cannot be aired as it is."""
    found: dict[str, UnairedOut] = {}
    for some in in_pieces(ids):
        query = select(UnairedDate).where(UnairedDate.schedule_id.in_(some), UnairedDate.start_at > now)
        for each in await outs(session, query.order_by(UnairedDate.start_at), seen):
            if each.schedule_id is not None:
                found.setdefault(each.schedule_id, each)
    return found


class UnairedDates:
    """Reads what did not come to be."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def today(self, actor: Actor, zone: str = "Asia/Ho_Chi_Minh", area_id: str | None = None) -> list[UnairedOut]:
        """Give those of today by the wall clock of ``zone``, by start, those to come too; of an area when it is named.

        Raises:
            NotFoundError: there is no such area in sight.
        """
        midnight, tomorrow = day_of(self._clock(), zone)
        query = select(UnairedDate).where(UnairedDate.start_at >= midnight, UnairedDate.start_at < tomorrow)
        async with self._database.reading() as session:
            whole = await rights.sight(session, actor)
            seen = await rights.within(session, whole, area_id)
            query = query.where(seen_by(whole), true() if area_id is None else heard_in(seen))
            return await outs(session, query.order_by(UnairedDate.start_at, UnairedDate.id).limit(MOST_A_DAY), whole)

    async def soon(self, actor: Actor, *, passed_for: timedelta) -> list[UnairedOut]:
        """Give those of schedules that somebody may change, by start: of the coming ``SOON``, and of just before."""
        now = self._clock()
        near = UnairedDate.start_at > now - passed_for, UnairedDate.start_at < now + SOON
        async with self._database.reading() as session:
            theirs = await rights.reach(session, actor, Act.SCHEDULES_WRITE)
            query = select(UnairedDate).where(*near, true() if theirs.areas is None else _of(theirs))
            return await outs(session, query.order_by(UnairedDate.start_at, UnairedDate.id).limit(MOST_A_DAY), theirs)
