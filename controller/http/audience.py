"""Who hears of which event: it names a row, and whoever has the area of that row in sight hears of it.

Of what is looked up nowhere, and of what is gone, only those hear who see everything. What is for some roles alone
takes the right to it, whatever is seen.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from controller.alarms.models import Alarm
from controller.alarms.repository import told_to
from controller.approvals.models import ApprovalRequest
from controller.approvals.repository import concerns
from controller.areas.models import Area
from controller.audit.models import AuditEntry
from controller.broadcasts.models import Broadcast
from controller.broadcasts.repository import in_sight
from controller.bulletins.models import Bulletin
from controller.db import in_pieces
from controller.emergencies.models import Emergency, ReadyMessage
from controller.events import Event, Topic
from controller.faults.models import Fault
from controller.holds.models import Hold
from controller.holds.reach import reaching
from controller.nodes.models import Node
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Grant
from controller.people.rights import Act, Sight
from controller.programmes.models import Programme
from controller.recordings.models import Recording
from controller.schedules.models import Calendar, Schedule
from controller.updates.models import Rollout
from controller.updates.repository import in_sight as has_nodes_in


class _Owned(NamedTuple):
    """Columns of a table whose rows belong to an area."""

    id: InstrumentedAttribute[Any]
    area_id: InstrumentedAttribute[Any]


OWNED: Mapping[str, tuple[_Owned, ...]] = {
    "area": (_Owned(Area.id, Area.id),),
    "node": (_Owned(Node.id, Node.area_id),),
    "recording": (_Owned(Recording.id, Recording.area_id),),
    "schedule": (_Owned(Schedule.id, Schedule.area_id), _Owned(Calendar.id, Calendar.area_id)),
    "bulletin": (_Owned(Bulletin.id, Bulletin.area_id),),
    "programme": (_Owned(Programme.id, Programme.area_id),),
    "approval": (_Owned(ApprovalRequest.id, ApprovalRequest.area_id),),
    "emergency": (_Owned(Emergency.id, Emergency.area_id),),
    "message": (_Owned(ReadyMessage.id, ReadyMessage.area_id),),
    "policy": (_Owned(Area.id, Area.id),),
}
"""Topic → where its key is looked up. Nine topics have rules of their own, below, and requests one besides."""
TO_ALL = frozenset({Topic.MISSED})
TO_THE_ENTITLED = frozenset({Topic.ENROLMENT, Topic.ALARM, Topic.PERSON, Topic.AUDIT})
"""Topics of which to have all in sight is not enough."""
RULED = TO_THE_ENTITLED | {Topic.PLAY, Topic.BROADCAST, Topic.HOLD, Topic.FAULT, Topic.ROLLOUT}
ABOVE = frozenset({"area", "policy", "message"})
"""Topics told also of the areas above one's own: their names, rules and ready messages are seen."""


async def heard(session: AsyncSession, actor: Actor, seen: Sight, events: Collection[Event]) -> list[Event]:
    """Give the events that somebody may hear of, in their order."""
    at_once = TO_ALL if seen.areas is not None else frozenset(Topic) - TO_THE_ENTITLED
    told: set[Event] = {event for event in events if event.topic in at_once}
    for topic in {event.topic for event in events} - at_once:
        of_topic = [event for event in events if event.topic == topic]
        keys = await _in_sight(session, actor, seen, topic, of_topic)
        told |= {event for event in of_topic if (event.node_id if topic == Topic.PLAY else event.key) in keys}
    return [event for event in events if event in told]


async def _in_sight(
    session: AsyncSession, actor: Actor, seen: Sight, topic: Topic, events: Iterable[Event]
) -> Collection[str | None]:
    """Name the keys in sight; of plays, the nodes."""
    keys = sorted({event.key for event in events})
    match topic:
        case Topic.PLAY:
            found = await _owned(session, seen, OWNED["node"], sorted({event.node_id or "" for event in events}))
        case Topic.BROADCAST:
            found = await _where(session, Broadcast.id, in_sight(seen), keys)
        case Topic.APPROVAL:  # what waits for several places is of an area above them
            found = await _where(session, ApprovalRequest.id, await concerns(session, actor), keys)
            found |= await _owned(session, seen, OWNED["approval"], keys)
        case Topic.HOLD:
            holds = await session.scalars(select(Hold).where(Hold.id.in_(keys)))
            found = set(await reaching(session, None, seen, holds.all()))
        case Topic.FAULT:
            nodes = select(Node.id).where(seen.where(Node.area_id))
            found = await _where(session, Fault.id, Fault.node_id.in_(nodes), keys)
        case Topic.ROLLOUT:
            found = await _where(session, Rollout.id, has_nodes_in(seen), keys)
        case _ if topic in TO_THE_ENTITLED:
            found = await _by_right(session, actor, seen, topic, keys)
        case _:
            found = await _owned(session, seen, OWNED.get(topic, ()), keys, above=topic in ABOVE)
    return found


async def _by_right(session: AsyncSession, actor: Actor, seen: Sight, topic: Topic, keys: list[str]) -> set[str | None]:
    match topic:
        case Topic.ENROLMENT:  # a node that waits stands nowhere yet
            return set(keys if await rights.places_for(session, actor, Act.NODES_ADOPT) else ())
        case Topic.ALARM:  # in sight is not enough: it may say who tried whose password
            return await _where(session, Alarm.id, await told_to(session, actor), keys)
        case Topic.PERSON:
            looked_after = await rights.reach(session, actor, Act.PEOPLE_CHANGE)
            return await _where(session, Grant.person_id, looked_after.where(Grant.area_id), keys)
        case _:
            may_read = await rights.places_for(session, actor, Act.AUDIT_READ)
            return await _entries(session, seen, keys) if may_read else set()


async def _entries(session: AsyncSession, seen: Sight, keys: Iterable[str]) -> set[str | None]:
    numbers = [int(key) for key in keys if key.isdecimal()]
    query = select(AuditEntry.seq).where(seen.where(AuditEntry.area_id))
    return {
        str(seq) for some in in_pieces(numbers) for seq in await session.scalars(query.where(AuditEntry.seq.in_(some)))
    }


async def _where(
    session: AsyncSession, key: InstrumentedAttribute[Any], condition: ColumnElement[bool], keys: list[str]
) -> set[str | None]:
    query = select(key).where(condition)
    return {each for some in in_pieces(keys) for each in await session.scalars(query.where(key.in_(some)))}


async def _owned(
    session: AsyncSession, seen: Sight, tables: Iterable[_Owned], keys: list[str], *, above: bool = False
) -> set[str | None]:
    found: set[str | None] = set()
    for table in tables:
        for some in in_pieces(keys):
            rows = await session.execute(select(table.id, table.area_id).where(table.id.in_(some)))
            found |= {key for key, area_id in rows if (seen.knows(area_id) if above else seen.sees(area_id))}
    return found
