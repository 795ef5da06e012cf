"""Table of holds."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


def _own_id(context: DefaultExecutionContext) -> Any:
    """Give what nodes call a hold that was ordered here: its id."""
    return context.get_current_parameters()["id"]  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


class Hold(Base):
    """Silence ordered on an area or node, until a person releases it."""

    __tablename__ = "holds"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    wire_id: Mapped[str] = mapped_column(String(64), default=_own_id, index=True)
    """What signed documents and nodes call it: its id. Of found silence, a row in each commune may say the same."""
    scope: Mapped[str] = mapped_column(String(80), index=True)
    ordered_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    """None: found at nodes that obey it, after rows were put back that do not know it. Such a row orders nothing anew:
    it reaches those ``nodes`` that it names."""
    nodes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Of found silence: who said that they obey it; once released, whom that is for: all who stood there then."""
    ordered_at: Mapped[datetime] = mapped_column(Instant)
    released_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    released_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def is_found(self) -> bool:
        """Whether nobody known ordered it: it was found at nodes."""
        return self.ordered_by is None
