"""Table of enrolments."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class Enrolment(Base):
    """A new node that waits for a person."""

    __tablename__ = "enrolments"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    claim_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    csr_pem: Mapped[str] = mapped_column(Text)
    abilities: Mapped[dict[str, Any]] = mapped_column(JSON)
    origin: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    node_id: Mapped[str | None] = mapped_column(ForeignKey("nodes.id"))
    certificate_pem: Mapped[str | None] = mapped_column(Text)
    adopted_at: Mapped[datetime | None] = mapped_column(Instant)
