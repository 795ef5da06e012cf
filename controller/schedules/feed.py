"""What a page of days shows: the dates of schedules, single broadcasts, holidays, lunar days, what meets what."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from lunar_vn import solar_to_lunar
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import Standing, read_tree
from controller.areas.rules import Tree
from controller.areas.targets import node_names, scope_name
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.repository import asked_of as asked_of_runs
from controller.broadcasts.repository import in_sight
from controller.clock import Clock
from controller.db import Database, in_pieces
from controller.errors import InvalidError
from controller.names import known_zone
from controller.nodes.live import LiveNodes
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Sight
from controller.plays.unconfirmed import Watch
from controller.policies.checks import NOTHING, Places, refused_by_nodes
from controller.policies.limits import Airing
from controller.programmes.models import Programme
from controller.programmes.shelf import Shelf
from edge_agent.protocol.states import Level

from .asked import asked_of
from .conflicts import Reach, dated_spans
from .dates import Changes, date_outs
from .days import dates_between, holiday_names, read_days
from .expand import Verdict
from .feed_schemas import FeedCalendar, FeedDay, FeedEntry, FeedOut
from .looking import Looking
from .models import Calendar, Schedule
from .planning import Planner
from .repository import exceptions_of
from .schemas import DateOut
from .states import OnCalendarDay
from .walltime import instant, wall_time

LONGEST = timedelta(days=62)
"""Two months: more is no page."""
MOST_SCHEDULES = 60
"""More fill no page that anybody reads: a place has to be chosen."""
MOST_SINGLE = 500
MOST_MET = 3
"""Of what an entry meets so many are named."""
DEFAULT_ZONE = "Asia/Ho_Chi_Minh"


class Feeds:
    """Reads days for a page. Writes nothing."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes) -> None:
        self._database, self._clock, self._live = database, clock, live

    async def of(self, actor: Actor, from_day: date, until_day: date, area_id: str | None = None) -> FeedOut:
        """Give ``[from_day, until_day)`` of what is in sight; of an area and those below it when one is named.

        Raises:
            InvalidError: too many days.
            NotFoundError: there is no such area in sight.
        """
        if not from_day < until_day <= from_day + LONGEST:
            raise InvalidError(f"until: after from, at most {LONGEST.days} days", field="until", problem="range")
        async with self._database.reading() as session:
            seen = await rights.within(session, await rights.sight(session, actor), area_id)
            tree = await read_tree(session)
            zone = _zone(tree, seen, area_id)
            look = _Look(session, tree, seen, zone, (from_day, until_day))
            entries, is_cut = await look.dates(self._clock(), Watch(self._live, seen, self._clock()))
            entries += await look.single(self._clock())
            days = await look.days(area_id)
        entries.sort(key=lambda each: (each.starts_local, each.title))
        return FeedOut(zone=zone, days=days, entries=tuple(_meeting(entries, look.heard_by)), is_cut=is_cut)


def _zone(tree: Tree, seen: Sight, area_id: str | None) -> str:
    first = area_id or next((place.id for place in tree.walk() if seen.sees(place.id) and not place.is_removed), None)
    return (known_zone(tree.effective(first).zone) if first else None) or DEFAULT_ZONE


class _Look:
    """One reading of some days."""

    def __init__(self, session: AsyncSession, tree: Tree, seen: Sight, zone: str, days: tuple[date, date]) -> None:
        self._session, self._tree, self._seen, self._zone = session, tree, seen, zone
        self._first, self._until = from_day, until_day = days
        self._from_at, self._until_at = (instant(datetime.combine(day, time()), zone) for day in (from_day, until_day))
        self._reach: Reach | None = None
        self.heard_by: dict[str, frozenset[str]] = {}
        """Ids of nodes by the key of an entry."""

    async def dates(self, now: datetime, watch: Watch) -> tuple[list[FeedEntry], bool]:
        """Give the dates of schedules, and whether there are more schedules than are shown."""
        query = select(Schedule).where(Schedule.ended_at.is_(None), self._seen.where(Schedule.area_id))
        rows = (
            await self._session.scalars(query.order_by(Schedule.title, Schedule.id).limit(MOST_SCHEDULES + 1))
        ).all()
        shown = rows[:MOST_SCHEDULES]
        looking = Looking(self._session, self._tree, (self._from_at, self._until_at))
        changes = await exceptions_of(self._session, [row.id for row in shown])
        shelf = await self._shelf(looking, shown, changes)
        planners = {
            row.id: Planner(self._session, row, await self._under(row.scopes), self._tree, shelf=shelf) for row in shown
        }
        found = await date_outs(looking, shown, changes=changes, now=now, check=NOTHING, watch=watch, planners=planners)
        spans: dict[tuple[str, datetime], tuple[datetime, datetime]] = {}
        for row in shown:
            for date_, span in await dated_spans(looking, row, changes.get(row.id, ()), planners[row.id]):
                spans[row.id, date_.recurrence] = span.start_at, span.end_at
        names = await node_names(self._session, {scope for row in shown for scope in row.scopes})
        by_id, waits = {row.id: row for row in shown}, await asked_of(self._session, shown, now=now)
        heard_by = {row.id: planners[row.id].node_ids for row in shown}
        instead = await self._instead(found, by_id)
        entries = []
        for each in found:
            row = by_id[each.schedule_id]
            entry = self._date(each, row, spans.get((row.id, each.recurrence_local)), names)
            asked = next((one for one in waits.get(row.id, ()) if one.is_about(each.programme_id)), None)
            entry = entry.model_copy(update={"approval": asked, "instead": instead.get(entry.key)})
            self.heard_by[entry.key] = heard_by[row.id]
            entries.append(entry)
        return entries, len(rows) > MOST_SCHEDULES

    async def _shelf(self, looking: Looking, rows: Sequence[Schedule], changes: Changes) -> Shelf:
        """Read all that the schedules may air at once: one by one, a page of a province takes most of its time."""
        aired = await looking.programmes(rows, (change for each in changes.values() for change in each))
        return await Shelf.read(self._session, aired, filter(None, (row.filler_recording_id for row in rows)))

    async def _instead(self, found: Sequence[DateOut], rows: Mapping[str, Schedule]) -> dict[str, str]:
        """Name, by the key of their entry, the programmes that are not those of their schedules."""
        others = {
            f"{each.schedule_id}@{each.recurrence_local.isoformat()}": each.programme_id
            for each in found
            if each.verdict == Verdict.AIRED and each.programme_id != rows[each.schedule_id].programme_id
        }
        titles: dict[str, str] = {}
        for some in in_pieces(sorted(set(others.values()))):
            query = select(Programme.id, Programme.title).where(Programme.id.in_(some))
            titles |= dict((await self._session.execute(query)).all())
        return {key: titles[programme_id] for key, programme_id in others.items() if programme_id in titles}

    def _date(
        self, each: DateOut, row: Schedule, span: tuple[datetime, datetime] | None, names: dict[str, str]
    ) -> FeedEntry:
        start_at, end_at = span or (each.start_at, each.start_at)
        return FeedEntry(
            key=f"{row.id}@{each.recurrence_local.isoformat()}",
            title=row.title,
            area_id=row.area_id,
            schedule_id=row.id,
            date=each,
            broadcast_id=each.broadcast_id,
            is_series=row.rule is not None,
            version=row.version,
            level=Level(row.level),
            start_at=start_at,
            ends_at=end_at,
            starts_local=wall_time(start_at, self._zone),
            ends_local=wall_time(end_at, self._zone),
            places=self._names(row.scopes, names),
        )

    async def single(self, now: datetime) -> list[FeedEntry]:
        """Give what somebody planned by hand for one time."""
        rows = (
            await self._session.scalars(
                select(Broadcast)
                .where(Broadcast.schedule_id.is_(None), Broadcast.urgent.is_(False), in_sight(self._seen))
                .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
                .where(Broadcast.start_at >= self._from_at, Broadcast.start_at < self._until_at)
                .order_by(Broadcast.start_at, Broadcast.id)
                .limit(MOST_SINGLE)
            )
        ).all()
        scopes: dict[str, list[str]] = defaultdict(list)
        for some in in_pieces([row.id for row in rows]):
            query = select(BroadcastTarget).where(BroadcastTarget.broadcast_id.in_(some))
            for target in await self._session.scalars(query.order_by(BroadcastTarget.scope)):
                scopes[target.broadcast_id].append(target.scope)
        names = await node_names(self._session, {scope for each in scopes.values() for scope in each})
        waiting = [row for row in rows if row.awaits_approval]
        asked = await asked_of_runs(self._session, waiting, self._seen) if waiting else {}
        entries = [await self._single(row, scopes[row.id], names, now) for row in rows]
        return [each.model_copy(update={"approval": asked.get(each.key)}) for each in entries]

    async def _single(self, row: Broadcast, scopes: Sequence[str], names: dict[str, str], now: datetime) -> FeedEntry:
        run = Airing(row.start_at, timedelta(milliseconds=row.length_ms))
        ends_at, nodes = run.ends_at, await self._under(scopes)
        self.heard_by[row.id] = frozenset(node.id for node in nodes)
        is_guarded = row.level != Level.EMERGENCY and row.latest_end_at > now
        refused = refused_by_nodes(Places.of_nodes(self._tree, nodes), [run]) if is_guarded else {}
        return FeedEntry(
            key=row.id,
            title=row.title,
            area_id=row.area_id,
            broadcast_id=row.id,
            level=Level(row.level),
            start_at=row.start_at,
            ends_at=ends_at,
            starts_local=wall_time(row.start_at, self._zone),
            ends_local=wall_time(ends_at, self._zone),
            places=self._names(scopes, names),
            awaits_approval=row.awaits_approval,
            breaches=refused.get(run, ()),
        )

    async def _under(self, scopes: Sequence[str]) -> list[Standing]:
        """Give the nodes in sight that scopes reach. They are read once for all."""
        if self._reach is None:
            self._reach = await Reach.read(self._session, self._tree, self._seen)
        return self._reach.standing(scopes)

    def _names(self, scopes: Sequence[str], names: dict[str, str]) -> tuple[str, ...]:
        """Name the places in sight; what a broadcast reaches elsewhere has no name here."""
        seen = (scope for scope in scopes if self._sees(scope))
        return tuple(scope_name(scope, self._tree, names) for scope in seen)

    def _sees(self, scope: str) -> bool:
        kind, _, key = scope.partition("/")
        return self._seen.sees(key) if kind == "areas" else self._reach is not None and self._reach.knows(key)

    async def days(self, area_id: str | None) -> tuple[FeedDay, ...]:
        """Say of each day what it is besides its date."""
        query = select(Calendar).where(Calendar.ended_at.is_(None)).order_by(Calendar.title, Calendar.id)
        said: dict[date, dict[tuple[str, str], FeedCalendar]] = defaultdict(dict)
        last = self._until - timedelta(days=1)
        around = None if area_id is None else {place.id for place in self._tree.chain(area_id)}
        for row in await self._session.scalars(query):
            if not (self._seen.knows(row.area_id) or (around is not None and row.area_id in around)):
                continue
            place = self._tree.places[row.area_id].name
            for day in dates_between(read_days(row.days), self._first, last):
                effect = OnCalendarDay(row.effect)
                said[day][row.title, effect] = FeedCalendar(title=row.title, effect=effect, area_name=place)
        count = (self._until - self._first).days
        return tuple(_day(self._first + timedelta(days=step), said) for step in range(count))


def _day(day: date, said: dict[date, dict[tuple[str, str], FeedCalendar]]) -> FeedDay:
    lunar, holiday = solar_to_lunar(day), holiday_names(day)
    return FeedDay(
        date=day,
        lunar_day=lunar.day,
        lunar_month=lunar.month,
        is_leap_month=lunar.leap,
        holiday=holiday[0] if holiday else None,
        holiday_en=holiday[1] if holiday else None,
        calendars=tuple(said.get(day, {}).values()),
    )


def _meeting(entries: Sequence[FeedEntry], heard_by: dict[str, frozenset[str]]) -> list[FeedEntry]:
    """Name with each entry what sounds at the same time at one of its nodes. ``entries`` by start."""
    met: dict[str, list[str]] = defaultdict(list)
    counted = [each for each in entries if each.sounds]
    for index, each in enumerate(counted):
        for other in counted[index + 1 :]:
            if other.start_at >= each.ends_at:
                break
            if each.start_at < other.ends_at and not heard_by[each.key].isdisjoint(heard_by[other.key]):
                met[each.key].append(other.title)
                met[other.key].append(each.title)
    return [
        each.model_copy(update={"meets": tuple(dict.fromkeys(met[each.key]))[:MOST_MET]}) if each.key in met else each
        for each in entries
    ]
