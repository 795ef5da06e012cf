"""The library: recordings found by their words, and where each is used."""

from collections.abc import Sequence

from sqlalchemy import Select, String, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.bulletins.models import Bulletin, BulletinVersion, BulletinVoice
from controller.bulletins.repository import current_version
from controller.bulletins.states import BulletinState
from controller.clock import Clock
from controller.db import Database
from controller.emergencies.models import ReadyMessage
from controller.emergencies.pinning import recordings_of
from controller.paging import Found, Wanted, paged
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Sight
from controller.programmes.models import Programme, ProgrammeItem
from controller.schedules.models import Schedule
from controller.search import matches

from .models import Recording
from .schemas import RecordingOut, UseOut
from .service import Recordings
from .states import RecordingOrigin, RecordingState

ORDERS = {
    "added": Recording.created_at,
    "title": Recording.search,
    "length": Recording.length_ms,
}
MOST_USES = 100
"""Of each kind."""


class Library:
    """What there is, to choose from."""

    def __init__(self, database: Database, clock: Clock, recordings: Recordings) -> None:
        self._database, self._clock, self._recordings = database, clock, recordings

    async def find(self, actor: Actor, wanted: Wanted) -> Found[RecordingOut]:
        """Give recordings in sight that are not withdrawn; the signal before emergencies is none to choose.

        Sorted by ``added``, ``title`` or ``length``; narrowed by ``origin``, ``state``, ``language`` and ``area``.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = _narrowed(_listed(seen), wanted)
            rows, total = await paged(session, query, wanted, ORDERS, last=Recording.id)
            return Found(tuple(await self._recordings.outs(session, [row for (row,) in rows])), total)

    async def uses(self, actor: Actor, recording_id: str) -> tuple[UseOut, ...]:
        """Say which bulletins, programmes, schedules and ready messages in sight need it, if they are not put away.

        Raises:
            NotFoundError: there is no such recording for this person.
        """
        await self._recordings.get(actor, recording_id)
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            return (
                *await _bulletins(session, seen, recording_id),
                *await _programmes(session, seen, recording_id),
                *await _schedules(session, seen, recording_id),
                *await _messages(session, seen, recording_id),
                *await _cuts(session, seen, recording_id),
            )


def _listed(seen: Sight) -> Select[Recording]:
    query = select(Recording).where(Recording.withdrawn_at.is_(None), Recording.is_signal.is_(False))
    return query.where(seen.where(Recording.area_id))


def _narrowed(query: Select[Recording], wanted: Wanted) -> Select[Recording]:
    having = wanted.having
    if (origin := having.get("origin")) in set(RecordingOrigin):
        query = query.where(Recording.origin == origin)
    if (state := having.get("state")) in set(RecordingState):
        query = query.where(Recording.state == state)
    if language := having.get("language"):
        query = query.where(Recording.language == language)
    if area_id := having.get("area"):
        query = query.where(Recording.area_id == area_id)
    return query.where(matches(Recording.search, wanted.q))


async def _bulletins(session: AsyncSession, seen: Sight, recording_id: str) -> list[UseOut]:
    query = (
        select(Bulletin.id, BulletinVersion.title)
        .join(BulletinVersion, current_version())
        .join(BulletinVoice, (BulletinVoice.bulletin_id == Bulletin.id) & (BulletinVoice.version == Bulletin.version))
        .where(BulletinVoice.recording_id == recording_id, seen.where(Bulletin.area_id))
        .where(Bulletin.state != BulletinState.ARCHIVED)
    )
    return await _uses(session, "bulletin", query.order_by(Bulletin.created_at.desc(), Bulletin.id))


async def _programmes(session: AsyncSession, seen: Sight, recording_id: str) -> list[UseOut]:
    standing = select(ProgrammeItem.programme_id).where(ProgrammeItem.recording_id == recording_id)
    query = select(Programme.id, Programme.title).where(Programme.id.in_(standing), seen.where(Programme.area_id))
    query = query.where(Programme.archived_at.is_(None)).order_by(Programme.changed_at.desc(), Programme.id)
    return await _uses(session, "programme", query)


async def _schedules(session: AsyncSession, seen: Sight, recording_id: str) -> list[UseOut]:
    query = select(Schedule.id, Schedule.title).where(Schedule.filler_recording_id == recording_id)
    query = query.where(Schedule.ended_at.is_(None), seen.where(Schedule.area_id))
    return await _uses(session, "schedule", query.order_by(Schedule.changed_at.desc(), Schedule.id))


async def _messages(session: AsyncSession, seen: Sight, recording_id: str) -> list[UseOut]:
    query = select(ReadyMessage).where(ReadyMessage.archived_at.is_(None), seen.where(ReadyMessage.area_id))
    query = query.where(cast(ReadyMessage.voices, String).contains(recording_id, autoescape=True))
    rows = [row for row in await session.scalars(query.limit(MOST_USES)) if recording_id in recordings_of(row)]
    return [UseOut(kind="message", id=row.id, title=row.title) for row in rows]


async def _cuts(session: AsyncSession, seen: Sight, recording_id: str) -> list[UseOut]:
    query = select(Recording.id, Recording.title).where(Recording.derived_from == recording_id)
    query = query.where(Recording.withdrawn_at.is_(None), seen.where(Recording.area_id))
    return await _uses(session, "cut", query.order_by(Recording.created_at.desc(), Recording.id))


async def _uses(session: AsyncSession, kind: str, query: Select[str, str]) -> list[UseOut]:
    rows: Sequence[tuple[str, str]] = [(key, title) for key, title in await session.execute(query.limit(MOST_USES))]
    return [UseOut.model_validate({"kind": kind, "id": key, "title": title}) for key, title in dict.fromkeys(rows)]
