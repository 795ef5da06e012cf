"""What an emergency says, recording by recording: shown to whoever is asked for the second yes."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import Targets
from controller.broadcasts.rules import Slot
from controller.recordings.models import Recording
from controller.recordings.states import RecordingOrigin

from .models import ReadyMessage
from .pinning import messages_of
from .rules import words_in
from .schemas import SoundOut
from .states import MessageKind


async def words_of(
    session: AsyncSession, slots: Sequence[Slot], targets: Targets, message: ReadyMessage | None
) -> Mapping[str, str]:
    """Give what recordings of ``slots`` say, as ready messages have it now."""
    recordings = {each for slot in slots for each in slot.recording_ids}
    above = [place.id for place in targets.tree.chain(targets.area_id)] if targets.area_id else []
    messages = [*await messages_of(session, above, MessageKind.DRILL), *([message] if message else [])]
    written = {each["recording_id"]: each["text"] for row in messages for each in row.voices if each["text"]}
    return {key: text for key, text in written.items() if key in recordings}


async def sounds_of(
    session: AsyncSession, slots: Sequence[Slot], kept: Sequence[Mapping[str, object]]
) -> tuple[SoundOut, ...]:
    """Give each recording of ``slots`` once, in the order in which they begin; ``kept``: the row's, with words.

    Of a machine's recording the words are its own, whatever its ready message says: those are heard.
    """
    words, times, spoken = words_in(kept), dict[str, int](), dict[str, tuple[str, str, int]]()
    for slot in slots:
        for voice, recording_id in zip(slot.item.voices, slot.recording_ids, strict=True):
            spoken.setdefault(recording_id, (voice.language, voice.sha256, voice.length_ms))
            # Where several languages are asked for, each takes a turn: the first of them stands for that time.
            times[recording_id] = times.get(recording_id, 0) + (slot.item.choice == 0)
    found = await session.scalars(select(Recording).where(Recording.id.in_(spoken)))
    rows = {row.id: row for row in found}
    return tuple(
        SoundOut(
            recording_id=key,
            title=rows[key].title,
            language=language,
            media_url=f"/media/{sha256}.opus",
            length_ms=length_ms,
            times=times[key],
            words=rows[key].words or words.get(key, ""),
            is_signal=rows[key].is_signal,
            is_machine=rows[key].voice is not None or rows[key].origin == RecordingOrigin.MACHINE,
        )
        for key, (language, sha256, length_ms) in spoken.items()
    )
