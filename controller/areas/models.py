"""Table of areas."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant
from controller.search import Searchable


class Area(Searchable, Base):
    """A place. What it does not set, it has from its parent."""

    __tablename__ = "areas"
    searched = ("name",)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    """Data, not code: province, district, commune, hamlet…"""
    name: Mapped[str] = mapped_column(String(200))
    zone: Mapped[str | None] = mapped_column(String(64))
    """IANA zone; None: the parent's."""
    quiet_hours: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    """``[{"start": "22:00", "until": "05:00"}]``; empty: none; None: the parent's."""
    languages: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """In the order in which they are to be heard; None: the parent's."""
    latitude: Mapped[float | None]
    """Degrees, WGS 84: where a map shows its name; None with the next: nobody said."""
    longitude: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    """Put away: no list has it any more (``removing``). None: it is there."""
