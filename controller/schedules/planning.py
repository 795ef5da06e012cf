"""What a schedule's dates become: programme, start, end and items of each, without writing anything.

Laying out a programme is the costly part: it is done once for all the dates of one look that air the same, whatever
the day, unless something in it is offered from above.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import Standing, standing_in
from controller.areas.rules import Tree
from controller.errors import InvalidError, NotFoundError
from controller.programmes.layout import LaidOut, Part, Slot
from controller.programmes.models import Programme, ProgrammeItem
from controller.programmes.repository import borrows, languages_of, lay_out, lay_out_items
from controller.programmes.shelf import Shelf
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState
from edge_agent.protocol.content import Item, Voice

from .expand import Occurrence, Verdict
from .models import Schedule
from .states import Overrun
from .timing import Frame, Session, fit, fixed_end


class FillerGoneError(InvalidError):
    """What fills a schedule up was withdrawn, or cannot be read."""

    code = "filler_gone"


@dataclass(frozen=True)
class Planned:
    """A date that can be aired."""

    occurrence: Occurrence
    title: str
    session: Session
    laid_out: LaidOut
    fingerprint: str
    """Two plans of a date with the same one are the same broadcast."""
    left_out: tuple[str, ...]
    """Titles of the items at its end for which there is no time."""

    @property
    def recurrence(self) -> str:
        """Give the name of the date, as rows have it."""
        return self.occurrence.recurrence.isoformat()


class Edited(NamedTuple):
    """A programme as it might be; neither it nor its items are saved."""

    row: Programme
    items: Sequence[ProgrammeItem]


def end_of(row: Schedule, date: Occurrence) -> datetime | None:
    """Give the fixed end of a date, wherever it was moved to; None: it has none."""
    return fixed_end(date.local, row.zone, row.ends_at_local, rule=date.recurrence)


class Planner:
    """Plans the dates of one schedule; reads, never writes."""

    def __init__(
        self,
        session: AsyncSession,
        row: Schedule,
        nodes: Sequence[Standing],
        tree: Tree,
        instead: Mapping[str, Edited] = MappingProxyType({}),
        *,
        shelf: Shelf | None = None,
    ) -> None:
        self._session, self._row, self.nodes, self._instead = session, row, nodes, instead
        self._shelf = shelf
        """Programmes that were read already."""
        self._languages = languages_of(tree, (node.area_id for node in nodes))
        self._laid: dict[tuple[str, datetime | None], LaidOut | InvalidError] = {}
        self._first: dict[str, LaidOut | InvalidError] = {}
        """By programme, what the first day that was looked at gave."""
        self._dated: dict[str, bool] = {}
        self._filler: Slot | None = None

    @classmethod
    async def of(
        cls, session: AsyncSession, row: Schedule, tree: Tree, instead: Mapping[str, Edited] = MappingProxyType({})
    ) -> "Planner":
        """Read what all dates share. ``instead``: programmes as they might be, by id."""
        return cls(session, row, await standing_in(session, tree, row.scopes), tree, instead)

    @property
    def node_ids(self) -> frozenset[str]:
        """Give the nodes that would hear it."""
        return frozenset(node.id for node in self.nodes)

    async def plan(self, date: Occurrence) -> Planned:
        """Plan one date.

        Raises:
            InvalidError: it cannot be aired as it is (``NotAirableError``, ``OverrunError``).
        """
        laid_out = await self._laid_out(date.programme_id, date.start_at)
        frame = await self._frame()
        end_at = end_of(self._row, date)
        session = fit(
            date.start_at + timedelta(milliseconds=laid_out.lead_in_ms),
            None if end_at is None else end_at - timedelta(milliseconds=laid_out.tail_ms),
            laid_out.items,
            frame,
        )
        fitted = self._fitted(laid_out, session)
        title = await self._title(date)
        left_out = tuple(slot.part.title for slot in laid_out.slots[len(laid_out.slots) - session.left_out :])
        return Planned(date, title, session, fitted, fingerprint(self._row, title, session), left_out)

    async def plan_all(self, dates: Iterable[Occurrence]) -> tuple[dict[str, Planned], dict[str, InvalidError]]:
        """Plan dates; gives them by name, and apart what keeps the others from being aired."""
        planned: dict[str, Planned] = {}
        errors: dict[str, InvalidError] = {}
        for date in dates:
            try:
                planned[date.recurrence.isoformat()] = await self.plan(date)
            except InvalidError as error:
                errors[date.recurrence.isoformat()] = error
        return planned, errors

    async def length_ms(self, programme_id: str) -> int:
        """Give the length of a programme as it is now, silence included.

        Raises:
            InvalidError: it cannot be aired as it is.
        """
        return (await self._laid_out(programme_id, None)).session_ms

    async def _laid_out(self, programme_id: str, at: datetime | None) -> LaidOut:
        key = (programme_id, at)
        if key not in self._laid:
            first = self._first.get(programme_id)
            alike = first is not None and not await self._is_dated(programme_id)
            self._laid[key] = first if first is not None and alike else await self._lay_out(programme_id, at)
            self._first.setdefault(programme_id, self._laid[key])
        found = self._laid[key]
        if isinstance(found, InvalidError):
            raise found
        return found

    async def _lay_out(self, programme_id: str, at: datetime | None) -> LaidOut | InvalidError:
        try:
            if (edited := self._instead.get(programme_id)) is not None:
                return await lay_out_items(self._session, *edited, self._languages, at=at)
            if self._shelf is not None and self._shelf.holds(programme_id):
                return self._shelf.lay_out(programme_id, self._languages, at=at)
            return await lay_out(self._session, programme_id, self._languages, at=at)
        except NotFoundError:
            return _gone()
        except InvalidError as error:
            return error

    async def _is_dated(self, programme_id: str) -> bool:
        """Say whether a programme may differ from day to day; asked only when a second day is looked at."""
        if programme_id in self._instead:
            return any(item.bulletin_id for item in self._instead[programme_id].items)
        if self._shelf is not None and self._shelf.holds(programme_id):
            return self._shelf.borrows(programme_id)
        if programme_id not in self._dated:
            self._dated[programme_id] = await borrows(self._session, programme_id)
        return self._dated[programme_id]

    async def _title(self, date: Occurrence) -> str:
        if date.programme_id == self._row.programme_id:
            return self._row.title
        other = await self._session.get(Programme, date.programme_id)
        return self._row.title if other is None else other.title

    async def _frame(self) -> Frame:
        row = self._row
        filler = await self._filler_slot()
        voice = None if filler is None else filler.item.voices[0]
        return Frame(row.late_ms, row.ends_at_local, row.back_timed, Overrun(row.overrun), voice)

    async def _filler_slot(self) -> Slot | None:
        if self._filler is None and self._row.filler_recording_id is not None:
            self._filler = _filler(await self._session.get(Recording, self._row.filler_recording_id))
        return self._filler

    def _fitted(self, laid_out: LaidOut, session: Session) -> LaidOut:
        """Put the items that fit, with their fillers, back to where they come from."""
        kept = laid_out.slots[: len(laid_out.slots) - session.left_out]
        added = (self._filler,) * session.fillers if self._filler is not None else ()
        slots = (*added, *kept) if self._row.back_timed else (*kept, *added)
        moved = tuple(
            Slot(item, slot.part, slot.recording_ids) for item, slot in zip(session.items, slots, strict=True)
        )
        return LaidOut(moved, laid_out.lead_in_ms, laid_out.tail_ms, laid_out.missing)


def is_aired(date: Occurrence) -> bool:
    """Say whether anything is to be heard on a date."""
    return date.verdict is Verdict.AIRED


def fingerprint(row: Schedule, title: str, session: Session) -> str:
    """Hash all that a broadcast of a schedule takes from it."""
    said = [
        title,
        row.level,
        sorted(row.scopes),
        row.position,
        row.start_mode,
        row.changed_by,
        *(each.isoformat() for each in session[:3]),
        hashlib.sha256(msgspec.json.encode(session.items, order="deterministic")).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _filler(row: Recording | None) -> Slot:
    usable = row is not None and row.withdrawn_at is None and row.state == RecordingState.READY
    if row is None or not usable or row.sha256 is None or row.bytes is None or row.length_ms is None:
        raise FillerGoneError(
            "filler_recording_id: the filler cannot be used (any more)", field="filler_recording_id", problem="unknown"
        )
    voice = Voice(language=row.language, sha256=row.sha256, bytes=row.bytes, length_ms=row.length_ms)
    return Slot(Item(offset_ms=0, voices=(voice,)), Part(position=-1, title=row.title), (row.id,))


def _gone() -> InvalidError:
    return InvalidError("programme_id: there is no such programme", field="programme_id", problem="unknown")
