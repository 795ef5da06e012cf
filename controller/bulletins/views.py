"""Bulletins as they are shown: rows and names put together."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.models import Area
from controller.audit.models import AuditEntry
from controller.people.repository import names_of
from controller.people.rights import Sight
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState

from .drafting import PLAIN
from .models import BulletinVersion, BulletinVoice
from .repository import Worded, decisions, worded
from .schemas import BulletinOut, DecisionOut, OwedIn, VersionOut, VoiceOut
from .states import BulletinState

Owing = Mapping[str, Sequence[str]]
"""By bulletin, the areas that owe it."""


async def outs(session: AsyncSession, ids: Sequence[str], seen: Sight, owing: Owing | None = None) -> list[BulletinOut]:
    """Give bulletins in the order of their ids."""
    owing = owing or {}
    found = await worded(session, ids)
    rows = [each.bulletin for each in found.values()]
    acting = {name for row in rows for name in (row.created_by, row.submitted_by, row.decided_by) if name}
    names = await names_of(session, acting | {each.words.saved_by for each in found.values()})
    named = {row.area_id for row in rows}.union(*owing.values())
    places = dict((await session.execute(select(Area.id, Area.name).where(Area.id.in_(named)))).all())
    recordings = await _recordings(session, (voice for each in found.values() for voice in each.voices))
    shown = [_out(found[key], seen, names, places, recordings) for key in ids if key in found]
    return [_owed(each, owing[each.id], places) if each.id in owing else each for each in shown]


def _owed(shown: BulletinOut, area_ids: Sequence[str], places: Mapping[str, str]) -> BulletinOut:
    owed_in = tuple(OwedIn(area_id=key, name=places.get(key, "")) for key in area_ids)
    return shown.model_copy(update={"owed_in": owed_in})


async def version_outs(
    session: AsyncSession, found: Sequence[tuple[BulletinVersion, tuple[BulletinVoice, ...]]]
) -> list[VersionOut]:
    """Give the versions of one bulletin, each with what was decided about it."""
    entries = await decisions(session, found[0][0].bulletin_id) if found else []
    acting = {row.saved_by for row, _ in found} | {each.person_id for each in entries if each.person_id}
    names = await names_of(session, acting)
    recordings = await _recordings(session, (voice for _, voices in found for voice in voices))
    return [
        VersionOut(
            version=row.version,
            **{field: getattr(row, field) for field in PLAIN},
            content_sha256=row.content_sha256,
            voices=tuple(_voice(voice, recordings) for voice in voices),
            saved_by=names.get(row.saved_by, ""),
            saved_at=row.saved_at,
            decisions=tuple(_decision(each, names) for each in entries if each.detail.get("version") == row.version),
        )
        for row, voices in found
    ]


def _decision(entry: AuditEntry, names: Mapping[str, str]) -> DecisionOut:
    return DecisionOut(
        step=entry.detail["step"],
        by=names.get(entry.person_id or "", ""),
        at=entry.at,
        reason=entry.detail.get("reason"),
    )


def _out(
    found: Worded, seen: Sight, names: dict[str, str], places: dict[str, str], recordings: dict[str, Recording]
) -> BulletinOut:
    row, words, own = found.bulletin, found.words, seen.sees(found.bulletin.area_id)

    def name(person_id: str | None) -> str | None:
        """Give the name of a person, of one's own place only."""
        return names.get(person_id, "") if person_id and own else None

    return BulletinOut(
        id=row.id,
        area_id=row.area_id,
        area_name=places.get(row.area_id, ""),
        state=BulletinState(row.state),
        version=row.version,
        **{field: getattr(words, field) for field in PLAIN},
        content_sha256=words.content_sha256,
        voices=tuple(_voice(voice, recordings) for voice in found.voices),
        created_by=name(row.created_by) or "",
        created_at=row.created_at,
        saved_by=name(words.saved_by) or "",
        saved_at=words.saved_at,
        submitted_by=name(row.submitted_by),
        submitted_at=row.submitted_at,
        decided_by=name(row.decided_by),
        decided_at=row.decided_at,
        returned_reason=row.returned_reason,
        offered_at=row.offered_at,
        offered_until=row.offered_until,
        from_above=not own,
        archived_at=row.archived_at,
    )


def _voice(row: BulletinVoice, recordings: dict[str, Recording]) -> VoiceOut:
    recording = recordings.get(row.recording_id or "")
    usable = recording is not None and recording.withdrawn_at is None and recording.state == RecordingState.READY
    return VoiceOut(
        language=row.language,
        text=row.text,
        recording_id=row.recording_id,
        recording_state=RecordingState(recording.state) if recording else None,
        recording_withdrawn=recording is not None and recording.withdrawn_at is not None,
        length_ms=recording.length_ms if recording else None,
        media_url=f"/media/{recording.sha256}.opus" if recording and usable else None,
    )


async def _recordings(session: AsyncSession, voices: Iterable[BulletinVoice]) -> dict[str, Recording]:
    wanted = {voice.recording_id for voice in voices if voice.recording_id}
    return {row.id: row for row in await session.scalars(select(Recording).where(Recording.id.in_(wanted)))}
