"""Ready messages: written by those who answer for them, long before they are needed, and kept on the nodes."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.models import Area
from controller.areas.repository import nodes_in, read_tree
from controller.areas.targets import tree_around
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.names import clean_name
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight
from controller.plans.service import Documents
from controller.recordings.models import Recording
from controller.recordings.service import Recordings
from controller.recordings.states import RecordingState
from edge_agent.protocol.topics import Word

from .models import ReadyMessage
from .pinning import missing_messages, sounding
from .schemas import MessageChange, MessageIn, MessageOut, MessageVoice
from .signalling import ensure_signal
from .states import MessageKind


class Messages:
    """What lies ready."""

    def __init__(self, database: Database, clock: Clock, documents: Documents, recordings: Recordings) -> None:
        self._database, self._clock, self._documents, self._recordings = database, clock, documents, recordings

    async def create(self, actor: Actor, wanted: MessageIn) -> MessageOut:
        """Write a message; the nodes of its area and below fetch its recordings at once.

        Raises:
            InvalidError: a field is wrong, or there is no such area for this person.
            ForbiddenError: no role of the person allows it there.
        """
        async with self._database.reading() as session:
            await rights.home(session, actor, Act.MESSAGES_WRITE, wanted.area_id)
        await ensure_signal(self._database, self._recordings, actor, wanted.area_id)
        now = self._clock()
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            await rights.home(tx.session, actor, Act.MESSAGES_WRITE, wanted.area_id)
            row = ReadyMessage(
                id=new_id(),
                area_id=wanted.area_id,
                kind=wanted.kind,
                version=1,
                created_by=actor.person_id,
                **await _checked(tx.session, seen, wanted.title, wanted.voices),
                changed_at=now,
            )
            tx.session.add(row)
            return await self._changed(tx, actor, row, now)

    async def change(self, actor: Actor, message_id: str, wanted: MessageChange) -> MessageOut:
        """Say something else from now on. What was sent or proposed before keeps what it said.

        Raises:
            NotFoundError: there is no such message for this person.
            ConflictError: there is a newer version, or it is put away.
            InvalidError: a field is wrong.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            row, seen = await self._mine(tx, actor, message_id)
            if row.version != wanted.version:
                raise ConflictError("somebody changed this message; look again", problem="changed", version=row.version)
            for name, value in (await _checked(tx.session, seen, wanted.title, wanted.voices)).items():
                setattr(row, name, value)
            row.version, row.changed_at = row.version + 1, now
            return await self._changed(tx, actor, row, now)

    async def archive(self, actor: Actor, message_id: str) -> MessageOut:
        """Put it away: it can be sent no more, and nodes need not keep it.

        Raises:
            NotFoundError: there is no such message for this person.
            ConflictError: it is put away already.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            row, _ = await self._mine(tx, actor, message_id)
            row.archived_at = now
            return await self._changed(tx, actor, row, now)

    async def get(self, actor: Actor, message_id: str) -> MessageOut:
        """Give one message: of an area in sight, or of one above, whose messages are usable below.

        Raises:
            NotFoundError: there is none for this person.
        """
        async with self._database.reading() as session:
            row = await session.get(ReadyMessage, message_id)
            if row is None or not (await rights.sight(session, actor)).knows(row.area_id):
                raise no_message(message_id)
            return (await _outs(session, [row]))[0]

    async def list(
        self, actor: Actor, *, kind: MessageKind | None = None, area_id: str | None = None, archived: bool = False
    ) -> list[MessageOut]:
        """Give the messages of the areas in sight and above, by title; ``area_id``: those usable in that area.

        Raises:
            NotFoundError: there is no such area.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = select(ReadyMessage).order_by(ReadyMessage.title, ReadyMessage.id)
            if seen.areas is not None:
                query = query.where(or_(seen.where(ReadyMessage.area_id), ReadyMessage.area_id.in_(seen.above)))
            if kind is not None:
                query = query.where(ReadyMessage.kind == kind)
            if area_id is not None:
                tree = await tree_around(session, seen, area_id)
                query = query.where(ReadyMessage.area_id.in_([place.id for place in tree.chain(area_id)]))
            if not archived:
                query = query.where(ReadyMessage.archived_at.is_(None))
            return await _outs(session, (await session.scalars(query)).all())

    async def _mine(self, tx: Transaction, actor: Actor, message_id: str) -> tuple[ReadyMessage, Sight]:
        """Give the row for a change by whoever may do that there, and what that person sees."""
        seen = await rights.sight(tx.session, actor)
        row = await tx.session.get(ReadyMessage, message_id, with_for_update=True)
        if row is None or not seen.knows(row.area_id):
            raise no_message(message_id)
        await rights.require(tx.session, actor, Act.MESSAGES_WRITE, [row.area_id])
        if row.archived_at is not None:
            raise ConflictError("this message is put away", problem="archived")
        return row, seen

    async def _changed(self, tx: Transaction, actor: Actor, row: ReadyMessage, now: datetime) -> MessageOut:
        """Have the nodes below told, write the audit, tell whoever looks."""
        await tx.session.flush()
        tree = await read_tree(tx.session)
        for node in await nodes_in(tx.session, tree, [f"areas/{row.area_id}"], reports=False):
            await self._documents.touch(tx, f"nodes/{node.id}", Word.SETTINGS)
        detail = {"title": row.title, "version": row.version, "voices": row.voices, "archived": bool(row.archived_at)}
        await audit.write(tx, actor, Act.MESSAGES_WRITE, f"messages/{row.id}", detail, at=now, area_id=row.area_id)
        tx.tell(Event(Topic.MESSAGE, row.id))
        return (await _outs(tx.session, [row]))[0]


def no_message(message_id: str) -> NotFoundError:
    """Say that there is none, also to those for whom there is none."""
    return NotFoundError("there is no such message", resource="messages", id=message_id[:64])


async def _checked(session: AsyncSession, seen: Sight, title: str, voices: Sequence[MessageVoice]) -> dict[str, object]:
    """Give the columns of what is to be said."""
    if len({voice.language for voice in voices}) < len(voices):
        raise InvalidError("voices: a language stands twice", field="voices", problem="twice")
    for voice in voices:
        if voice.recording_id is not None:
            await _check_recording(session, seen, voice.recording_id)
        elif not voice.text.strip():
            raise InvalidError("voices: words, a recording or both", field="voices", problem="empty")
    return {
        "title": clean_name(title, field="title"),
        "voices": [voice.model_dump(mode="json") for voice in voices],
    }


async def _check_recording(session: AsyncSession, seen: Sight, recording_id: str) -> None:
    row = await session.get(Recording, recording_id)
    if row is None or not seen.sees(row.area_id):
        raise InvalidError("voices: there is no such recording", field="voices", problem="unknown")
    if row.withdrawn_at is not None:
        raise InvalidError(f"voices: {row.title!r} is withdrawn", field="voices", problem="withdrawn", title=row.title)
    if row.state != RecordingState.READY:
        raise InvalidError(f"voices: {row.title!r} is not ready", field="voices", problem="not_ready", title=row.title)


async def _outs(session: AsyncSession, rows: Sequence[ReadyMessage]) -> list[MessageOut]:
    can_sound, tree = await sounding(session, rows), await read_tree(session)
    areas = {row.area_id for row in rows}
    names = dict((await session.execute(select(Area.id, Area.name).where(Area.id.in_(areas)))).all())
    missing = await missing_messages(session, {each: [place.id for place in tree.chain(each)] for each in areas})
    return [_out(row, names.get(row.area_id, ""), missing[row.area_id], sounds=row.id in can_sound) for row in rows]


def _out(row: ReadyMessage, area_name: str, missing: tuple[MessageKind, ...], *, sounds: bool) -> MessageOut:
    return MessageOut(
        id=row.id,
        area_id=row.area_id,
        area_name=area_name,
        kind=MessageKind(row.kind),
        title=row.title,
        voices=tuple(MessageVoice(**each) for each in row.voices),
        sounds=sounds,
        missing_messages=missing if row.kind == MessageKind.ALERT else (),
        version=row.version,
        changed_at=row.changed_at,
        archived_at=row.archived_at,
    )
