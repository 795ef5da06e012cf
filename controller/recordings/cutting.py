"""Cutting: a new recording out of pieces of another one, which stays as it is.

Of a machine's recording the cut keeps the voice and not the words: which of them are left, nobody knows.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from audio.cutting import BYTES_PER_MS, Span, cut
from audio.errors import LimitReachedError, ToolFailedError, ToolMissingError
from controller.db import Database, Transaction
from controller.errors import BusyError, ConflictError, InvalidError, NotFoundError
from controller.files import sync_file
from controller.ids import new_id
from controller.names import clean_name
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act

from .models import Recording
from .schemas import MOST_SPANS, CutIn, RecordingOut
from .service import Incoming, Recordings
from .states import RecordingOrigin, RecordingState
from .uploads import UploadRoom

STEP_MS = 10
"""Cut points are brought to this; nobody hears a finer one."""
LEAST_PIECE_MS = 100
LEAST_MS = 1000
"""Of what is kept altogether."""
MOST_WAITING = 4
"""Cuts that wait for the one that is made."""


@dataclass(frozen=True)
class _Source:
    """The recording that is cut."""

    row: Recording
    area_id: str | None
    """Whose the new one will be."""


class Cutting:
    """Cuts one recording at a time: the machine has other work."""

    def __init__(self, database: Database, recordings: Recordings, room: UploadRoom, *, media: Path) -> None:
        self._database, self._recordings, self._room, self._media = database, recordings, room, media
        self._cutting, self._waiting = asyncio.Lock(), 0

    async def cut(self, actor: Actor, recording_id: str, wanted: CutIn) -> RecordingOut:
        """Make a recording of these pieces; it is processed afterwards.

        Raises:
            NotFoundError: there is no such recording for this person.
            ForbiddenError: no role of the person allows it there.
            ConflictError: it is not ready, withdrawn, or the signal before emergencies.
            InvalidError: the pieces are none of it, overlap, are too short, or are the whole.
            BusyError: others are being cut, or the machine cannot do it now.
            NoSpaceError, TooLargeError, TooManyAttemptsError, UploadQuotaError: see ``Recordings.adopt``.
        """
        source = await self._source(actor, recording_id)
        row = source.row
        spans = spans_of(wanted.spans_ms, row.length_ms or 0)
        title = clean_name(wanted.title, field="title") if wanted.title.strip() else row.title

        async def also(tx: Transaction, new: str) -> None:
            made = await tx.session.get_one(Recording, new)
            made.derived_from, made.cut_ms = row.id, [list(each) for each in spans]

        incoming = Incoming(title, row.file_name, row.language, source.area_id, RecordingOrigin.CUT, row.voice)
        with self._one_more(), self._file() as file:
            self._room.check(0, more=kept_ms(spans) * BYTES_PER_MS)
            async with self._cutting:
                await self._write(row, spans, file)
            self._room.check(file.stat().st_size, more=1)
            return await self._recordings.adopt(actor, file, incoming, also=also)

    async def _source(self, actor: Actor, recording_id: str) -> _Source:
        known = await self._recordings.get(actor, recording_id)
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            row = await session.get(Recording, recording_id)
            if row is None:
                raise NotFoundError("there is no such recording", resource="recordings", id=recording_id[:64])
            if seen.sees(row.area_id):
                await rights.require(session, actor, Act.RECORDINGS_UPLOAD, [row.area_id])
                area_id = row.area_id
            else:  # of a bulletin that an area above offers: the cut is one's own
                area_id = await rights.home(session, actor, Act.RECORDINGS_UPLOAD, None)
        if row.withdrawn_at is not None:
            raise ConflictError("this recording is withdrawn", problem="withdrawn", title=known.title)
        if row.state != RecordingState.READY or row.is_signal:
            raise ConflictError("this recording is not ready to be cut", problem="not_ready", title=known.title)
        return _Source(row, area_id)

    async def _write(self, row: Recording, spans: Sequence[Span], target: Path) -> None:
        try:
            with (self._media / f"{row.sha256}.opus").open("rb") as source, target.open("xb") as file:
                await cut(source, spans, _writing(file))
                await asyncio.to_thread(sync_file, file)
        except FileNotFoundError:
            raise ConflictError("the sound of this recording is gone", problem="not_ready", title=row.title) from None
        except ToolMissingError as error:
            raise BusyError(f"{error.tool} is not installed", problem="tool_missing") from error
        except (ToolFailedError, LimitReachedError) as error:
            raise BusyError(f"the recording could not be cut: {error}", problem="tool_failed") from error

    @contextmanager
    def _file(self) -> Iterator[Path]:
        """Give a name beside the originals that is gone afterwards; what a crash leaves, ``tidy`` removes."""
        self._room.folder.mkdir(parents=True, exist_ok=True)
        file = self._room.folder / f"{new_id()}.cut"
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        if self._waiting >= MOST_WAITING:
            raise BusyError("other recordings are being cut; try again in a few seconds")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


def _writing(file: BinaryIO) -> Callable[[bytes], object]:
    return file.write


def kept_ms(spans: Sequence[Span]) -> int:
    """Give how long these pieces are together."""
    return sum(until - start for start, until in spans)


def spans_of(wanted: Sequence[Sequence[int]], length_ms: int) -> tuple[Span, ...]:
    """Bring cut points to 10 ms, pieces that touch into one, and check that they are pieces of the recording.

    Raises:
        InvalidError: ``problem`` is ``empty``, ``order``, ``short``, ``outside`` or ``whole``.
    """
    snapped = [(_snap(start, length_ms), _snap(until, length_ms)) for start, until in wanted]
    spans: list[Span] = []
    for start, until in snapped:
        if spans and spans[-1][1] == start and until > start:
            spans[-1] = (spans[-1][0], until)
        else:
            spans.append((start, until))
    outside = any(not 0 <= at <= length_ms for each in wanted for at in each)
    problem = "outside" if outside else _problem(spans, length_ms)
    if problem:
        words = f"spans_ms: pieces of 0 to {length_ms} ms, one after another, {LEAST_MS} ms or more together"
        raise InvalidError(words, field="spans_ms", problem=problem, most=MOST_SPANS)
    return tuple(spans)


def _snap(at_ms: int, length_ms: int) -> int:
    """Bring a point to the step; the end of the recording stays where it is."""
    return at_ms if at_ms == length_ms else round(at_ms / STEP_MS) * STEP_MS


def _problem(spans: Sequence[Span], length_ms: int) -> str:
    if not spans:
        return "empty"
    if any(start >= until for start, until in spans) or any(
        spans[number][1] > spans[number + 1][0] for number in range(len(spans) - 1)
    ):
        return "order"
    if kept_ms(spans) < LEAST_MS or any(until - start < LEAST_PIECE_MS for start, until in spans):
        return "short"
    return "whole" if list(spans) == [(0, length_ms)] else ""
