"""Table of plays."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class Play(Base):
    """One node's part in one broadcast. States only go forward; a node's outcome never changes."""

    __tablename__ = "plays"
    __table_args__ = (Index("ix_plays_counted", "broadcast_id", "outcome", "state", "grade", "simulated"),)
    """Counted without reading them: some thousand of a broadcast, on every page."""

    broadcast_id: Mapped[str] = mapped_column(ForeignKey("broadcasts.id"), primary_key=True)
    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True, index=True)
    state: Mapped[str] = mapped_column(String(16))
    """``PlayState``."""
    outcome: Mapped[str | None] = mapped_column(String(24), index=True)
    """``Outcome``; None while it is not over."""
    reason: Mapped[str | None] = mapped_column(String(40))
    interrupted_by: Mapped[str | None] = mapped_column(String(64))
    item: Mapped[int | None]
    """Highest item that began."""
    item_at: Mapped[datetime | None] = mapped_column(Instant)
    """When that item began, by the node's clock; a repeat after a crash counts."""
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    """When its first item began, by the node's clock."""
    start_error_ms: Mapped[float | None]
    requested_ms: Mapped[int | None]
    played_ms: Mapped[int | None]
    underruns: Mapped[int | None]
    grade: Mapped[int | None]
    """``Grade`` of the evidence."""
    simulated: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime] = mapped_column(Instant)
