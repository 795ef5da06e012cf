"""Table of holds."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class Hold(Base):
    """Silence ordered on an area or node, until a person releases it."""

    __tablename__ = "holds"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column(String(80), index=True)
    ordered_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    """None: found at a node that obeys it, after rows were put back that do not know it."""
    ordered_at: Mapped[datetime] = mapped_column(Instant)
    released_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    released_at: Mapped[datetime | None] = mapped_column(Instant)
