"""Takes in what the page's player told: whoever approves must have heard what is new to them."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from controller.bulletins.repository import offers_recording
from controller.clock import Clock
from controller.db import Database
from controller.errors import ConflictError, ForbiddenError, NotFoundError
from controller.people import rights
from controller.people.actor import Actor
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState

from . import listening
from .listening import Span
from .repository import waits_for
from .schemas import ListeningOut


class Hearings:
    """What people listened to."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def note(self, actor: Actor, recording_id: str, spans: Iterable[Span]) -> ListeningOut:
        """Add what was played to somebody, as far as they had the time for it; gives all that they have heard of it.

        Raises:
            NotFoundError: there is no such recording for this person.
            ConflictError: it is not ready.
            ForbiddenError: a machine listens to nothing.
        """
        async with self._database.transaction() as tx:
            row = await self._readable(tx.session, actor, recording_id)
            if actor.person_id is None or actor.acts is not None:
                raise ForbiddenError("only a person listens; sign in for this", problem="machine")
            if row.state != RecordingState.READY or row.sha256 is None or row.length_ms is None:
                raise ConflictError("this recording is not ready", problem="not_ready")
            heard = await listening.note_told(tx, actor.person_id, row.sha256, spans, row.length_ms, now=self._clock())
            return ListeningOut(
                recording_id=row.id,
                sha256=row.sha256,
                length_ms=row.length_ms,
                spans=tuple((start, until) for start, until in heard.heard),
                heard_ms=listening.heard_ms(heard.heard),
                whole=heard.whole_at is not None,
            )

    async def _readable(self, session: AsyncSession, actor: Actor, recording_id: str) -> Recording:
        seen, row = await rights.sight(session, actor), await session.get(Recording, recording_id)
        if row is None or not (
            seen.sees(row.area_id)
            or await offers_recording(session, seen, row.id, self._clock())
            or (row.sha256 is not None and await waits_for(session, actor, row.sha256))
        ):
            raise NotFoundError("there is no such recording", resource="recordings", id=recording_id[:64])
        return row
