"""Table of area policies."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class Policy(Base):
    """What one area says itself. What it does not say, it has from above (``rules.effective``)."""

    __tablename__ = "policies"

    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), primary_key=True)
    version: Mapped[int]
    """Rises with every change; who changes it says which version they saw."""
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)
    """``PolicyRules`` as JSON, only the fields that the area sets."""
    locked: Mapped[list[str]] = mapped_column(JSON)
    """Names of the rules that areas below may not override."""
    changed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    changed_at: Mapped[datetime] = mapped_column(Instant)
