"""One play with all that the centre knows about it: what ``why`` judges by, and who stands behind a rule."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.areas.targets import scope_name
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.repository import in_sight, is_seen
from controller.broadcasts.versions import successor_of
from controller.errors import NotFoundError
from controller.holds.models import Hold
from controller.holds.reach import Reach
from controller.nodes.models import Node
from controller.people.models import Person
from controller.people.rights import Sight
from edge_agent.protocol.states import CENTRE_OUTCOMES, Outcome, Reason

from .models import Play
from .why_schemas import ByOut, CentreRule


@dataclass(frozen=True)
class Case:
    """One node and one broadcast."""

    session: AsyncSession
    seen: Sight
    tree: Tree
    node: Node
    row: Broadcast
    play: Play | None
    scopes: tuple[str, ...]
    """At which the broadcast is aimed and to which the node listens; empty when it is not meant."""
    now: datetime

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, as far as is known."""
        return Outcome(self.play.outcome) if self.play is not None and self.play.outcome else None

    @property
    def word(self) -> Outcome | None:
        """How the node said that it ended."""
        return None if self.outcome in CENTRE_OUTCOMES else self.outcome

    @property
    def reason(self) -> Reason | None:
        """Why it ended so."""
        return Reason(self.play.reason) if self.play is not None and self.play.reason else None

    @property
    def has_begun(self) -> bool:
        """Whether the node said that it sounds, or did."""
        return self.play is not None and self.play.started_at is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing of it can come any more."""
        return self.word is not None or self.row.latest_end_at <= self.now


async def read_case(session: AsyncSession, seen: Sight, node_id: str, broadcast_id: str, now: datetime) -> Case:
    """Read what is known.

    Raises:
        NotFoundError: there is no such node or broadcast in sight.
    """
    node = await session.get(Node, node_id)
    if node is None or node.removed_at is not None or not seen.sees(node.area_id):
        raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
    row = await session.get(Broadcast, broadcast_id)
    if row is None or not await is_seen(session, seen, broadcast_id):
        raise NotFoundError("there is no such broadcast", resource="broadcasts", id=broadcast_id[:64])
    tree = await read_tree(session)
    query = select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == broadcast_id)
    aimed = frozenset(await session.scalars(query))
    scopes = tuple(scope for scope in tree.scopes(node_id, node.area_id) if scope in aimed)
    return Case(session, seen, tree, node, row, await session.get(Play, (broadcast_id, node_id)), scopes, now)


class Stopped(NamedTuple):
    """The rule of the centre that keeps it from being told to the node."""

    name: CentreRule
    at: datetime
    by: ByOut | None


async def stopped_by_centre(case: Case) -> Stopped | None:
    """Give the first rule of the centre that blocks."""
    row = case.row
    if not case.scopes:
        return Stopped(CentreRule.AIMED, case.play.updated_at if case.play is not None else case.now, None)
    if row.superseded_at is not None:
        return Stopped(CentreRule.CURRENT, row.superseded_at, await who(case, await successor_of(case.session, row)))
    if row.cancelled_at is not None:
        person = await case.session.get(Person, row.cancelled_by) if row.cancelled_by else None
        by = None if person is None else ByOut(kind="person", id=person.id, name=person.name)
        return Stopped(CentreRule.NOT_CANCELLED, row.cancelled_at, by)
    if row.awaits_approval:
        return Stopped(CentreRule.SIGNED_OFF, row.start_at, None)
    return None


async def who(case: Case, key: str | None) -> ByOut | None:
    """Name the broadcast behind a rule as far as it is in sight; a hold always: it silences a node that is."""
    if key is None:
        return None
    hold = await _hold(case, key)
    if hold is None:
        query = select(Broadcast.title).where(Broadcast.id == key, in_sight(case.seen))
        return ByOut(kind="broadcast", id=key, name=await case.session.scalar(query))
    return ByOut(kind="hold", id=hold.id, name=scope_name(hold.scope, case.tree, {case.node.id: case.node.name}))


async def _hold(case: Case, key: str) -> Hold | None:
    """Give the hold that a node names, or the centre: of what was found in several communes, that of its own."""
    node = case.node
    rows = await case.session.scalars(select(Hold).where(or_(Hold.id == key, Hold.wire_id == key)).order_by(Hold.id))
    return next((hold for hold in rows if Reach(case.tree, hold).takes(node.id, node.area_id, (hold.wire_id,))), None)
