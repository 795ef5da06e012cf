"""Lays out what is heard: the signal, a message in its languages, recordings; and of a drill, that it is one."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import Targets
from controller.broadcasts.rules import Slot
from controller.errors import InvalidError
from controller.people.rights import Sight
from controller.programmes.layout import Part, Spoken
from controller.programmes.repository import languages_of
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState
from edge_agent.protocol.states import Drill

from . import attention
from .models import Emergency, ReadyMessage
from .pinning import messages_of, sounding
from .rules import compose, led_by, signal_state, thawed
from .schemas import EmergencyIn, FollowIn
from .states import UNDECIDED, MessageKind, SignalState


async def composed(
    session: AsyncSession,
    message: ReadyMessage | None,
    recordings: Sequence[str],
    wanted: EmergencyIn | FollowIn,
    *,
    targets: Targets,
    drill: Drill | None,
    seen: Sight,
    worded_for: Targets | None = None,
) -> tuple[Slot, ...]:
    """Lay out a message and recordings as often as wanted; a drill that sounds says so before, between and after.

    ``worded_for``: whose words say that it is a drill, unless those of ``targets``.

    Raises:
        InvalidError: nothing would be heard, or it would be longer than nodes take.
    """
    parts = await _parts(session, message, recordings, seen)
    notice = await _drill_notice(session, worded_for or targets) if drill is Drill.MARKED else None
    languages = languages_of(targets.tree, {node.area_id for node in targets.nodes})
    signal = await _signal(session)
    return compose(
        parts, languages, repeats=wanted.repeats, every_ms=wanted.repeat_every_ms, framed_by=notice, signal=signal
    )


async def heard(session: AsyncSession, row: Emergency, *, as_proposed: bool = False) -> tuple[Slot, ...]:
    """Give what is heard if it is sent now, and what was, if it is: what was proposed, the signal before it.

    The first emergency of a centre may be proposed while the signal is still being made. That goes before whatever was
    laid out without it, and is shown so to who confirms. Never before a drill: its first word is that it is one.
    ``as_proposed``: see ``drafting.draft_of``.
    """
    slots = thawed(row.slots)
    signal = await _signal(session) if not as_proposed and _may_lead(row) else None
    if signal is None or not slots or any(signal.voices[0].recording_id in slot.recording_ids for slot in slots):
        return slots
    return led_by(signal, slots)


async def signal_of(
    session: AsyncSession, row: Emergency, slots: Sequence[Slot], *, as_proposed: bool = False
) -> SignalState:
    """Say whether the signal goes before ``slots``, as ``heard`` gives them."""
    if row.drill:
        return SignalState.NONE
    comes = not as_proposed and _may_lead(row) and await attention.is_coming(session)
    return signal_state(slots, await attention.ids(session), may_come=comes)


def area_above(targets: Targets) -> str:
    """Give the area that lies above all targets.

    Raises:
        InvalidError: there is none.
    """
    if targets.area_id is None:
        raise InvalidError("targets: no area lies above all of them", field="targets", problem="apart")
    return targets.area_id


def _may_lead(row: Emergency) -> bool:
    """Say whether the signal may still go before it."""
    return row.state in UNDECIDED and not row.drill


async def _signal(session: AsyncSession) -> Part | None:
    row = await attention.find(session)
    return Part(0, voices=(await _spoken(session, row.id),)) if row is not None else None


async def _drill_notice(session: AsyncSession, targets: Targets) -> Part:
    """Give the words "this is a drill" of the nearest area that has them.

    Raises:
        InvalidError: there are none: nobody could tell the drill from the real thing.
    """
    chain = [place.id for place in targets.tree.chain(area_above(targets))]
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


async def _parts(session: AsyncSession, message: ReadyMessage | None, extra: Sequence[str], seen: Sight) -> list[Part]:
    """Give what is said each time: the message in all its languages, the recordings."""
    spoken = await _voices(session, message) if message else []
    if message is not None and not spoken:
        raise InvalidError(
            f"message_id: {message.title!r} has no recording yet", field="message_id", problem="no_voice"
        )
    rest = [await _spoken(session, recording_id, None, seen) for recording_id in extra]
    if not spoken and not rest:
        raise InvalidError("say what is to be heard: a message or recordings", field="message_id", problem="empty")
    said = [spoken, *([each] for each in rest)]
    return [Part(position, voices=tuple(each)) for position, each in enumerate(said, 1) if each]


async def _voices(session: AsyncSession, message: ReadyMessage) -> list[Spoken]:
    """Give a message's recordings, those of them that there are."""
    voices = [(each["recording_id"], each["language"]) for each in message.voices]
    return [await _spoken(session, recording_id, language) for recording_id, language in voices if recording_id]


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
