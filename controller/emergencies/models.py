"""Tables of emergencies and of messages that lie ready."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant

from .states import MessageKind


class ReadyMessage(Base):
    """An emergency text with recordings that lies on the nodes before it is needed."""

    __tablename__ = "ready_messages"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    """Usable here and below."""
    kind: Mapped[str] = mapped_column(String(16))
    """``MessageKind``."""
    title: Mapped[str] = mapped_column(String(200))
    voices: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """``[{"language", "text", "recording_id"}]``, in the order in which they sound."""
    version: Mapped[int]
    created_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    archived_at: Mapped[datetime | None] = mapped_column(Instant)


class Emergency(Base):
    """One emergency, or a drill of one."""

    __tablename__ = "emergencies"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    """The area above all its targets."""
    kind: Mapped[str] = mapped_column(String(16), default=MessageKind.ALERT)
    """``MessageKind``: an all-clear and a false alarm are emergencies too."""
    title: Mapped[str] = mapped_column(String(200))
    drill: Mapped[str | None] = mapped_column(String(8))
    """``protocol.states.Drill``; None: the real thing."""
    scopes: Mapped[list[str]] = mapped_column(JSON)
    message_id: Mapped[str | None] = mapped_column(ForeignKey("ready_messages.id"))
    slots: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """What is heard: as it was seen by who proposed it, then as it was sent.

    ``[{"item": wire item, "recording_ids"}]``; the two differ by the signal alone, see ``drafting.heard``. Where a
    recording is first heard also ``"words"``: ``{recording_id: what it says}``, by its ready message as it was then."""
    release_holds: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Holds that are released in the same act."""
    state: Mapped[str] = mapped_column(String(16), index=True)
    proposed_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    proposed_at: Mapped[datetime] = mapped_column(Instant)
    idempotency_key: Mapped[str | None] = mapped_column(String(100))
    """Of the form that proposed it: sent again, that form leads here."""
    confirmed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    break_glass_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    reason_code: Mapped[str | None] = mapped_column(String(40))
    """With break-glass: ``GlassReason``; None: one in words alone."""
    break_glass_reason: Mapped[str | None] = mapped_column(Text)
    """Its words, else its code: never empty where the glass was broken."""
    fires_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    """End of the cancel window."""
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    broadcast_id: Mapped[str | None] = mapped_column(ForeignKey("broadcasts.id"), index=True)
    follows_id: Mapped[str | None] = mapped_column(ForeignKey("emergencies.id"), index=True)
    """For an all-clear or a false alarm: the emergency that it ends."""
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    """None with ``ended_at``: it ended by itself."""
    problem: Mapped[str | None] = mapped_column(String(40))
    """Why the centre did not send it: ``too_late``, ``not_confirmed``, or the code of an error."""
