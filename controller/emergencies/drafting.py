"""Checks what was asked of an emergency, and works out the rest: what is heard, where, and whom it is for."""

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
from controller.programmes.layout import Part, Spoken
from controller.programmes.repository import languages_of
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState
from edge_agent.protocol.content import Item, Voice, content_hash
from edge_agent.protocol.states import Drill, Level

from . import attention
from .hearers import may_have_heard
from .models import UNDECIDED, Emergency, ReadyMessage
from .pinning import messages_of, sounding
from .rules import compose, led_by, length_of, thawed, window_of
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
    targets = await resolve(session, wanted.targets, seen)
    area_id = _common_area(targets)
    message = await _message(session, wanted.message_id, seen, targets) if wanted.message_id else None
    title = clean_name(wanted.title or (message.title if message else ""), field="title")
    parts = await _parts(session, message, wanted.recordings, seen)
    slots = await _composed(session, parts, targets, wanted.drill, wanted)
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
    parts = await _parts(session, message, (), seen)
    drill = Drill(followed.drill) if followed.drill else None
    slots = await _composed(session, parts, targets, drill, wanted, worded_for=aimed)
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


async def heard(session: AsyncSession, row: Emergency, *, as_proposed: bool = False) -> tuple[Slot, ...]:
    """Give what is heard if it is sent now, and what was, if it is: what was proposed, the signal before it.

    The first emergency of a centre may be proposed while the signal is still being made. That goes before whatever was
    laid out without it, and is shown so to who confirms. Never before a drill: its first word is that it is one.
    ``as_proposed``: see ``draft_of``.
    """
    slots = thawed(row.slots)
    signal = await attention.find(session) if not as_proposed and _may_lead(row) else None
    if signal is None or not slots or any(signal.id in slot.recording_ids for slot in slots):
        return slots
    said = await _spoken(session, signal.id)
    voice = Voice(language=said.language, sha256=said.sha256, bytes=said.bytes, length_ms=said.length_ms)
    return led_by(Slot(Item(offset_ms=0, voices=(voice,)), (signal.id,)), slots)


async def signal_comes(session: AsyncSession, row: Emergency, *, as_proposed: bool = False) -> bool:
    """Say whether the signal is still being made, and goes before what ``heard`` gives if it is ready in time."""
    return not as_proposed and _may_lead(row) and await attention.is_coming(session)


def _may_lead(row: Emergency) -> bool:
    """Say whether the signal may still go before it."""
    return row.state in UNDECIDED and not row.drill


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
    return _above(targets)


def _above(targets: Targets) -> str:
    if targets.area_id is None:
        raise InvalidError("targets: no area lies above all of them", field="targets", problem="apart")
    return targets.area_id


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
    found = await messages_of(session, [place.id for place in targets.tree.chain(_above(targets))], kind)
    if not found:
        raise InvalidError(
            f"no ready message for {kind} lies in this area or above; write one", field="message_id", problem="none"
        )
    can_sound = await sounding(session, found)
    return next((row for row in found if row.id in can_sound), found[0])


async def _composed(
    session: AsyncSession,
    parts: Sequence[Part],
    targets: Targets,
    drill: Drill | None,
    wanted: EmergencyIn | FollowIn,
    *,
    worded_for: Targets | None = None,
) -> tuple[Slot, ...]:
    """Lay out what is heard; a drill that sounds says what it is, before, between and after.

    ``worded_for``: whose words say that it is a drill, unless those of ``targets``.
    """
    notice = await _drill_notice(session, worded_for or targets) if drill is Drill.MARKED else None
    languages = languages_of(targets.tree, {node.area_id for node in targets.nodes})
    return compose(parts, languages, repeats=wanted.repeats, every_ms=wanted.repeat_every_ms, framed_by=notice)


async def _drill_notice(session: AsyncSession, targets: Targets) -> Part:
    """Give the words "this is a drill" of the nearest area that has them.

    Raises:
        InvalidError: there are none: nobody could tell the drill from the real thing.
    """
    chain = [place.id for place in targets.tree.chain(_above(targets))]
    found = await messages_of(session, chain, MessageKind.DRILL)
    can_sound = await sounding(session, found)
    row = next((each for each in found if each.id in can_sound), None)
    if row is None:
        raise InvalidError(
            "drill: no ready message with a recording says here that it is a drill; write one, or drill silently",
            field="drill",
            problem="no_drill_voice",
        )
    return Part(0, title=row.title, voices=tuple(await _voices(session, row)))


async def _voices(session: AsyncSession, message: ReadyMessage) -> list[Spoken]:
    """Give a message's recordings, those of them that there are."""
    voices = [(each["recording_id"], each["language"]) for each in message.voices]
    return [await _spoken(session, recording_id, language) for recording_id, language in voices if recording_id]


async def _parts(session: AsyncSession, message: ReadyMessage | None, extra: Sequence[str], seen: Sight) -> list[Part]:
    """Give what sounds each time: the signal, the message in all its languages, the recordings."""
    spoken = await _voices(session, message) if message else []
    if message is not None and not spoken:
        raise InvalidError(
            f"message_id: {message.title!r} has no recording yet", field="message_id", problem="no_voice"
        )
    rest = [await _spoken(session, recording_id, None, seen) for recording_id in extra]
    if not spoken and not rest:
        raise InvalidError("say what is to be heard: a message or recordings", field="message_id", problem="empty")
    signal = await attention.find(session)
    heard = [[await _spoken(session, signal.id)] if signal else [], spoken, *([each] for each in rest)]
    return [Part(position, voices=tuple(said)) for position, said in enumerate(heard) if said]


async def _spoken(
    session: AsyncSession, recording_id: str, language: str | None = None, seen: Sight | None = None
) -> Spoken:
    """Give a recording as a voice; with ``seen``, only one that is in sight: a message's are there for all below."""
    row = await session.get(Recording, recording_id)
    if row is None or (seen is not None and not seen.sees(row.area_id)):
        raise InvalidError("recordings: there is no such recording", field="recordings", problem="unknown")
    if row.withdrawn_at is not None:
        raise InvalidError(
            f"recordings: {row.title!r} is withdrawn", field="recordings", problem="withdrawn", title=row.title
        )
    if row.state != RecordingState.READY or row.sha256 is None or row.bytes is None or row.length_ms is None:
        raise InvalidError(
            f"recordings: {row.title!r} is not ready", field="recordings", problem="not_ready", title=row.title
        )
    return Spoken(row.id, language or row.language, row.sha256, row.bytes, row.length_ms)
