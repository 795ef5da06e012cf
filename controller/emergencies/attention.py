"""The signal before every emergency: a recording like any other, so it is processed, pinned and served like one."""

import hashlib
import logging
from collections.abc import AsyncIterator
from functools import cache

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from audio import tune
from controller.db import Database
from controller.errors import LoaError
from controller.people.actor import Actor
from controller.recordings.models import Recording, RecordingState
from controller.recordings.service import Recordings

TITLE = "Tín hiệu báo động"

_log = logging.getLogger(__name__)


@cache
def source_sha256() -> str:
    """Give the hash of the signal as it is made, by which its recordings are known."""
    return hashlib.sha256(tune.attention()).hexdigest()


async def find(session: AsyncSession) -> Recording | None:
    """Give the signal, if it was processed."""
    return await session.scalar(_known().where(Recording.state == RecordingState.READY))


async def ensure(database: Database, recordings: Recordings, actor: Actor, area_id: str) -> None:
    """Have the signal made if there is none, in the name of who needs it first. An emergency goes out without, too."""
    async with database.reading() as session:
        if await session.scalar(_known().where(Recording.state != RecordingState.REJECTED)) is not None:
            return
    sound = tune.attention()
    try:
        await recordings.upload(
            actor,
            title=TITLE,
            file_name="attention.wav",
            body=_whole(sound),
            declared_bytes=len(sound),
            area_id=area_id,
        )
    except LoaError as error:
        _log.warning("the attention signal cannot be made now: %s", error.message)


def _known() -> Select[Recording]:
    query = select(Recording).where(Recording.source_sha256 == source_sha256(), Recording.withdrawn_at.is_(None))
    return query.order_by(Recording.created_at, Recording.id).limit(1)


async def _whole(sound: bytes) -> AsyncIterator[bytes]:
    yield sound
