"""Which bodies may be served to whom. A node needs no log-in; a draft needs a session."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import exists, select

from controller.approvals.repository import waits_for
from controller.broadcasts.models import Broadcast, BroadcastItem
from controller.bulletins.repository import offers_recording
from controller.clock import Clock
from controller.db import Database
from controller.emergencies.pinning import is_pinned
from controller.emergencies.repository import says
from controller.errors import GoneError, NotFoundError
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import NOTHING
from controller.plans.models import PlanBody
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState


@dataclass(frozen=True)
class FoundRecording:
    """A processed recording on the disk."""

    path: Path
    public: bool
    """An approved broadcast uses it, or it lies ready for emergencies. Otherwise it is a draft: see ``recording``."""


class _Kept(NamedTuple):
    """A recording whose file it is."""

    id: str
    withdrawn_at: datetime | None
    area_id: str | None


class Media:
    """Processed recordings and plan bodies."""

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        self._database, self._clock, self._folder = database, clock, folder

    async def recording(self, sha256: str, actor: Actor | None = None) -> FoundRecording:
        """Give the file of a recording that is public, or in sight of who asks.

        Raises:
            NotFoundError: there is none.
            GoneError: it was withdrawn.
        """
        columns = (Recording.id, Recording.withdrawn_at, Recording.area_id)
        query = select(*columns).where(Recording.sha256 == sha256, Recording.state == RecordingState.READY)
        approved = exists().where(
            BroadcastItem.sha256 == sha256,
            Broadcast.id == BroadcastItem.broadcast_id,
            Broadcast.awaits_approval.is_(False),
        )
        async with self._database.reading() as session:
            rows = [_Kept(*row) for row in await session.execute(query)]
            public = bool(await session.scalar(select(approved))) or await is_pinned(session, [row.id for row in rows])
            if not public:
                seen = await rights.sight(session, actor) if actor is not None else NOTHING
                now = self._clock()
                waits = actor is not None and (
                    await waits_for(session, actor, sha256) or await says(session, seen, sha256)
                )
                rows = [
                    row
                    for row in rows
                    if waits or seen.sees(row.area_id) or await offers_recording(session, seen, row.id, now)
                ]
        if not rows:
            raise no_recording()
        if all(row.withdrawn_at is not None for row in rows):
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
