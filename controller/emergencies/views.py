"""Emergencies as the API shows them: by name, with the holds in their way, and node by node."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.targets import areas_of, node_names, scope_name
from controller.broadcasts.schemas import NodeRef, TargetOut
from controller.holds.over import holds_over
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import HEARD, NodeStatus
from controller.people import rights
from controller.people.actor import Actor
from controller.people.repository import names_of
from controller.people.rights import Act, Sight
from controller.plays.schemas import PlayOut
from edge_agent.protocol.states import Drill

from .composing import heard
from .models import Emergency
from .rules import Standing, length_of, standing_of
from .schemas import EmergencyOut, HoldRef, NodeFollowUp, PersonRef, Spot
from .states import EmergencyState, GlassReason, MessageKind

_URGENCY = {standing: place for place, standing in enumerate(Standing)}
_MS = timedelta(milliseconds=1)


async def outs(
    session: AsyncSession, rows: Sequence[Emergency], seen: Sight, *, as_proposed: bool
) -> list[EmergencyOut]:
    """Show emergencies, and of where they are aimed what is known to who looks; ``as_proposed``: see ``draft_of``."""
    if not rows:
        return []  # every page asks, and nearly always there is none
    people = await _people(session, rows)
    scopes = {scope for row in rows for scope in row.scopes}
    places, names = await areas_of(session, scopes, removed=True), await node_names(session, scopes)
    known = {scope for scope in scopes if seen.knows(places.get(scope))}
    tree = await read_tree(session)
    lengths = [length_of(await heard(session, row, as_proposed=as_proposed)) for row in rows]
    return [
        _out(
            row,
            length_ms,
            people,
            tuple(
                TargetOut(scope=scope, name=scope_name(scope, tree, names)) for scope in row.scopes if scope in known
            ),
        )
        for row, length_ms in zip(rows, lengths, strict=True)
    ]


async def holds_in_the_way(
    session: AsyncSession,
    live: LiveNodes,
    actor: Actor,
    nodes: Sequence[Node],
    releasing: Iterable[str] = (),
    *,
    wherever: bool = False,
) -> tuple[list[HoldRef], frozenset[str]]:
    """Give the holds over some nodes, and the ids of the nodes that stay silent when ``releasing`` are released.

    ``wherever``: with those of ``releasing`` that stand and are over none of these nodes any more.
    """
    tree, releasing = await read_tree(session), frozenset(releasing)
    areas = {node.id: node.area_id for node in nodes}
    over = await holds_over(session, live, tree, areas, also=releasing if wherever else ())
    if not over:
        return [], frozenset()
    places = await areas_of(session, {each.shown.scope for each in over})
    may = await rights.reach(session, actor, Act.HOLDS_RELEASE)
    found = [
        HoldRef(
            **each.shown.model_dump(),
            may_release=may.sees(places.get(each.shown.scope)),
            is_released=each.shown.hold_id in releasing,
        )
        for each in over
    ]
    silent = (each.nodes for each in over if each.shown.hold_id not in releasing)
    return found, frozenset[str]().union(*silent)


def follow_up(
    plays: Iterable[PlayOut], statuses: Mapping[str, NodeStatus], decided_at: datetime | None
) -> tuple[NodeFollowUp, ...]:
    """Say how each node stands; those that have to be looked after come first."""
    found = [_node(play, statuses.get(play.node_id, NodeStatus.NEVER_SEEN), decided_at) for play in plays]
    return tuple(sorted(found, key=lambda node: _URGENCY[node.standing]))  # area by area within: sorting is stable


def count_standings(nodes: Iterable[NodeFollowUp]) -> dict[Standing, int]:
    """Count nodes by how they stand."""
    return dict(Counter(node.standing for node in nodes))


def decided_at(row: Emergency) -> datetime | None:
    """Say when nothing was left but to do it: at the second person's yes, at the end of the cancel window."""
    return row.confirmed_at or row.fires_at or row.sent_at


def spots_of(nodes: Iterable[Node], statuses: Mapping[str, NodeStatus], silent: Collection[str]) -> tuple[Spot, ...]:
    """Say where nodes stand on a map, as far as known; ``silent``: ids of those that a hold keeps so."""
    return tuple(
        Spot(
            node_id=node.id,
            name=node.name,
            latitude=node.latitude,
            longitude=node.longitude,
            heard_from=statuses[node.id] in HEARD and node.id not in silent,
        )
        for node in nodes
        if node.latitude is not None and node.longitude is not None
    )


def refs(nodes: Iterable[Node]) -> tuple[NodeRef, ...]:
    """Name nodes."""
    return tuple(NodeRef(node_id=node.id, name=node.name) for node in nodes)


def _node(play: PlayOut, status: NodeStatus, decided_at: datetime | None) -> NodeFollowUp:
    took = play.started_at - decided_at if play.started_at is not None and decided_at is not None else None
    return NodeFollowUp(
        node_id=play.node_id,
        node_name=play.node_name,
        area_path=play.area_path,
        status=status,
        standing=standing_of(play, status),
        state=play.state,
        outcome=play.outcome,
        reason=play.reason,
        grade=play.grade,
        simulated=play.simulated,
        started_at=play.started_at,
        time_to_air_ms=took // _MS if took is not None else None,
    )


def _out(
    row: Emergency, length_ms: int, people: Mapping[str, PersonRef], targets: tuple[TargetOut, ...]
) -> EmergencyOut:
    return EmergencyOut(
        id=row.id,
        area_id=row.area_id,
        kind=MessageKind(row.kind),
        title=row.title,
        drill=Drill(row.drill) if row.drill else None,
        state=EmergencyState(row.state),
        targets=targets,
        message_id=row.message_id,
        length_ms=length_ms,
        proposed_by=people[row.proposed_by],
        proposed_at=row.proposed_at,
        confirmed_by=people.get(row.confirmed_by or ""),
        confirmed_at=row.confirmed_at,
        break_glass_by=people.get(row.break_glass_by or ""),
        reason_code=GlassReason(row.reason_code) if row.reason_code else None,
        break_glass_reason=row.break_glass_reason if row.break_glass_reason != row.reason_code else None,
        fires_at=row.fires_at,
        sent_at=row.sent_at,
        broadcast_id=row.broadcast_id,
        follows_id=row.follows_id,
        ended_at=row.ended_at,
        ended_by=people.get(row.ended_by or ""),
        problem=row.problem,
    )


async def _people(session: AsyncSession, rows: Sequence[Emergency]) -> dict[str, PersonRef]:
    wanted = {key for row in rows for key in (row.proposed_by, row.confirmed_by, row.break_glass_by, row.ended_by)}
    names = await names_of(session, (key for key in wanted if key))
    return {key: PersonRef(person_id=key, name=name) for key, name in names.items()}
