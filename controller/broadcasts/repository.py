"""Broadcasts in SQL: as the API shows them, as nodes get them, and what else nodes have to do."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from controller.approvals.models import ApprovalRequest
from controller.approvals.states import RequestState
from controller.areas.repository import read_branches
from controller.areas.rules import Tree
from controller.areas.targets import areas_of, node_names, scope_name
from controller.db import in_pieces
from controller.holds.reach import silencing
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node, is_mute
from controller.people.repository import names_of
from controller.people.rights import Sight
from controller.plays.models import Play
from controller.plays.schemas import UnconfirmedOut
from controller.plays.seen import play_in_sight
from controller.plays.unconfirmed import Watch, of_runs
from controller.recordings.models import Recording
from edge_agent.protocol import content
from edge_agent.protocol.states import Drill, Level, PlayState

from .asked import said_of
from .forecast import PLAYS_PER_HOUR, Surroundings, guards_of
from .models import Broadcast, BroadcastItem, BroadcastTarget
from .on_air import OnAir
from .rules import Phase, PlayCount, Window, by_grade, by_name, phase_of, ready_count
from .schemas import AskedOut, BroadcastOut, ItemOut, TargetOut
from .versions import with_successors
from .wire_form import wire_forms

BEFORE = timedelta(hours=6)
"""What begins earlier than this before a draft cannot delay it."""
HOUR = timedelta(hours=1)


def in_sight(seen: Sight) -> ColumnElement[bool]:
    """Give the condition under which a broadcast is in sight: it is of what is in sight, or sounds at a node there.

    What waits for a yes is seen only where it is of: a draft of above is nobody's below.
    """
    if seen.areas is None:
        return true()
    return or_(is_of(seen), and_(Broadcast.awaits_approval.is_(False), sounds_in(seen)))


def sounds_in(seen: Sight) -> ColumnElement[bool]:
    """Give the condition under which a broadcast is, or was, for a node there."""
    there = select(Play.node_id).where(Play.broadcast_id == Broadcast.id, play_in_sight(seen))
    return there.correlate(Broadcast).exists()


def is_of(seen: Sight) -> ColumnElement[bool]:
    """Give the condition under which a broadcast is of what is in sight: of an area there, or aimed at nothing else.

    Aimed at two communes, it is of the province, and yet of whoever works in both.
    """
    if seen.areas is None:
        return true()
    key = func.substr(BroadcastTarget.scope, len("areas/") + 1)  # as long as "nodes/"
    elsewhere = (
        select(BroadcastTarget.scope)
        .outerjoin(Node, and_(BroadcastTarget.scope.startswith("nodes/"), Node.id == key))
        .where(BroadcastTarget.broadcast_id == Broadcast.id, ~seen.where(func.coalesce(Node.area_id, key)))
        .correlate(Broadcast)
        .exists()
    )
    return or_(seen.where(Broadcast.area_id), ~elsewhere)


def is_left_behind(now: datetime) -> ColumnElement[bool]:
    """Give the condition under which a date of a schedule was taken back, may be on nodes, and has no later version."""
    later = aliased(Broadcast)
    replaced = (
        select(later.id)
        .where(later.schedule_id == Broadcast.schedule_id, later.recurrence_local == Broadcast.recurrence_local)
        .where(later.superseded_at.is_(None))
        .exists()
    )
    was_told = and_(Broadcast.superseded_at.is_not(None), Broadcast.awaits_approval.is_(False))
    return and_(was_told, Broadcast.schedule_id.is_not(None), Broadcast.latest_end_at >= now, ~replaced)


async def is_seen(session: AsyncSession, seen: Sight, broadcast_id: str) -> bool:
    """Say whether there is such a broadcast in sight."""
    return await session.scalar(select(Broadcast.id).where(Broadcast.id == broadcast_id, in_sight(seen))) is not None


async def has_begun(session: AsyncSession, broadcast_id: str) -> bool:
    """Say whether some node said that it sounds, or sounded there."""
    sounded = or_(Play.started_at.is_not(None), Play.state == PlayState.PLAYING)
    query = select(Play.node_id).where(Play.broadcast_id == broadcast_id, sounded)
    return await session.scalar(query.limit(1)) is not None


async def target_areas(session: AsyncSession, broadcast_id: str) -> set[str]:
    """Give the areas at which a broadcast is aimed, those of its nodes among them."""
    query = select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == broadcast_id)
    return set((await areas_of(session, (await session.scalars(query)).all(), removed=True)).values())


async def outs(
    session: AsyncSession,
    query: Select[Broadcast],
    watch: Watch,
    *,
    whole: Sight | None = None,
    look_at_outputs: bool = True,
) -> list[BroadcastOut]:
    """Give the broadcasts of a query as the API shows them, in its order: nodes and targets in sight alone count.

    ``whole``: all that may be read, where less of it is looked at. Without ``look_at_outputs`` nobody is told whether
    what is on air sounds at virtual outputs alone: for who knows it from the nodes' own words.
    """
    rows = (await session.scalars(query)).all()
    if not rows:
        return []
    ids, seen = [row.id for row in rows], watch.seen
    counts, items = await _counts(session, ids, seen), await _items(session, ids)
    for key, mute in (unreporting := await _counts(session, ids, seen, mute=True)).items():
        counts[key] = _without(counts[key], mute)
    targets, people = await _targets(session, ids, seen), await names_of(session, {row.created_by for row in rows})
    asked, unconfirmed = await asked_of(session, rows, whole or seen), await of_runs(session, watch, rows)
    sounding = [key for key in ids if any(each.state is PlayState.PLAYING for each in counts[key] if not each.outcome)]
    virtual = await _simulated(session, sounding, seen) if look_at_outputs else set()
    replaced = await with_successors(session, [row for row in rows if row.superseded_at is not None])
    return [
        _out(
            row,
            counts[row.id],
            unreporting=sum(each.plays for each in unreporting.get(row.id, ())),
            items=items[row.id],
            targets=targets[row.id],
            created_by=people.get(row.created_by, ""),
            asked=asked.get(row.id),
            unconfirmed=unconfirmed.get(row.id),
            simulated=row.id in virtual,
            is_replaced=row.id in replaced,
            is_ours=(whole or seen).sees(row.area_id),
            now=watch.now,
        )
        for row in rows
    ]


async def surroundings(
    session: AsyncSession,
    live: LiveNodes,
    tree: Tree,
    nodes: Iterable[Node],
    window: Window,
    *,
    now: datetime,
    released: Collection[str] = (),
    gone: str | None = None,
) -> tuple[dict[str, Surroundings], dict[str, content.Broadcast]]:
    """Say what else the nodes have to do around a window and what they obey; and give those broadcasts.

    ``released``: holds that will be released by then; ``gone``: a broadcast that will not be there any more.
    """
    busy, on_air = await _open_plays(session, max(now, window.start_at - BEFORE), window.latest_end_at, gone)
    begun = await _begun(session, window.start_at - HOUR)
    nodes = tuple(nodes)
    held = await silencing(session, live, tree, {node.id: node.area_id for node in nodes}, without=released)
    guards = {area_id: guards_of(tree.effective(area_id)) for area_id in {node.area_id for node in nodes}}
    found = {
        node.id: Surroundings(
            guards=guards[node.area_id],
            broadcasts=frozenset(busy[node.id]),
            on_air=tuple(sorted(on_air[node.id])),
            begun=tuple(begun[node.id]) if len(begun[node.id]) + len(busy[node.id]) >= PLAYS_PER_HOUR else (),
            held=node.id in held,
        )
        for node in nodes
    }
    wanted = {key for around in found.values() for key in around.broadcasts}
    return found, await as_sent(session, sorted(wanted))


async def as_sent(session: AsyncSession, ids: Sequence[str]) -> dict[str, content.Broadcast]:
    """Give broadcasts as nodes get them."""
    found: dict[str, content.Broadcast] = {}
    for some in in_pieces(ids):
        rows = (await session.scalars(select(Broadcast).where(Broadcast.id.in_(some)))).all()
        found |= await wire_forms(session, rows)
    return found


async def _open_plays(
    session: AsyncSession, from_at: datetime, until_at: datetime, gone: str | None
) -> tuple[dict[str, set[str]], dict[str, list[OnAir]]]:
    query = (
        select(Play.node_id, Play.broadcast_id, Play.state, Play.item, Play.started_at, Play.item_at)
        .join(Broadcast, Broadcast.id == Play.broadcast_id)
        .where(Play.outcome.is_(None), Broadcast.cancelled_at.is_(None))
        .where(Broadcast.latest_end_at > from_at, Broadcast.start_at < until_at, Broadcast.id != (gone or ""))
    )
    busy: dict[str, set[str]] = defaultdict(set)
    on_air: dict[str, list[OnAir]] = defaultdict(list)
    for node_id, broadcast_id, state, item, started_at, item_at in await session.execute(query):
        busy[node_id].add(broadcast_id)
        if state == PlayState.PLAYING and started_at is not None:
            on_air[node_id].append(OnAir(broadcast_id, item or 0, started_at, item_at))
    return busy, on_air


async def _begun(session: AsyncSession, since: datetime) -> dict[str, list[datetime]]:
    """Give, by node, when the plays began that are no longer open: they count for the plays per hour."""
    query = (
        select(Play.node_id, Play.started_at)
        .join(Broadcast, Broadcast.id == Play.broadcast_id)
        .where(Play.started_at > since, or_(Play.outcome.is_not(None), Broadcast.cancelled_at.is_not(None)))
        .order_by(Play.started_at)
    )
    begun: dict[str, list[datetime]] = defaultdict(list)
    for node_id, started_at in await session.execute(query):
        if started_at is not None:
            begun[node_id].append(started_at)
    return begun


async def _counts(
    session: AsyncSession, ids: Sequence[str], seen: Sight, *, mute: bool = False
) -> dict[str, list[PlayCount]]:
    """Count the plays that are alike; those of nodes without an agent, few or none, apart as ``mute``."""
    alike = (Play.outcome, Play.state, Play.grade, Play.simulated)
    of: ColumnElement[str] | InstrumentedAttribute[str] = Play.broadcast_id
    if mute or not seen.whole:
        of = of.concat("")  # an expression, or SQLite reads every play of a broadcast to have them in order
    query = select(of, *alike, func.count()).where(Play.broadcast_id.in_(ids), play_in_sight(seen))
    if mute:
        query = query.where(Play.node_id.in_(select(Node.id).where(is_mute())))
    query = query.group_by(of, *alike)
    found: dict[str, list[PlayCount]] = defaultdict(list)
    for broadcast_id, outcome, state, grade, simulated, plays in await session.execute(query):
        found[broadcast_id].append(PlayCount(PlayState(state), outcome, grade, simulated, plays))
    return found


def _without(counts: Sequence[PlayCount], mute: Sequence[PlayCount]) -> list[PlayCount]:
    """Take the plays of nodes that report nothing out of the numbers of those that do."""
    fewer = Counter({each._replace(plays=0): each.plays for each in mute})
    left = [each._replace(plays=each.plays - fewer[each._replace(plays=0)]) for each in counts]
    return [each for each in left if each.plays]


async def _simulated(session: AsyncSession, ids: Sequence[str], seen: Sight) -> set[str]:
    """Pick of these, which are on air, those that sound at virtual outputs alone, as the rows of nodes have it."""
    is_real = func.coalesce(Node.abilities["output"].as_string(), "") != "virtual"
    if seen.whole:
        real = select(Play.node_id).join(Node, Node.id == Play.node_id).where(Play.outcome.is_(None), is_real)
    else:  # from the nodes there, whose plays are few: an expression, or SQLite reads all that are on air
        there = select(Node.id).where(seen.where(Node.area_id), is_real)
        real = select(Play.node_id).where(Play.node_id.in_(there), func.coalesce(Play.outcome, "") == "")
    real = real.where(Play.broadcast_id == Broadcast.id, Play.state == PlayState.PLAYING)
    is_heard = real.correlate(Broadcast).exists()
    found = set[str]()
    for some in in_pieces(ids):
        found |= set(await session.scalars(select(Broadcast.id).where(Broadcast.id.in_(some), ~is_heard)))
    return found


async def _items(session: AsyncSession, ids: Sequence[str]) -> dict[str, list[ItemOut]]:
    query = (
        select(BroadcastItem, Recording.title)
        .join(Recording, Recording.id == BroadcastItem.recording_id)
        .where(BroadcastItem.broadcast_id.in_(ids))
        .order_by(BroadcastItem.broadcast_id, BroadcastItem.position)
    )
    found: dict[str, list[ItemOut]] = defaultdict(list)
    for item, title in await session.execute(query):
        found[item.broadcast_id].append(
            ItemOut(
                recording_id=item.recording_id,
                title=title,
                language=item.language,
                sha256=item.sha256,
                offset_ms=item.offset_ms,
                length_ms=item.length_ms,
            )
        )
    return found


async def _targets(session: AsyncSession, ids: Sequence[str], seen: Sight) -> dict[str, list[TargetOut]]:
    query = select(BroadcastTarget.broadcast_id, BroadcastTarget.scope).where(BroadcastTarget.broadcast_id.in_(ids))
    aimed = (await session.execute(query)).all()
    known = await areas_of(session, {scope for _, scope in aimed}, removed=True)
    pairs = [(broadcast_id, scope) for broadcast_id, scope in aimed if seen.knows(known.get(scope))]
    scopes = {scope for _, scope in pairs}
    tree = await read_branches(session, {scope.removeprefix("areas/") for scope in scopes})
    names = await node_names(session, scopes)
    order = {f"areas/{place.id}": index for index, place in enumerate(tree.walk())}
    found: dict[str, list[TargetOut]] = defaultdict(list)
    for broadcast_id, scope in sorted(pairs, key=lambda pair: (order.get(pair[1], len(order)), pair[1])):
        found[broadcast_id].append(TargetOut(scope=scope, name=scope_name(scope, tree, names)))
    return found


async def asked_of(session: AsyncSession, rows: Sequence[Broadcast], seen: Sight) -> dict[str, AskedOut]:
    """Give the latest request for a yes to each that is of what is in sight; for a date of a schedule, the schedule's.

    A schedule is asked about once for each content, so that a date's is told by what would be heard.
    """
    ours = set(
        await session.scalars(select(Broadcast.id).where(Broadcast.id.in_([row.id for row in rows]), is_of(seen)))
    )
    seen_rows = [row for row in rows if row.id in ours]
    wanted = {row.id: (f"broadcasts/{row.id}", "") for row in seen_rows}
    of_schedules = [row for row in seen_rows if row.awaits_approval and row.schedule_id]
    wires = await wire_forms(session, of_schedules)
    for row in of_schedules:
        if wire := wires.get(row.id):
            wanted[row.id] = (f"schedules/{row.schedule_id}", content.content_hash(wire.items, wire.drill))
    latest: dict[tuple[str, str], ApprovalRequest] = {}
    for some in in_pieces(sorted({subject for subject, _ in wanted.values()})):
        query = select(ApprovalRequest).where(ApprovalRequest.subject.in_(some)).order_by(ApprovalRequest.asked_at)
        for each in await session.scalars(query):
            latest[each.subject, each.content_sha256 if each.subject.startswith("schedules/") else ""] = each
    shown = dict(zip(latest, await said_of(session, latest.values()), strict=True))
    return {key: shown[asked] for key, asked in wanted.items() if asked in shown}


_REFUSED = {RequestState.RETURNED: Phase.RETURNED, RequestState.WITHDRAWN: Phase.WITHDRAWN}


def _without_yes(asked: AskedOut | None) -> Phase:
    return Phase.AWAITING_APPROVAL if asked is None else _REFUSED.get(asked.state, Phase.AWAITING_APPROVAL)


def _out(
    row: Broadcast,
    counts: Sequence[PlayCount],
    *,
    unreporting: int,
    items: Sequence[ItemOut],
    targets: Sequence[TargetOut],
    created_by: str,
    asked: AskedOut | None,
    unconfirmed: UnconfirmedOut | None,
    simulated: bool,
    is_replaced: bool,
    is_ours: bool,
    now: datetime,
) -> BroadcastOut:
    cancelled = row.cancelled_at is not None
    ends_at = row.start_at + timedelta(milliseconds=row.length_ms)
    phase = phase_of(counts, ends_at=ends_at, latest_end_at=row.latest_end_at, cancelled=cancelled, now=now)
    if row.superseded_at is not None and not cancelled:
        phase = Phase.REPLACED if is_replaced else Phase.TAKEN_OUT
    elif row.awaits_approval and not cancelled:
        phase = _without_yes(asked) if now <= row.latest_start_at else Phase.NOT_APPROVED
    elif unreporting and not counts and not cancelled and now < ends_at:
        phase = Phase.READY  # nothing is awaited of nodes that report nothing
    return BroadcastOut(
        id=row.id,
        area_id=row.area_id,
        title=row.title,
        level=Level(row.level),
        urgent=row.urgent,
        drill=Drill(row.drill) if row.drill else None,
        phase=phase,
        start_at=row.start_at,
        ends_at=ends_at,
        latest_start_at=row.latest_start_at,
        latest_end_at=row.latest_end_at,
        length_ms=row.length_ms,
        created_at=row.created_at,
        created_by=created_by,
        cancelled_at=row.cancelled_at,
        category=row.category,
        run_id=row.run_id,
        replays_id=row.replays_id,
        schedule_id=row.schedule_id if is_ours else None,
        recurrence_local=datetime.fromisoformat(row.recurrence_local) if row.recurrence_local and is_ours else None,
        approval=asked,
        targets=tuple(targets),
        items=tuple(items),
        node_count=sum(each.plays for each in counts),
        unreporting_count=unreporting,
        ready_count=ready_count(counts),
        counts=by_name(counts),
        grades=by_grade(counts),
        unconfirmed=unconfirmed,
        simulated=simulated,
    )
