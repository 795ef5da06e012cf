"""The signal before every emergency: a recording with a mark, processed and served like any other."""

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.recordings.models import Recording
from controller.recordings.states import RecordingState


async def find(session: AsyncSession) -> Recording | None:
    """Give the signal, if it was processed."""
    return await session.scalar(_known().where(Recording.state == RecordingState.READY))


async def is_known(session: AsyncSession) -> bool:
    """Say whether there is one, or will be."""
    return await session.scalar(_known().where(Recording.state != RecordingState.REJECTED)) is not None


async def is_coming(session: AsyncSession) -> bool:
    """Say whether it is still being made."""
    return await is_known(session) and await find(session) is None


async def ids(session: AsyncSession) -> set[str]:
    """Name every signal there ever was: what people say is told apart from it."""
    return set(await session.scalars(select(Recording.id).where(Recording.is_signal)))


def _known() -> Select[Recording]:
    query = select(Recording).where(Recording.is_signal, Recording.withdrawn_at.is_(None))
    return query.order_by(Recording.created_at, Recording.id).limit(1)
