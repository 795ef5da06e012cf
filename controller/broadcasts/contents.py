"""What is to be said: recordings, bulletins or a programme, laid out end to end for the languages of its places."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import Targets
from controller.bulletins.repository import is_offered, worded
from controller.errors import InvalidError
from controller.people.rights import Sight
from controller.programmes.layout import LaidOut, lay_out_parts
from controller.programmes.models import ItemKind, Programme, ProgrammeItem
from controller.programmes.repository import languages_of, lay_out, read_parts
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState

from .rules import Piece, Slot, items_of
from .schemas import BroadcastIn


@dataclass(frozen=True)
class Content:
    """What is to sound, one slot after the other."""

    slots: tuple[Slot, ...]
    lead_in: timedelta = timedelta(0)
    """Silence before the first slot, by which the broadcast begins later than was asked."""

    @property
    def length(self) -> timedelta:
        """From the start of the first slot to the end of the last."""
        last = self.slots[-1].item
        return timedelta(milliseconds=last.offset_ms + last.slot_ms)


async def read_content(
    session: AsyncSession, wanted: BroadcastIn, targets: Targets, *, at: datetime, seen: Sight
) -> Content:
    """Lay out what was asked for. ``at``: when it is to be heard; what areas above offered must be on offer then.

    Raises:
        InvalidError: nothing was asked for, or two kinds of things, or something that is not there for this person.
        NotAirableError: a bulletin or programme may not be heard as it is; names the item and why.
    """
    asked = [bool(wanted.recordings), bool(wanted.bulletins), wanted.programme_id is not None]
    if sum(asked) > 1:
        raise InvalidError(
            "recordings: give recordings, bulletins or a programme", field="recordings", problem="several"
        )
    if wanted.programme_id is not None:
        await _check_programme(session, wanted.programme_id, seen)
        return _content(await lay_out(session, wanted.programme_id, _languages(targets), at=at))
    if wanted.bulletins:
        return _content(await _bulletins(session, wanted.bulletins, _languages(targets), at=at, seen=seen))
    recordings = await _ready(session, wanted.recordings, seen)
    items = items_of(_piece(row) for row in recordings)
    return Content(tuple(Slot(item, (row.id,)) for item, row in zip(items, recordings, strict=True)))


def _languages(targets: Targets) -> frozenset[tuple[str, ...]]:
    return languages_of(targets.tree, (node.area_id for node in targets.nodes))


def _content(laid_out: LaidOut) -> Content:
    slots = tuple(
        Slot(each.item, each.recording_ids, each.bulletin_id, each.bulletin_version, each.part.category)
        for each in laid_out.slots
    )
    return Content(slots, timedelta(milliseconds=laid_out.lead_in_ms))


async def _check_programme(session: AsyncSession, programme_id: str, seen: Sight) -> None:
    row = await session.get(Programme, programme_id)
    if row is None or not seen.sees(row.area_id):
        raise InvalidError("programme_id: there is no such programme", field="programme_id", problem="unknown")


async def _bulletins(
    session: AsyncSession,
    wanted: Sequence[str],
    languages: Collection[tuple[str, ...]],
    *,
    at: datetime,
    seen: Sight,
) -> LaidOut:
    """Lay bulletins out as a programme that holds nothing else: those in sight, and those that areas above offer."""
    found = await worded(session, wanted)
    for bulletin_id in wanted:
        row = found[bulletin_id].bulletin if bulletin_id in found else None
        if row is None or not (seen.sees(row.area_id) or (seen.knows(row.area_id) and is_offered(row, at))):
            raise InvalidError("bulletins: there is no such bulletin", field="bulletins", problem="unknown")
    items = [
        ProgrammeItem(position=position, kind=ItemKind.BULLETIN, bulletin_id=bulletin_id, gain_mb=0)
        for position, bulletin_id in enumerate(wanted)
    ]
    return lay_out_parts(await read_parts(session, items, own=seen, at=at), languages)


async def _ready(session: AsyncSession, wanted: Sequence[str], seen: Sight) -> tuple[Recording, ...]:
    if not wanted:
        raise InvalidError("recordings: choose at least one", field="recordings", problem="empty")
    found = {row.id: row for row in await session.scalars(select(Recording).where(Recording.id.in_(wanted)))}
    for recording_id in wanted:
        row = found.get(recording_id)
        if row is None or not seen.sees(row.area_id):
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
