"""Reads from the rows what the check needs to know of broadcasts: its own reading, shared with no other room."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import Approval, ApprovalRequest
from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.db import in_pieces
from controller.emergencies.models import Emergency
from controller.emergencies.states import MessageKind
from controller.nodes.models import Node
from controller.policies.models import Policy
from edge_agent.protocol.states import Level

from .rules import Facts, YesFact

FOLLOWING = frozenset({MessageKind.ALL_CLEAR, MessageKind.FALSE_ALARM})


class _Row(NamedTuple):
    """What a broadcast is, as far as people answer for it."""

    author: str
    category: str | None
    level: Level


async def read_facts(session: AsyncSession, ids: Sequence[str], now: datetime) -> dict[str, Facts]:
    """Give what is known of broadcasts."""
    found: dict[str, Facts] = {}
    for some in in_pieces(ids):
        found |= await _read(session, some, now)
    return found


async def _read(session: AsyncSession, ids: Sequence[str], now: datetime) -> dict[str, Facts]:
    columns = select(Broadcast.id, Broadcast.created_by, Broadcast.category, Broadcast.level)
    rows = {
        row.id: _Row(row.created_by, row.category, Level(row.level))
        for row in await session.execute(columns.where(Broadcast.id.in_(ids)))
    }
    yeses, asked = await _yeses(session, rows)
    emergencies = {
        row.broadcast_id: row
        for row in await session.scalars(select(Emergency).where(Emergency.broadcast_id.in_(list(rows))))
    }
    authors = {key: frozenset({row.author}) | asked[key] for key, row in rows.items()}
    doubtful = {
        key: max(each.given_at for each in yeses[key])
        for key, row in rows.items()
        if row.level is not Level.EMERGENCY and yeses[key] and {each.person_id for each in yeses[key]} <= authors[key]
    }
    strict = await _asking(session, rows, doubtful) if doubtful else frozenset()
    return {
        key: Facts(
            yeses=tuple(_fact(each, _broken_by(emergencies.get(key), now)) for each in yeses[key]),
            authors=authors[key],
            asks_another=key in strict,
            follows=key in emergencies and _follows(emergencies[key]),
        )
        for key in rows
    }


async def _yeses(
    session: AsyncSession, ids: Collection[str]
) -> tuple[dict[str, list[Approval]], dict[str, frozenset[str]]]:
    """Give the yeses to broadcasts that count, and who asked for them."""
    subjects = [f"broadcasts/{key}" for key in ids]
    query = (
        select(Approval, ApprovalRequest.asked_by)
        .outerjoin(ApprovalRequest, ApprovalRequest.id == Approval.request_id)
        .where(Approval.subject.in_(subjects), Approval.voided_at.is_(None))
    )
    found: dict[str, list[Approval]] = defaultdict(list)
    asked: dict[str, frozenset[str]] = defaultdict(frozenset)
    for yes, asked_by in await session.execute(query):
        key = yes.subject.removeprefix("broadcasts/")
        found[key].append(yes)
        asked[key] |= {asked_by} if asked_by else frozenset()
    return found, asked


def _fact(row: Approval, broken_by: str | None) -> YesFact:
    alone = row.person_id == broken_by
    return YesFact(
        row.person_id,
        row.content_sha256,
        frozenset(row.scopes),
        row.not_before_at,
        row.not_after_at,
        bounded=row.by_author,
        glass=alone,
        waited=alone,
    )


def _broken_by(row: Emergency | None, now: datetime) -> str | None:
    """Give who broke the glass: with a reason, and not before the cancel window was over."""
    if row is None or not row.break_glass_reason or row.fires_at is None or row.fires_at > now:
        return None
    return row.break_glass_by


def _follows(row: Emergency) -> bool:
    return row.follows_id is not None and row.kind in FOLLOWING and row.message_id is not None


async def _asking(session: AsyncSession, rows: dict[str, _Row], given_at: dict[str, datetime]) -> frozenset[str]:
    """Name the broadcasts for which a policy asks for another person, and did so when the author said yes."""
    query = select(BroadcastTarget.broadcast_id, BroadcastTarget.scope, Node.area_id).outerjoin(
        Node, BroadcastTarget.scope == "nodes/" + Node.id
    )
    targets = (await session.execute(query.where(BroadcastTarget.broadcast_id.in_(list(given_at))))).all()
    changed = {row.area_id: row.changed_at for row in await session.execute(select(Policy.area_id, Policy.changed_at))}
    if not changed:
        return frozenset()
    tree, strict = await read_tree(session), set[str]()
    for key, scope, node_area in targets:
        places = _places(tree, scope, node_area)
        above = {place.id for area_id in places for place in tree.chain(area_id)}
        if any(at > given_at[key] for area_id, at in changed.items() if area_id in above):
            continue  # what a policy asked then is not known any more; a stricter one takes nothing back
        row = rows[key]
        if any(tree.effective(area_id).takes_second_person(row.category, row.level) for area_id in places):
            strict.add(key)
    return frozenset(strict)


def _places(tree: Tree, scope: str, node_area: str | None) -> frozenset[str]:
    """Give the areas in which a scope is heard."""
    if node_area is not None:
        return frozenset({node_area})
    return tree.below(scope.removeprefix("areas/")) if scope.startswith("areas/") else frozenset()
