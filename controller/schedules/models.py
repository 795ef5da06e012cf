"""Tables of schedules, their exceptions, and calendars."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant
from controller.search import Searchable

from .states import Overrun


class Schedule(Searchable, Base):
    """When a programme airs. Local rules are wall-clock time and a zone."""

    __tablename__ = "schedules"
    searched = ("title",)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    """Whose it is: who may change it."""
    title: Mapped[str] = mapped_column(String(200))
    programme_id: Mapped[str] = mapped_column(ForeignKey("programmes.id"), index=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    """Areas and nodes at which it is aimed."""
    level: Mapped[str] = mapped_column(String(16))
    zone: Mapped[str] = mapped_column(String(64))
    starts_at_local: Mapped[str] = mapped_column(String(19))
    """First date and wall time, ``2026-11-23T05:00:00``: DTSTART of RFC 5545."""
    rule: Mapped[str | None] = mapped_column(Text)
    """RRULE of RFC 5545 without its name, ``FREQ=DAILY``; None: once."""
    last_date: Mapped[date | None] = mapped_column(Date)
    """Last local date, inclusive."""
    start_mode: Mapped[str] = mapped_column(String(8), default="soft")
    """``StartMode``."""
    late_ms: Mapped[int] = mapped_column(default=300_000)
    """From the start to the latest start."""
    ends_at_local: Mapped[str | None] = mapped_column(String(8))
    """Wall time of a fixed end, ``17:45:00``."""
    back_timed: Mapped[bool] = mapped_column(default=False)
    """The start is reckoned back from the fixed end."""
    overrun: Mapped[str] = mapped_column(String(8), default=Overrun.REFUSE)
    filler_recording_id: Mapped[str | None] = mapped_column(ForeignKey("recordings.id"))
    """Fills what is left before a fixed end."""
    position: Mapped[int] = mapped_column(default=0)
    """The operator's order among broadcasts of one time."""
    version: Mapped[int]
    created_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    """Whose yes its broadcasts rest on until somebody else approves them."""
    changed_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    """Taken out by a person; what was aired stays."""
    rolled_until: Mapped[datetime | None] = mapped_column(Instant)
    """Up to here its dates are broadcasts; None: to be done anew."""


class ScheduleException(Base):
    """One date of a series that is not as the rule says. Survives an edit of the series."""

    __tablename__ = "schedule_exceptions"

    schedule_id: Mapped[str] = mapped_column(ForeignKey("schedules.id"), primary_key=True)
    recurrence_local: Mapped[str] = mapped_column(String(19), primary_key=True)
    """RECURRENCE-ID: the date and wall time that the rule gives."""
    kind: Mapped[str] = mapped_column(String(16))
    """``DateChange``."""
    moved_to_local: Mapped[str | None] = mapped_column(String(19))
    programme_id: Mapped[str | None] = mapped_column(ForeignKey("programmes.id"))
    """Another programme for this date."""
    reason: Mapped[str | None] = mapped_column(String(200))
    in_spite_of: Mapped[list[str]] = mapped_column(JSON, default=list)
    """With ``kept``: calendars that silence the day, against which it is kept; none that came, or named it, later."""
    made_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    made_at: Mapped[datetime] = mapped_column(Instant)


class UnairedDate(Searchable, Base):
    """A date that was to be heard and of which no broadcast came to be: it could not be aired, or nobody planned it.

    It goes when the date can be aired after all, or is not to be any more. Once its start has passed it stays, as the
    record of what was aired does.
    """

    __tablename__ = "unaired_dates"
    __table_args__ = (UniqueConstraint("schedule_id", "recurrence_local"),)
    searched = ("title",)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    schedule_id: Mapped[str] = mapped_column(ForeignKey("schedules.id"))
    recurrence_local: Mapped[str] = mapped_column(String(19))
    start_at: Mapped[datetime] = mapped_column(Instant, index=True)
    title: Mapped[str] = mapped_column(String(200))
    level: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    """As title and level it is what the schedule said then."""
    problem: Mapped[str] = mapped_column(String(40))
    """Code of the error."""
    message: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Of the error's fields those that say why: ``problem``, ``title``, ``rules``."""
    noted_at: Mapped[datetime] = mapped_column(Instant)
    """Since when it is so, for this reason."""


class Calendar(Base):
    """Days that are not as others: holidays, lunar dates, mourning."""

    __tablename__ = "calendars"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    """It holds here and below."""
    title: Mapped[str] = mapped_column(String(200))
    days: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """``CalendarDay`` of ``schedules.days``: fixed dates, yearly dates, lunar dates, the national holidays."""
    effect: Mapped[str] = mapped_column(String(16))
    """``OnCalendarDay``."""
    programme_id: Mapped[str | None] = mapped_column(ForeignKey("programmes.id"))
    """With ``replace``: what airs instead."""
    version: Mapped[int]
    created_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
