"""Table of recordings."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant
from controller.search import Searchable

from .states import RecordingOrigin, RecordingState


class Recording(Searchable, Base):
    """Audio that was uploaded. Once ready, it never changes."""

    __tablename__ = "recordings"
    searched = ("title", "file_name")

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    file_name: Mapped[str] = mapped_column(String(255))
    """As the person's machine called it, cleaned; for reading only."""
    language: Mapped[str] = mapped_column(String(35), default="vi")
    state: Mapped[str] = mapped_column(String(16), default=RecordingState.PROCESSING)
    source_sha256: Mapped[str] = mapped_column(String(64), index=True)
    source_bytes: Mapped[int]
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    """Of the processed file; None until ready."""
    bytes: Mapped[int | None]
    length_ms: Mapped[int | None]
    loudness_lufs: Mapped[float | None]
    true_peak_dbtp: Mapped[float | None]
    silence_ms: Mapped[int | None]
    waveform: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    """Peaks 0…255 over time."""
    warnings: Mapped[list[str]] = mapped_column(JSON, default=list)
    reason: Mapped[str | None] = mapped_column(String(40))
    """With ``rejected``: the code of the reason."""
    reason_fields: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    is_signal: Mapped[bool] = mapped_column(default=False)
    """It goes before every emergency, and nothing else says it; the centre makes it itself."""
    area_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    """Whose it is; None: the centre's own, and those from before there were rights by area."""
    uploaded_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)
    origin: Mapped[str] = mapped_column(
        String(16), default=RecordingOrigin.UPLOADED, server_default=RecordingOrigin.UPLOADED
    )
    """``RecordingOrigin``."""
    voice: Mapped[str | None] = mapped_column(String(80))
    """With ``machine``: which voice spoke."""
    words: Mapped[str | None] = mapped_column(Text)
    """What a machine was told to read; None: a person speaks, or a cut of it."""
    derived_from: Mapped[str | None] = mapped_column(ForeignKey("recordings.id"))
    """With ``cut``: out of which."""
    cut_ms: Mapped[list[list[int]] | None] = mapped_column(JSON(none_as_null=True))
    """With ``cut``: ``[[from, until]]`` of that one, in the order in which they are heard."""


class Upload(Base):
    """A file on its way, in pieces: it goes on where a bad link broke off."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    area_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"))
    """Whose the recording will be; None: the centre's own."""
    title: Mapped[str] = mapped_column(String(200))
    file_name: Mapped[str] = mapped_column(String(255))
    language: Mapped[str] = mapped_column(String(35), default="vi")
    origin: Mapped[str] = mapped_column(String(16), default=RecordingOrigin.UPLOADED)
    """``RecordingOrigin``: uploaded or recorded."""
    bytes: Mapped[int | None]
    """Of the whole file; None while it is being recorded."""
    received: Mapped[int] = mapped_column(default=0)
    """Bytes that are safe on disk."""
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    recording_id: Mapped[str | None] = mapped_column(ForeignKey("recordings.id"))
    """What became of it; None until all is there."""
