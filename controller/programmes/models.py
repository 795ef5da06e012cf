"""Tables of programmes and their items."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant
from controller.search import Searchable


class ItemKind(StrEnum):
    """What stands in a programme. Relays of stations come with their own issue."""

    TUNE = "tune"
    BULLETIN = "bulletin"
    RECORDING = "recording"
    PAUSE = "pause"
    SLOT = "slot"
    """In a template: a place for bulletins of a category, filled when a programme is made from it."""


class Programme(Searchable, Base):
    """An ordered list of what is to be heard in one session."""

    __tablename__ = "programmes"
    searched = ("title",)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    is_template: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int]
    """Rises with every change; approvals bind the content, not this number."""
    lead_in_ms: Mapped[int] = mapped_column(default=0)
    """Silence before the first item, in which amplifiers wake up."""
    gap_ms: Mapped[int] = mapped_column(default=0)
    """Silence between items."""
    created_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    """None: nobody did since it was made."""
    archived_at: Mapped[datetime | None] = mapped_column(Instant)


class ProgrammeItem(Base):
    """One item of the current version."""

    __tablename__ = "programme_items"

    programme_id: Mapped[str] = mapped_column(ForeignKey("programmes.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    """From 0."""
    kind: Mapped[str] = mapped_column(String(16))
    """``ItemKind``."""
    bulletin_id: Mapped[str | None] = mapped_column(ForeignKey("bulletins.id"), index=True)
    recording_id: Mapped[str | None] = mapped_column(ForeignKey("recordings.id"), index=True)
    """For a tune or a recording."""
    category: Mapped[str | None] = mapped_column(String(40))
    """For a slot."""
    pause_ms: Mapped[int | None]
    gain_mb: Mapped[int] = mapped_column(default=0)
