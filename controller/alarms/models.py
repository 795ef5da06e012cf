"""Table of alarms."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class Alarm(Base):
    """Something that administrators of an area and above must know."""

    __tablename__ = "alarms"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    area_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    """None: for administrators of everything."""
    kind: Mapped[str] = mapped_column(String(40))
    """``people.locked``, ``emergencies.break_glass``, ``holds.lasting``, ``schedules.not_airable``…"""
    subject: Mapped[str] = mapped_column(String(120))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    raised_at: Mapped[datetime] = mapped_column(Instant, index=True)
    acknowledged_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    acknowledged_at: Mapped[datetime | None] = mapped_column(Instant)
