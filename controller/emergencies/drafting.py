"""Checks what was asked of an emergency, and works out the rest: where it is heard, and whom it is for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.yeses import Bound
from controller.areas.targets import Targets, areas_of, resolve
from controller.broadcasts.drafts import Draft
from controller.broadcasts.rules import Slot
from controller.errors import InvalidError
from controller.names import clean_name
from controller.nodes.models import Node
from controller.people.rights import Sight
from controller.recordings.models import Recording
from edge_agent.protocol.content import content_hash
from edge_agent.protocol.states import Drill, Level

from .composing import area_above, composed, heard
from .hearers import may_have_heard
from .models import Emergency, ReadyMessage
from .pinning import messages_of, sounding
from .rules import length_of, thawed, window_of
from .schemas import EmergencyIn, FollowIn
from .sounds import words_of
from .states import MessageKind


@dataclass(frozen=True)
class Wish:
    """An emergency that could be proposed."""

    kind: MessageKind
    title: str
    area_id: str
    message_id: str | None
    slots: tuple[Slot, ...]
    targets: Targets
    drill: Drill | None
    words: Mapping[str, str]
    """What recordings say, as far as it is written down."""

    def draft(self, start_at: datetime) -> Draft:
        """Give the broadcast that it would become."""
        return _draft(self.title, self.slots, self.targets, self.drill, start_at)


async def make_wish(session: AsyncSession, wanted: EmergencyIn, seen: Sight) -> Wish:
    """Check what was asked against the rows in sight.

    Raises:
        InvalidError: a field is wrong, or nothing would be heard.
        ForbiddenError: aimed at an area above what is in sight.
    """
    if wanted.drill and wanted.release_holds:
        raise InvalidError(
            "release_holds: a drill lifts no STOP; release it by itself, or drill with those nodes silent",
            field="release_holds",
            problem="drill",
        )
    targets = await resolve(session, wanted.targets, seen)
    area_id = _common_area(targets)
    message = await _message(session, wanted.message_id, seen, targets) if wanted.message_id else None
    title = clean_name(wanted.title or (message.title if message else ""), field="title")
    slots = await composed(session, message, wanted.recordings, wanted, targets=targets, drill=wanted.drill, seen=seen)
    kind = MessageKind(message.kind) if message else MessageKind.ALERT
    if kind is not MessageKind.ALERT:
        raise InvalidError(
            "message_id: only an alert begins an emergency; the others follow or frame one",
            field="message_id",
            problem="kind",
        )
    words = await words_of(session, slots, targets, message)
    return Wish(kind, title, area_id, wanted.message_id, slots, targets, wanted.drill, words)


async def make_follow_up(
    session: AsyncSession, followed: Emergency, kind: MessageKind, wanted: FollowIn, *, seen: Sight, may: Sight
) -> tuple[Wish, list[Node]]:
    """Say to all who may have heard an emergency that it is over, or that it was none: with a ready message only.

    A node that was moved since hears it by itself, if it stands within ``may``: where the person may say it. Gives the
    others of those, too. Words and voices are those of the place at which the emergency was aimed.

    Raises:
        InvalidError: there is no such ready message for that place, or no node is left.
    """
    aimed = await _aimed(session, followed.scopes)
    moved = await _moved(session, followed, aimed)
    within = [node for node in moved if may.sees(node.area_id) and aimed.tree.meeting({*aimed.area_ids, node.area_id})]
    targets = await resolve(session, [*aimed.scopes, *(f"nodes/{node.id}" for node in within)])
    area_id = _common_area(targets)
    message = await _ready(session, wanted.message_id, seen, aimed, kind)
    drill = Drill(followed.drill) if followed.drill else None
    slots = await composed(session, message, (), wanted, targets=targets, drill=drill, seen=seen, worded_for=aimed)
    words = await words_of(session, slots, aimed, message)
    wish = Wish(kind, message.title, area_id, message.id, slots, targets, drill, words)
    return wish, [node for node in moved if node not in within]


async def _moved(session: AsyncSession, followed: Emergency, aimed: Targets) -> list[Node]:
    """Give the nodes that may have heard it and stand outside of where it was aimed by now."""
    there = {node.id for node in aimed.nodes}
    return [node for node in await may_have_heard(session, followed) if node.id not in there]


async def draft_of(session: AsyncSession, row: Emergency, start_at: datetime, *, as_proposed: bool = False) -> Draft:
    """Make the broadcast of an emergency: what was seen before it was decided, for the nodes that are there now.

    ``as_proposed``: without the signal, if it was not there then: somebody proved a yes to these very slots.

    Raises:
        InvalidError: no node is left, or a recording was withdrawn meanwhile.
    """
    slots = await heard(session, row, as_proposed=as_proposed)
    targets = await still_there(session, row.scopes)
    wanted = {recording_id for slot in slots for recording_id in slot.recording_ids}
    query = select(Recording.id).where(Recording.id.in_(wanted), Recording.withdrawn_at.is_(None))
    if not slots or wanted - set(await session.scalars(query)):
        raise InvalidError("a recording was withdrawn meanwhile", field="recordings", problem="withdrawn")
    return _draft(row.title, slots, targets, Drill(row.drill) if row.drill else None, start_at)


def bound_to(row: Emergency, now: datetime, until_at: datetime) -> Bound:
    """Say what somebody agrees to who wants this said, begun between now and ``until_at``."""
    slots = thawed(row.slots)
    items, drill = tuple(slot.item for slot in slots), Drill(row.drill) if row.drill else None
    last_at = window_of(until_at, length_of(slots)).latest_end_at
    return Bound(content_hash(items, drill), tuple(row.scopes), now, last_at)


async def still_there(session: AsyncSession, scopes: Sequence[str]) -> Targets:
    """Find the nodes of scopes of which some may be gone.

    Raises:
        InvalidError: no node is left.
    """
    targets = await _aimed(session, scopes)
    _common_area(targets)
    return targets


async def _aimed(session: AsyncSession, scopes: Sequence[str]) -> Targets:
    known = await areas_of(session, scopes)
    return await resolve(session, [scope for scope in scopes if scope in known])


def _draft(title: str, slots: tuple[Slot, ...], targets: Targets, drill: Drill | None, start_at: datetime) -> Draft:
    window = window_of(start_at, length_of(slots))
    return Draft(title, Level.EMERGENCY, urgent=True, window=window, slots=slots, targets=targets, drill=drill)


def _common_area(targets: Targets) -> str:
    if not targets.nodes:
        raise InvalidError("targets: there is no node at or under them", field="targets", problem="no_nodes")
    return area_above(targets)


async def _message(session: AsyncSession, message_id: str, seen: Sight, targets: Targets) -> ReadyMessage:
    row = await session.get(ReadyMessage, message_id)
    if row is None or not seen.knows(row.area_id):
        raise InvalidError("message_id: there is no such message", field="message_id", problem="unknown")
    if row.archived_at is not None:
        raise InvalidError("message_id: it is put away", field="message_id", problem="archived")
    if not targets.area_ids <= targets.tree.below(row.area_id):
        raise InvalidError(
            "message_id: it is for its own area and those below", field="message_id", problem="elsewhere"
        )
    return row


async def _ready(
    session: AsyncSession, message_id: str | None, seen: Sight, targets: Targets, kind: MessageKind
) -> ReadyMessage:
    if message_id is not None:
        row = await _message(session, message_id, seen, targets)
        if row.kind != kind:
            raise InvalidError(f"message_id: it is no message for {kind}", field="message_id", problem="kind")
        return row
    found = await messages_of(session, [place.id for place in targets.tree.chain(area_above(targets))], kind)
    if not found:
        raise InvalidError(
            f"no ready message for {kind} lies in this area or above; write one", field="message_id", problem="none"
        )
    can_sound = await sounding(session, found)
    usable = [row for row in found if row.id in can_sound] or found
    nearest = [row for row in usable if row.area_id == usable[0].area_id]
    if len(nearest) > 1:
        raise InvalidError(
            f"message_id: several ready messages for {kind} lie there; say which", field="message_id", problem="several"
        )
    return nearest[0]
