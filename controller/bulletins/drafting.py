"""A version of a bulletin: what was typed is checked, cleaned and made into rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.errors import InvalidError
from controller.names import clean_name
from controller.people.rights import Sight
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState
from controller.search import kept

from .models import BulletinVersion, BulletinVoice
from .repository import offers_recording
from .rules import Words, content_sha256
from .schemas import VoiceIn

PLAIN = ("title", "category", "level", "author", "source", "document_number")
"""Fields of a version but for its voices."""


@dataclass(frozen=True)
class Version:
    """What a version says, checked."""

    plain: Mapping[str, Any]
    voices: tuple[VoiceIn, ...]
    content_sha256: str

    def rows(self, bulletin_id: str, version: int, person_id: str, now: datetime) -> list[Any]:
        """Give the rows, the version's own first."""
        words = [voice.text for voice in self.voices]
        number = self.plain["document_number"]
        found = kept([self.plain["title"], self.plain["author"], self.plain["source"], number, *words])
        row = BulletinVersion(
            bulletin_id=bulletin_id,
            version=version,
            content_sha256=self.content_sha256,
            search_text=found,
            saved_by=person_id,
            saved_at=now,
            **self.plain,
        )
        return [row, *(self._voice(bulletin_id, version, *each) for each in enumerate(self.voices))]

    @staticmethod
    def _voice(bulletin_id: str, version: int, position: int, voice: VoiceIn) -> BulletinVoice:
        return BulletinVoice(
            bulletin_id=bulletin_id, version=version, position=position, **voice.model_dump(mode="python")
        )

    def fields(self) -> dict[str, Any]:
        """Give field → value, as differences are told."""
        return told(self.plain, self.voices)


def told(plain: Mapping[str, Any], voices: Sequence[VoiceIn | BulletinVoice]) -> dict[str, Any]:
    """Give field → value of a version, one for each language's words and recording."""
    found = {field: plain[field] for field in PLAIN} | {"voices.order": [voice.language for voice in voices]}
    for voice in voices:
        found[f"voices.{voice.language}.text"] = voice.text
        found[f"voices.{voice.language}.recording_id"] = voice.recording_id
    return found


def told_by(row: BulletinVersion, voices: Sequence[BulletinVoice]) -> dict[str, Any]:
    """Give field → value of a version that was saved."""
    return told({field: getattr(row, field) for field in PLAIN}, voices)


async def check(
    session: AsyncSession, seen: Sight, plain: Mapping[str, Any], voices: Sequence[VoiceIn], *, now: datetime
) -> Version:
    """Check and clean what a version is to say.

    Raises:
        InvalidError: a field is wrong, a language stands twice, or a recording is not there for this person.
    """
    cleaned = {
        **plain,
        "title": clean_name(plain["title"], field="title"),
        "author": clean_name(plain["author"], field="author"),
        "source": _may_be_empty(plain["source"], "source", 200) or "",
        "document_number": _may_be_empty(plain["document_number"], "document_number", 80),
    }
    if len({voice.language for voice in voices}) < len(voices):
        raise InvalidError("voices: one voice for each language", field="voices", problem="taken")
    spoken = tuple(
        VoiceIn(language=each.language, text=_clean_text(each.text), recording_id=each.recording_id or None)
        for each in voices
    )
    if any(voice.text is None and voice.recording_id is None for voice in spoken):
        raise InvalidError("voices: words, a recording, or both", field="voices", problem="empty")
    sounds = await _recordings(session, seen, spoken, now)
    words = [Words(voice.language, voice.text, sounds.get(voice.recording_id or "")) for voice in spoken]
    return Version(cleaned, spoken, content_sha256(cleaned["title"], words))


async def check_category(session: AsyncSession, area_id: str, category: str) -> None:
    """See to it that bulletins of an area may be about this. What was said before an area named its own stays.

    Raises:
        InvalidError: the area, or one above, names others.
    """
    if not (await read_tree(session)).effective(area_id).knows_category(category):
        raise InvalidError(f"category: bulletins there are not about {category!r}", field="category", problem="unknown")


async def _recordings(session: AsyncSession, seen: Sight, voices: Sequence[VoiceIn], now: datetime) -> dict[str, str]:
    """Give the hash of each recording as it was uploaded: it is there before processing is done."""
    wanted = [voice.recording_id for voice in voices if voice.recording_id]
    rows = {row.id: row for row in await session.scalars(select(Recording).where(Recording.id.in_(wanted)))}
    for recording_id in wanted:
        row = rows.get(recording_id)
        in_sight = row is not None and (
            seen.sees(row.area_id) or await offers_recording(session, seen, recording_id, now)
        )
        if row is None or not in_sight:
            raise InvalidError("voices: there is no such recording", field="recordings", problem="unknown")
        if row.withdrawn_at is not None:
            raise InvalidError(f"voices: {row.title!r} is withdrawn", field="recordings", problem="withdrawn")
        if row.state == RecordingState.REJECTED:
            raise InvalidError(f"voices: {row.title!r} was rejected", field="recordings", problem="not_ready")
    return {row.id: row.source_sha256 for row in rows.values()}


def _may_be_empty(text: str | None, field: str, most: int) -> str | None:
    return clean_name(text, field=field, most=most) if text and text.strip() else None


def _clean_text(text: str | None) -> str | None:
    """Clean line by line: lines stay, hidden characters are refused."""
    lines = (text or "").replace("\r\n", "\n").replace("\t", " ").split("\n")
    cleaned = [clean_name(line, field="text", most=len(line)) if line.strip() else "" for line in lines]
    return "\n".join(cleaned).strip() or None
