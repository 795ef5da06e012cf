"""Which bodies may be served to whom. A node needs no log-in; a draft needs a session."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import exists, select

from controller.broadcasts.models import Broadcast, BroadcastItem
from controller.db import Database
from controller.errors import GoneError, NotFoundError
from controller.plans.models import PlanBody
from controller.recordings.models import Recording, RecordingState


@dataclass(frozen=True)
class FoundRecording:
    """A processed recording on the disk."""

    path: Path
    public: bool
    """An approved broadcast uses it; otherwise it is a draft, for those who are signed in."""


class Media:
    """Processed recordings and plan bodies."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self._folder = database, folder

    async def recording(self, sha256: str) -> FoundRecording:
        """Give the file of a recording.

        Raises:
            NotFoundError: there is none.
            GoneError: it was withdrawn.
        """
        query = select(Recording.withdrawn_at).where(
            Recording.sha256 == sha256, Recording.state == RecordingState.READY
        )
        approved = exists().where(
            BroadcastItem.sha256 == sha256,
            Broadcast.id == BroadcastItem.broadcast_id,
            Broadcast.awaits_approval.is_(False),
        )
        async with self._database.reading() as session:
            withdrawn = (await session.scalars(query)).all()
            public = bool(await session.scalar(select(approved)))
        if not withdrawn:
            raise no_recording()
        if all(at is not None for at in withdrawn):
            raise GoneError("this recording was withdrawn", resource="media")
        return FoundRecording(self._folder / f"{sha256}.opus", public=public)

    async def plan_body(self, sha256: str) -> bytes:
        """Give a packed plan body, exactly as it is hashed.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            packed = await session.scalar(select(PlanBody.packed).where(PlanBody.sha256 == sha256))
        if packed is None:
            raise NotFoundError("there is no such plan body", resource="plans", id=sha256[:64])
        return packed


def no_recording() -> NotFoundError:
    """Say that there is none, also to those for whom there is none."""
    return NotFoundError("there is no such recording", resource="media")
