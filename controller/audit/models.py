"""Table of the audit."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class AuditEntry(Base):
    """One act. Append-only; each entry carries the hash of the one before."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    """None when the system or a node acted."""
    action: Mapped[str] = mapped_column(String(64))
    """``broadcasts.create``, ``holds.release``…"""
    subject: Mapped[str] = mapped_column(String(120), index=True)
    """What it was done to: ``broadcasts/{id}``."""
    area_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    """Where; None when it belongs to no place."""
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    origin: Mapped[str] = mapped_column(String(64))
    """Address of the person, or the name of the job."""
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
