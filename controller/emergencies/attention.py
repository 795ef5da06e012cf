"""The signal before every emergency: a recording with a mark, processed and served like any other."""

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.recordings.models import Recording, RecordingState


async def find(session: AsyncSession) -> Recording | None:
    """Give the signal, if it was processed."""
    return await session.scalar(_known().where(Recording.state == RecordingState.READY))


async def is_known(session: AsyncSession) -> bool:
    """Say whether there is one, or will be."""
    return await session.scalar(_known().where(Recording.state != RecordingState.REJECTED)) is not None


def _known() -> Select[Recording]:
    query = select(Recording).where(Recording.is_signal, Recording.withdrawn_at.is_(None))
    return query.order_by(Recording.created_at, Recording.id).limit(1)
