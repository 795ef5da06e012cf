"""Ready messages in SQL, and what of them lies on nodes. Rooms below ask too: it imports none of those above them."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import String, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in, read_tree
from controller.clock import Clock
from controller.db import Transaction, in_pieces
from controller.events import Event, Topic
from controller.plans.service import mark
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState
from edge_agent.protocol.content import Voice
from edge_agent.protocol.topics import Word

from . import attention
from .models import Emergency, ReadyMessage
from .states import UNDECIDED, MessageKind

MAX_PINNED = 256
"""As many as ``edge_agent.protocol.documents.Settings`` takes."""
FOLLOW_UPS = (MessageKind.ALL_CLEAR, MessageKind.FALSE_ALARM)
"""Kinds with which an emergency is ended by one click, if there is one ready."""
_ORDER = {kind: place for place, kind in enumerate(MessageKind)}


async def messages_of(
    session: AsyncSession, area_ids: Sequence[str], kind: MessageKind | None = None
) -> list[ReadyMessage]:
    """Give the messages of some areas that are not put away: in the order of the areas, alerts first."""
    query = select(ReadyMessage).where(ReadyMessage.area_id.in_(area_ids), ReadyMessage.archived_at.is_(None))
    if kind is not None:
        query = query.where(ReadyMessage.kind == kind)
    rows = await session.scalars(query.order_by(ReadyMessage.id))
    return sorted(rows, key=lambda row: (area_ids.index(row.area_id), _ORDER[MessageKind(row.kind)]))


async def sounding(session: AsyncSession, messages: Iterable[ReadyMessage]) -> set[str]:
    """Give the ids of those of which some recording can be heard."""
    said = {row.id: recordings_of(row) for row in messages}
    wanted = {recording_id for recordings in said.values() for recording_id in recordings}
    ready = select(Recording.id).where(Recording.state == RecordingState.READY, Recording.withdrawn_at.is_(None))
    usable = set(await session.scalars(ready.where(Recording.id.in_(wanted)))) if wanted else set[str]()
    return {key for key, recordings in said.items() if not usable.isdisjoint(recordings)}


async def missing_messages(
    session: AsyncSession, chains: Mapping[str, Sequence[str]]
) -> dict[str, tuple[MessageKind, ...]]:
    """Say how an emergency could not be ended by one click: by area, of which ``chains`` give it and all above it."""
    rows = await messages_of(session, sorted({area_id for chain in chains.values() for area_id in chain}))
    can_sound = await sounding(session, rows)
    ready = {(row.area_id, row.kind) for row in rows if row.id in can_sound}
    return {
        area_id: tuple(kind for kind in FOLLOW_UPS if ready.isdisjoint((each, kind) for each in chain))
        for area_id, chain in chains.items()
    }


async def pinned(session: AsyncSession, chain: Sequence[str]) -> tuple[Voice, ...]:
    """Give what lies ready on the nodes of an area; ``chain`` names it and all above it, itself first."""
    messages = await messages_of(session, chain)
    wanted = dict.fromkeys(recording_id for row in messages for recording_id in recordings_of(row))
    if not wanted:
        return ()
    found = {row.id: row for row in await session.scalars(select(Recording).where(Recording.id.in_(wanted)))}
    signal = await attention.find(session)
    rows = [*([signal] if signal is not None else []), *(found[key] for key in wanted if key in found)]
    voices = {voice.sha256: voice for voice in map(_voice, rows) if voice is not None}
    return tuple(voices.values())[:MAX_PINNED]


async def recording_ready(tx: Transaction, row: Recording, clock: Clock) -> None:
    """Have the nodes with ready messages told when the signal is ready, which was made for the first of them.

    Besides, whoever looks at an emergency that it will go before.
    """
    if not row.is_signal:
        return
    for open_one in await tx.session.scalars(select(Emergency.id).where(Emergency.state.in_(UNDECIDED))):
        tx.tell(Event(Topic.EMERGENCY, open_one))
    areas = await tx.session.scalars(select(ReadyMessage.area_id).where(ReadyMessage.archived_at.is_(None)).distinct())
    scopes = [f"areas/{area_id}" for area_id in areas]
    nodes = await nodes_in(tx.session, await read_tree(tx.session), scopes, reports=False)
    for some in in_pieces(nodes):
        await mark(tx, [(f"nodes/{node.id}", Word.SETTINGS) for node in some], clock)


def recordings_of(message: ReadyMessage) -> tuple[str, ...]:
    """Give the ids of a message's recordings, in the order of its voices."""
    return tuple(each["recording_id"] for each in message.voices if each.get("recording_id"))


async def is_pinned(session: AsyncSession, recordings: Iterable[str]) -> bool:
    """Say whether one of these recordings lies ready on nodes."""
    for recording_id in recordings:
        if await title_of_user(session, recording_id) is not None:
            return True
        row = await session.get(Recording, recording_id)
        if row is not None and row.is_signal:
            return True
    return False


async def title_of_user(session: AsyncSession, recording_id: str) -> str | None:
    """Give the title of a message that is not put away and needs the recording; None when there is none."""
    query = select(ReadyMessage).where(
        ReadyMessage.archived_at.is_(None), cast(ReadyMessage.voices, String).contains(recording_id, autoescape=True)
    )
    users = [row for row in await session.scalars(query) if recording_id in recordings_of(row)]
    return users[0].title if users else None


async def title_of_open(session: AsyncSession, recording_id: str) -> str | None:
    """Give the title of an emergency that may still be sent and says the recording; None when there is none."""
    for row in await session.scalars(select(Emergency).where(Emergency.state.in_(UNDECIDED)).order_by(Emergency.id)):
        if any(recording_id in slot["recording_ids"] for slot in row.slots):
            return row.title
    return None


def _voice(row: Recording) -> Voice | None:
    usable = row.state == RecordingState.READY and row.withdrawn_at is None
    if not usable or row.sha256 is None or row.bytes is None or row.length_ms is None:
        return None
    return Voice(language=row.language, sha256=row.sha256, bytes=row.bytes, length_ms=row.length_ms)
