"""Table of faults."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class Fault(Base):
    """Something that is, or was, wrong with a node. All instants are by the centre's clock."""

    __tablename__ = "faults"
    __table_args__ = (Index("ix_faults_node_id_code", "node_id", "code"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"))
    code: Mapped[str] = mapped_column(String(40))
    """``protocol.fields.Code``, or one of ``rules.OWN``."""
    detail: Mapped[str] = mapped_column(String(500))
    """The node's words, at most a minute old. Never trusted, always escaped."""
    since_at: Mapped[datetime] = mapped_column(Instant, index=True)
    """When the centre first knew."""
    began_at: Mapped[datetime] = mapped_column(Instant)
    """When it last began: ``since_at``, unless it comes and goes."""
    times: Mapped[int] = mapped_column(default=1)
    """How often it began."""
    cleared_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    acknowledged_at: Mapped[datetime | None] = mapped_column(Instant)
    acknowledged_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    note: Mapped[str] = mapped_column(String(500), default="")
    """Of whoever looks after it."""
