"""Reads what else is to be heard where something is planned, and asks the policy of each of those places."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, case, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import ApprovalRequest
from controller.approvals.states import RequestState
from controller.areas.repository import Standing
from controller.areas.rules import Tree
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.db import in_pieces
from controller.nodes.models import Node
from controller.nodes.rules import NodeKind
from controller.plays.models import Play
from edge_agent.protocol.states import Level

from .errors import PolicyBreachError
from .limits import GUARDED_BY_NODES, HABIT_SPAN, Airing, Breach, Unusual, check, guarded, unusual
from .rules import EffectivePolicy
from .schemas import BreachOut, UnusualOut

A_DAY = timedelta(days=1)

Named = tuple[str, Airing]
"""A broadcast's id and run: two at the same time count twice."""


@dataclass(frozen=True)
class Places:
    """Where something is planned: the areas and nodes that would hear it, and the tree they stand in."""

    tree: Tree
    area_ids: tuple[str, ...]
    """One for each node, in the order of ``node_ids``; areas alone when nodes do not matter."""
    node_ids: tuple[str, ...] = ()

    @classmethod
    def of_nodes(cls, tree: Tree, nodes: Iterable[Node | Standing]) -> "Places":
        """Take the places where nodes stand."""
        nodes = tuple(nodes)
        return cls(tree, tuple(node.area_id for node in nodes), tuple(node.id for node in nodes))

    def scopes(self) -> frozenset[str]:
        """Give every scope that one of them listens to."""
        areas = {f"areas/{place.id}" for area_id in set(self.area_ids) for place in self.tree.chain(area_id)}
        return frozenset(areas.union(f"nodes/{node_id}" for node_id in self.node_ids))


@dataclass(frozen=True)
class Besides:
    """What is not to be counted: it is about to be replaced."""

    schedule_id: str | None = None
    broadcast_ids: frozenset[str] = frozenset()


NOTHING = Besides()


async def breaches(
    session: AsyncSession,
    places: Places,
    planned: Sequence[Airing],
    *,
    besides: Besides = NOTHING,
    kept: Sequence[Airing] = (),
) -> list[BreachOut]:
    """Give every rule that ``planned`` would break at these places, by start; emergencies are not asked.

    ``kept``: what is heard there too and stands nowhere yet.
    """
    return _judge(await _ears(session, places, planned, besides), places, planned, kept)


async def unguarded(
    session: AsyncSession, places: Places, planned: Collection[Airing], *, besides: Besides = NOTHING
) -> dict[Airing, PolicyBreachError]:
    """Give the runs that break what no node guards, each with its error. One that may be counts against the later."""
    if not any(_counts(each) or each.earliest for each in map(places.tree.effective, set(places.area_ids))):
        return {}
    runs = sorted(set(planned))
    ears = await _ears(session, places, runs, besides)
    if _of_centre(_judge(ears, places, runs)) is None:
        return {}
    found: dict[Airing, PolicyBreachError] = {}
    kept: list[Airing] = []
    for run in runs:
        kept = [each for each in kept if each.start_at > run.start_at - 2 * A_DAY]
        if (error := _of_centre(_judge(ears, places, [run], kept))) is not None:
            found[run] = error
        else:
            kept.append(run)
    return found


def refused_by_nodes(places: Places, runs: Iterable[Airing]) -> dict[Airing, tuple[BreachOut, ...]]:
    """Give the runs of which nodes refuse at least a part, as the rules are now, each with the rules."""
    runs = set(runs)
    if not runs:
        return {}
    shared: dict[int, tuple[EffectivePolicy, Counter[str]]] = {}  # places that say nothing share their parent's
    for area_id, count in Counter(places.area_ids).items():
        policy = places.tree.effective(area_id)
        shared.setdefault(id(policy), (policy, Counter()))[1][area_id] += count
    alike: dict[EffectivePolicy, Counter[str]] = defaultdict(Counter)
    for policy, where in shared.values():
        alike[EffectivePolicy(policy.zone, policy.quiet_hours, windows=policy.windows)].update(where)
    found: dict[Airing, tuple[BreachOut, ...]] = {}
    for run in runs:
        broken: dict[Breach, Counter[str]] = defaultdict(Counter)
        for policy, where in alike.items():
            for breach in guarded(policy, run):
                broken[breach].update(where)
        if broken:
            found[run] = tuple(_out(breach, where, places) for breach, where in sorted(broken.items()))
    return found


class _Ear(NamedTuple):
    """Places that have one policy, and hear the same besides."""

    policy: EffectivePolicy
    others: tuple[Airing, ...]
    where: Counter[str]
    """Area → how many of its nodes."""


async def _ears(session: AsyncSession, places: Places, planned: Sequence[Airing], besides: Besides) -> list[_Ear]:
    policies = {area_id: places.tree.effective(area_id) for area_id in set(places.area_ids)}
    counted = any(_counts(policy) for policy in policies.values())
    heard = await _heard(session, places, planned, besides) if counted and planned else {}
    alike: dict[tuple[int, frozenset[Named]], Counter[str]] = defaultdict(Counter)
    by_id = {id(policy): policy for policy in policies.values()}  # places that say nothing share their parent's
    for area_id, others, count in hearers(places, heard):
        alike[id(policies[area_id]), others][area_id] += count
    return [_Ear(by_id[which], tuple(run for _, run in others), where) for (which, others), where in alike.items()]


def _judge(
    ears: Iterable[_Ear], places: Places, planned: Sequence[Airing], kept: Sequence[Airing] = ()
) -> list[BreachOut]:
    """Give what ``planned`` breaks where ``kept`` is heard besides."""
    found: dict[Breach, Counter[str]] = defaultdict(Counter)
    for ear in ears:
        for breach in check(ear.policy, planned, [*ear.others, *kept]):
            found[breach].update(ear.where)
    return [_out(breach, where, places) for breach, where in sorted(found.items())]


def _of_centre(found: Iterable[BreachOut]) -> PolicyBreachError | None:
    return refusal([each for each in found if each.rule not in GUARDED_BY_NODES])


def refusal(found: Sequence[BreachOut]) -> PolicyBreachError | None:
    """Give the error with which it is refused. What nodes of some places refuse by themselves may go to the others.

    Quiet hours alone are refused by name elsewhere, with the forecast.
    """
    stands = [each for each in found if each.everywhere or each.rule not in GUARDED_BY_NODES]
    rules = sorted({each.rule for each in stands})
    if not rules or rules == ["quiet_hours"]:
        return None
    first = next(each for each in stands if each.rule == rules[0])
    return PolicyBreachError(
        f"against the policy of {', '.join(first.area_names[:3])}: {', '.join(rules)}",
        field="start_at",
        rules=rules,
        place=first.area_names[0],
        breaches=[each.model_dump(mode="json") for each in stands[:20]],
    )


def quiet_refusal(found: Sequence[BreachOut], *, field: str) -> PolicyBreachError | None:
    """Give the error for quiet hours that no node would sound in, where no forecast says so; ``field``: of the hour."""
    quiet = next((each for each in found if each.rule == "quiet_hours" and each.everywhere), None)
    if quiet is None:
        return None
    return PolicyBreachError(
        f"quiet hours {quiet.limit}: no node would play this; choose another time",
        field=field,
        rules=["quiet_hours"],
        place=quiet.area_names[0],
        breaches=[quiet.model_dump(mode="json")],
    )


async def unusual_hour(session: AsyncSession, places: Places, run: Airing, *, now: datetime) -> UnusualOut | None:
    """Say whether nothing sounded at such an hour in any of these places in the last 30 days, or it is night there."""
    zones = sorted({places.tree.effective(area_id).zone for area_id in set(places.area_ids)})
    history = await _history(session, places, now) if zones else []
    found = [answer for zone in zones if (answer := unusual(history, run, zone))]
    return _unusual_out(found[0]) if found else None


def _counts(policy: EffectivePolicy) -> bool:
    return (policy.sessions_a_day, policy.minutes_a_session, policy.minutes_a_day) != (None, None, None)


def hearers(places: Places, heard: Mapping[str, Collection[Named]]) -> Iterator[tuple[str, frozenset[Named], int]]:
    """Give area by area what is heard there besides and how many nodes hear it; nodes with more of their own apart."""
    shared = {
        area_id: frozenset[Named]().union(*(heard.get(f"areas/{place.id}", ()) for place in places.tree.chain(area_id)))
        for area_id in set(places.area_ids)
    }
    plain = Counter(places.area_ids)
    for node_id, area_id in zip(places.node_ids, places.area_ids, strict=False):
        if own := heard.get(f"nodes/{node_id}"):
            plain[area_id] -= 1
            yield area_id, shared[area_id].union(own), 1
    for area_id, count in plain.items():
        if count:
            yield area_id, shared[area_id], count


async def _heard(
    session: AsyncSession, places: Places, planned: Sequence[Airing], besides: Besides
) -> dict[str, set[Named]]:
    """Give by scope what is listed around the planned runs."""
    from_at = min(run.start_at for run in planned) - A_DAY
    until_at = max(run.ends_at for run in planned) + A_DAY
    found: dict[str, set[Named]] = defaultdict(set)
    for some in in_pieces(sorted(places.scopes())):
        query = _routine(some).where(Broadcast.start_at >= from_at, Broadcast.start_at < until_at, may_be_heard())
        for scope, key, start_at, length_ms, schedule_id in await session.execute(query):
            replaced = besides.schedule_id is not None and schedule_id == besides.schedule_id
            if not replaced and key not in besides.broadcast_ids:
                found[scope].add((key, Airing(start_at, timedelta(milliseconds=length_ms))))
    return found


async def _history(session: AsyncSession, places: Places, now: datetime) -> list[datetime]:
    found: set[datetime] = set()
    for some in in_pieces(sorted(places.scopes())):
        query = _routine(some).where(Broadcast.start_at >= now - HABIT_SPAN, Broadcast.start_at <= now, was_heard())
        found.update(row.start_at for row in await session.execute(query))
    return sorted(found)


def _routine(scopes: Collection[str]) -> Select[str, str, datetime, int, str | None]:
    columns = (BroadcastTarget.scope, Broadcast.id, Broadcast.start_at, Broadcast.length_ms, Broadcast.schedule_id)
    return (
        select(*columns)
        .join(Broadcast, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(BroadcastTarget.scope.in_(scopes), Broadcast.level != Level.EMERGENCY, Broadcast.drill.is_(None))
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
    )


def may_be_heard() -> ColumnElement[bool]:
    """Give the condition under which a broadcast counts: approved, or somebody may still say yes to it in time."""
    subject = case(
        (Broadcast.schedule_id.is_not(None), literal("schedules/").concat(Broadcast.schedule_id)),
        else_=literal("broadcasts/").concat(Broadcast.id),
    )
    asked = select(ApprovalRequest.id).where(
        ApprovalRequest.subject == subject, ApprovalRequest.state == RequestState.OPEN
    )
    still_open = select(Play.node_id).where(Play.broadcast_id == Broadcast.id, Play.outcome.is_(None))
    return or_(Broadcast.awaits_approval.is_(False), still_open.exists() & asked.exists())


def was_heard() -> ColumnElement[bool]:
    """Give the condition under which a broadcast makes a habit: a node began it, or stands where none ever says so."""
    tells = or_(Play.started_at.is_not(None), Node.kind != NodeKind.AGENT)
    began = select(Play.node_id).join(Node, Node.id == Play.node_id).where(Play.broadcast_id == Broadcast.id, tells)
    return Broadcast.awaits_approval.is_(False) & began.exists()


def _out(breach: Breach, where: Counter[str], places: Places) -> BreachOut:
    area_ids = [place.id for place in places.tree.walk() if place.id in where]
    return BreachOut(
        rule=breach.rule,
        limit=breach.limit,
        found=breach.found,
        at=breach.at,
        area_ids=tuple(area_ids),
        area_names=tuple(places.tree.places[area_id].name for area_id in area_ids),
        everywhere=where.total() == len(places.area_ids),
    )


def _unusual_out(found: Unusual) -> UnusualOut:
    return UnusualOut(reason=found.reason, hour=found.hour)
