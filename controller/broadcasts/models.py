"""Tables of broadcasts: their items and targets."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant
from controller.search import Searchable


class Broadcast(Searchable, Base):
    """One dated run to a target."""

    __tablename__ = "broadcasts"
    searched = ("title",)
    __table_args__ = (UniqueConstraint("created_by", "idempotency_key"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    level: Mapped[str] = mapped_column(String(16))
    urgent: Mapped[bool]
    """Said now: stands in urgents, not in plans."""
    start_at: Mapped[datetime] = mapped_column(Instant, index=True)
    latest_start_at: Mapped[datetime] = mapped_column(Instant)
    latest_end_at: Mapped[datetime] = mapped_column(Instant, index=True)
    position: Mapped[int] = mapped_column(default=0)
    """The operator's order among waiting broadcasts."""
    start_mode: Mapped[str] = mapped_column(String(8), default="soft", server_default="soft")
    """``StartMode``."""
    resumes: Mapped[bool] = mapped_column(default=True, server_default=true())
    drill: Mapped[str | None] = mapped_column(String(8))
    """``protocol.states.Drill``; None: the real thing."""
    category: Mapped[str | None] = mapped_column(String(40))
    """What it is about, by which policies tell who must approve it."""
    area_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    """The lowest area above all its targets; None for those made before there were rights by area."""
    schedule_id: Mapped[str | None] = mapped_column(ForeignKey("schedules.id"), index=True)
    recurrence_local: Mapped[str | None] = mapped_column(String(19))
    """With a schedule: which of its dates this is."""
    run_id: Mapped[str | None] = mapped_column(String(64))
    """Id of the first version of this run, which an edit replaced; None: this is the first."""
    replays_id: Mapped[str | None] = mapped_column(ForeignKey("broadcasts.id"), index=True)
    """The broadcast that it makes up for."""
    awaits_approval: Mapped[bool] = mapped_column(default=False, server_default=false(), index=True)
    """Needs another person's yes: stands in no document until it has one."""
    superseded_at: Mapped[datetime | None] = mapped_column(Instant)
    """A later version of its schedule made another in its place, before it began."""
    length_ms: Mapped[int]
    wire_bytes: Mapped[int] = mapped_column(default=0, server_default="0")
    """What it takes in a plan or urgent, as JSON; 0 for those made before this was counted."""
    created_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    cancelled_at: Mapped[datetime | None] = mapped_column(Instant)
    cancelled_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    idempotency_key: Mapped[str | None] = mapped_column(String(100))
    """From whoever asked, so that a double tap sends once."""
    request_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of what was asked with that key; another request with the same key is refused."""


class BroadcastItem(Base):
    """One voice of one slot of a broadcast, as it was when approved."""

    __tablename__ = "broadcast_items"

    broadcast_id: Mapped[str] = mapped_column(ForeignKey("broadcasts.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    """Slot, from 0. Voices of one slot share it."""
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), index=True)
    voice: Mapped[int] = mapped_column(primary_key=True, default=0)
    """Order of the voices of a slot: a node that knows none of the languages plays the first."""
    choice: Mapped[int] = mapped_column(default=0, server_default="0")
    """Of the slot, the same for all its voices: as in ``protocol.content.Item``."""
    language: Mapped[str] = mapped_column(String(35))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    bytes: Mapped[int]
    length_ms: Mapped[int]
    offset_ms: Mapped[int]
    gain_mb: Mapped[int] = mapped_column(default=0)
    bulletin_id: Mapped[str | None] = mapped_column(ForeignKey("bulletins.id"), index=True)
    bulletin_version: Mapped[int | None]


class BroadcastTarget(Base):
    """An area or node at which a broadcast is aimed."""

    __tablename__ = "broadcast_targets"

    broadcast_id: Mapped[str] = mapped_column(ForeignKey("broadcasts.id"), primary_key=True)
    scope: Mapped[str] = mapped_column(String(80), primary_key=True, index=True)
    """``areas/{id}`` or ``nodes/{id}``."""
