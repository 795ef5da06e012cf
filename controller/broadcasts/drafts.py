"""Checks what was asked before anything is saved, and works out the rest: window, items, nodes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import Targets, resolve
from controller.errors import InvalidError
from controller.names import clean_name
from controller.recordings.models import Recording, RecordingState
from edge_agent.protocol.content import Item
from edge_agent.protocol.states import Level

from .rules import (
    END_MARGIN,
    FARTHEST,
    LATEST_START_AFTER,
    LATEST_START_AFTER_NOW,
    LONGEST_WINDOW,
    MAX_ITEMS,
    START_GRACE,
    Piece,
    Window,
    items_of,
)

LEVELS = (Level.NORMAL, Level.PRIORITY)
"""Emergencies come with their own rules."""


@dataclass(frozen=True)
class Wish:
    """What was asked."""

    title: str
    recordings: tuple[str, ...]
    targets: tuple[str, ...]
    start_at: datetime | None
    """None: now."""
    level: str
    latest_start_at: datetime | None
    latest_end_at: datetime | None

    @classmethod
    def of(
        cls,
        title: str,
        recordings: Sequence[str],
        targets: Sequence[str],
        level: str,
        times: tuple[datetime | None, datetime | None, datetime | None],
    ) -> Self:
        """Take what was asked; ``times`` are start, latest start and latest end, in any zone."""
        start_at, latest_start_at, latest_end_at = (None if at is None else _utc(at) for at in times)
        return cls(title, tuple(recordings), tuple(targets), start_at, level, latest_start_at, latest_end_at)

    @property
    def sha256(self) -> str:
        """Hash by which a repeated request is told from another one."""
        times = [at.isoformat() if at else None for at in (self.start_at, self.latest_start_at, self.latest_end_at)]
        said = [self.title, self.recordings, self.targets, self.level, *times]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True)
class Draft:
    """A broadcast that could be saved."""

    title: str
    level: Level
    urgent: bool
    window: Window
    recordings: tuple[Recording, ...]
    items: tuple[Item, ...]
    length_ms: int
    targets: Targets


async def make_draft(session: AsyncSession, wish: Wish, *, now: datetime, lead: timedelta) -> Draft:
    """Check a wish.

    Raises:
        InvalidError: a field is wrong; nothing that could be sent.
    """
    title = clean_name(wish.title, field="title")
    if wish.level not in LEVELS:
        raise InvalidError(f"level: one of {', '.join(LEVELS)}", field="level", problem="unknown")
    recordings = await _ready(session, wish.recordings)
    items = items_of(_piece(row) for row in recordings)
    length_ms = items[-1].offset_ms + items[-1].slot_ms
    window = _window(wish, now, lead, timedelta(milliseconds=length_ms))
    targets = await resolve(session, wish.targets)
    if not targets.nodes:
        raise InvalidError("targets: there is no node at or under them", field="targets", problem="no_nodes")
    return Draft(title, Level(wish.level), wish.start_at is None, window, recordings, items, length_ms, targets)


def _utc(at: datetime) -> datetime:
    """Give an instant as the wire has it: UTC, whole milliseconds."""
    if at.tzinfo is None:
        raise ValueError(f"naive datetime {at.isoformat()}: instants are aware")
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


async def _ready(session: AsyncSession, wanted: Sequence[str]) -> tuple[Recording, ...]:
    if not wanted:
        raise InvalidError("recordings: choose at least one", field="recordings", problem="empty")
    if len(wanted) > MAX_ITEMS:
        raise InvalidError(f"recordings: at most {MAX_ITEMS}", field="recordings", problem="too_long", most=MAX_ITEMS)
    found = {row.id: row for row in await session.scalars(select(Recording).where(Recording.id.in_(wanted)))}
    for recording_id in wanted:
        row = found.get(recording_id)
        if row is None:
            raise InvalidError("recordings: there is no such recording", field="recordings", problem="unknown")
        if row.withdrawn_at is not None:
            raise _not_usable(row, "withdrawn", "is withdrawn")
        if row.state != RecordingState.READY:
            raise _not_usable(row, "not_ready", f"is not ready: {row.state}")
    return tuple(found[recording_id] for recording_id in wanted)


def _not_usable(row: Recording, problem: str, words: str) -> InvalidError:
    return InvalidError(f"recordings: {row.title!r} {words}", field="recordings", problem=problem, title=row.title)


def _piece(row: Recording) -> Piece:
    if row.sha256 is None or row.bytes is None or row.length_ms is None:
        raise InvalidError(f"recordings: {row.title!r} is not ready", field="recordings", problem="not_ready")
    return Piece(row.sha256, row.bytes, row.length_ms, row.language)


def _window(wish: Wish, now: datetime, lead: timedelta, length: timedelta) -> Window:
    start_at = now + lead if wish.start_at is None else wish.start_at
    if start_at < now - START_GRACE:
        raise InvalidError("start_at: lies in the past", field="start_at", problem="past")
    if start_at > now + FARTHEST:
        raise InvalidError("start_at: more than a year ahead", field="start_at", problem="too_far")
    after = LATEST_START_AFTER_NOW if wish.start_at is None else LATEST_START_AFTER
    latest_start_at = wish.latest_start_at or start_at + after
    latest_end_at = wish.latest_end_at or latest_start_at + length + END_MARGIN
    if not start_at <= latest_start_at <= start_at + LONGEST_WINDOW:
        raise InvalidError(
            "latest_start_at: from start_at to a day after it", field="latest_start_at", problem="before_start"
        )
    if not start_at + length <= latest_end_at or latest_end_at < latest_start_at:
        raise InvalidError("latest_end_at: it would not fit before", field="latest_end_at", problem="too_short")
    if latest_end_at > latest_start_at + length + LONGEST_WINDOW:
        raise InvalidError("latest_end_at: more than a day late", field="latest_end_at", problem="too_far")
    return Window(start_at, latest_start_at, latest_end_at)
