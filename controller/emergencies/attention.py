"""The signal before every emergency: a recording like any other, so it is processed, pinned and served like one."""

import hashlib
from functools import cache

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from audio import tune
from controller.recordings.models import Recording, RecordingState


@cache
def source_sha256() -> str:
    """Give the hash of the signal as it is made, by which its recordings are known."""
    return hashlib.sha256(tune.attention()).hexdigest()


async def find(session: AsyncSession) -> Recording | None:
    """Give the signal, if it was processed."""
    return await session.scalar(_known().where(Recording.state == RecordingState.READY))


async def is_known(session: AsyncSession) -> bool:
    """Say whether there is one, or will be."""
    return await session.scalar(_known().where(Recording.state != RecordingState.REJECTED)) is not None


def _known() -> Select[Recording]:
    query = select(Recording).where(Recording.source_sha256 == source_sha256(), Recording.withdrawn_at.is_(None))
    return query.order_by(Recording.created_at, Recording.id).limit(1)
