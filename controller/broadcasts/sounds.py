"""What a broadcast says, recording by recording, as it was when it was made: to be read and heard on its page."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.bulletins.models import Bulletin, BulletinVersion, BulletinVoice
from controller.db import Database
from controller.people.actor import Actor
from controller.people.rights import Sight
from controller.recordings.models import Recording
from controller.recordings.states import RecordingOrigin

from .known import known_row
from .models import BroadcastItem
from .schemas import SaidOut

_Text = tuple[str, int, str]
"""Bulletin, version, language."""
_HEARD = (
    Recording.title,
    Recording.words,
    Recording.withdrawn_at,
    Recording.is_signal,
    Recording.voice,
    Recording.origin,
)
"""Of a recording; its waveform is long, and not among them."""


class BroadcastSounds:
    """Reads what broadcasts say."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, actor: Actor, broadcast_id: str) -> tuple[SaidOut, ...]:
        """Give the voices of all slots in their order. Where each language has its turn, the first stands for all.

        Raises:
            NotFoundError: there is no such broadcast.
        """
        async with self._database.reading() as session:
            seen, row = await known_row(session, actor, broadcast_id)
            rows = (
                await session.execute(
                    select(BroadcastItem, BulletinVersion.title, Bulletin.area_id, *_HEARD)
                    .join(Recording, Recording.id == BroadcastItem.recording_id)
                    .outerjoin(Bulletin, Bulletin.id == BroadcastItem.bulletin_id)
                    .outerjoin(
                        BulletinVersion,
                        and_(
                            BulletinVersion.bulletin_id == BroadcastItem.bulletin_id,
                            BulletinVersion.version == BroadcastItem.bulletin_version,
                        ),
                    )
                    .where(BroadcastItem.broadcast_id == row.id, BroadcastItem.choice == 0)
                    .order_by(BroadcastItem.position, BroadcastItem.voice)
                )
            ).all()
            texts = await _texts(session, [each[0] for each in rows])
        return tuple(_out(each, seen, texts) for each in rows)


async def _texts(session: AsyncSession, items: Sequence[BroadcastItem]) -> Mapping[_Text, str]:
    """Give what the versions of bulletins say that were aired."""
    ids = {item.bulletin_id for item in items if item.bulletin_id}
    query = select(BulletinVoice).where(BulletinVoice.bulletin_id.in_(ids), BulletinVoice.text.is_not(None))
    rows = await session.scalars(query) if ids else ()
    return {(row.bulletin_id, row.version, row.language): row.text or "" for row in rows}


def _out(found: Row[*tuple[Any, ...]], seen: Sight, texts: Mapping[_Text, str]) -> SaidOut:
    item, title, area_id, name, words, withdrawn_at, is_signal, voice, origin = found
    is_known = item.bulletin_id is not None and seen.sees(area_id)
    return SaidOut(
        position=item.position,
        recording_id=item.recording_id,
        title=title or name,
        language=item.language,
        offset_ms=item.offset_ms,
        length_ms=item.length_ms,
        media_url=None if withdrawn_at is not None else f"/media/{item.sha256}.opus",
        words=words or texts.get((item.bulletin_id or "", item.bulletin_version or 0, item.language), ""),
        is_signal=is_signal,
        is_machine=voice is not None or origin == RecordingOrigin.MACHINE,
        bulletin_id=item.bulletin_id if is_known else None,
    )
