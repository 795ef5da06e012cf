"""Checks what was asked of a schedule before anything is saved, and works out the rest: area, zone, nodes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import Targets, resolve
from controller.errors import InvalidError
from controller.names import clean_name, known_zone
from controller.people.rights import Sight
from controller.programmes.models import Programme
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState

from .expand import check_rule
from .models import Schedule
from .policed import Where
from .schemas import ScheduleIn
from .walltime import instant

MAX_SCOPES = 200
"""More places of one schedule are areas that nobody grouped; each broadcast of it is listed in each."""


@dataclass(frozen=True)
class Draft:
    """A schedule that could be saved."""

    wanted: ScheduleIn
    title: str
    area_id: str
    zone: str
    targets: Targets

    @property
    def where(self) -> Where:
        """Give its places."""
        return Where(self.targets.tree, self.targets.nodes, self.area_id, self.zone)

    def write(self, row: Schedule) -> None:
        """Put what was asked into a row."""
        wanted = self.wanted
        row.area_id, row.title, row.zone = self.area_id, self.title, self.zone
        row.programme_id, row.scopes = wanted.programme_id, list(self.targets.scopes)
        row.level, row.position = wanted.level, wanted.position
        row.starts_at_local, row.rule, row.last_date = wanted.starts_at_local.isoformat(), wanted.rule, wanted.last_date
        row.start_mode, row.late_ms = wanted.start_mode, wanted.late_ms
        row.ends_at_local, row.back_timed = with_seconds(wanted.ends_at_local), wanted.back_timed
        row.overrun, row.filler_recording_id = wanted.overrun, wanted.filler_recording_id


async def make_draft(
    session: AsyncSession, wanted: ScheduleIn, seen: Sight, now: datetime, known: Schedule | None = None
) -> Draft:
    """Check what was asked against the rows. ``known``: the one that is edited; in its place it keeps its zone.

    Raises:
        InvalidError: a field is wrong.
        ForbiddenError: a target lies above what is in sight.
    """
    title = clean_name(wanted.title, field="title")
    targets = await resolve(session, wanted.targets, seen)
    if len(targets.scopes) > MAX_SCOPES:
        raise InvalidError(f"targets: at most {MAX_SCOPES}", field="targets", problem="too_long", most=MAX_SCOPES)
    if targets.area_id is None:
        raise InvalidError("targets: no area lies above all of them", field="targets", problem="apart")
    of_before = known.zone if known is not None and known.area_id == targets.area_id else None
    zone = known_zone(wanted.zone) or of_before or targets.tree.effective(targets.area_id).zone
    check_rule(wanted.rule, wanted.starts_at_local)
    _check_times(wanted, zone, now)
    await check_programme(session, wanted.programme_id, seen)
    await _check_filler(session, wanted, seen)
    return Draft(wanted, title, targets.area_id, zone, targets)


async def check_programme(session: AsyncSession, programme_id: str, seen: Sight) -> None:
    """Refuse a programme that cannot be aired at all.

    Raises:
        InvalidError: it is not there, not in sight, archived, or a template.
    """
    row = await session.get(Programme, programme_id)
    if row is None or not seen.sees(row.area_id):
        raise InvalidError("programme_id: there is no such programme", field="programme_id", problem="unknown")
    if row.archived_at is not None or row.is_template:
        raise InvalidError(
            "programme_id: it is archived, or a template", field="programme_id", problem="archived", title=row.title
        )


def with_seconds(time: str | None) -> str | None:
    """Write ``17:45`` as rows keep it."""
    return f"{time}:00" if time is not None and len(time) == len("17:45") else time


def _check_times(wanted: ScheduleIn, zone: str, now: datetime) -> None:
    if wanted.back_timed and wanted.ends_at_local is None:
        raise InvalidError("back_timed: needs a fixed end", field="ends_at_local", problem="empty")
    if wanted.filler_recording_id is not None and wanted.ends_at_local is None:
        raise InvalidError("filler_recording_id: needs a fixed end", field="ends_at_local", problem="empty")
    if wanted.last_date is not None and wanted.last_date < wanted.starts_at_local.date():
        raise InvalidError("last_date: before the first date", field="last_date", problem="before_start")
    if wanted.rule is None and instant(wanted.starts_at_local, zone) < now:
        raise InvalidError("starts_at_local: lies in the past", field="starts_at_local", problem="past")


async def _check_filler(session: AsyncSession, wanted: ScheduleIn, seen: Sight) -> None:
    if wanted.filler_recording_id is None:
        return
    row = await session.get(Recording, wanted.filler_recording_id)
    if row is None or row.withdrawn_at is not None or not (seen.sees(row.area_id) or row.area_id is None):
        raise InvalidError(
            "filler_recording_id: there is no such recording", field="filler_recording_id", problem="unknown"
        )
    if row.state != RecordingState.READY:
        raise InvalidError(
            f"filler_recording_id: {row.title!r} is not ready", field="filler_recording_id", problem="not_ready"
        )
