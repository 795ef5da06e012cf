"""Tables of signed documents: the current one of each topic, what is dirty, every version, and plan bodies."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class Document(Base):
    """The current signed document of one retained topic."""

    __tablename__ = "documents"

    scope: Mapped[str] = mapped_column(String(80), primary_key=True)
    word: Mapped[str] = mapped_column(String(16), primary_key=True)
    """``hold urgent plan settings``."""
    dirty_since: Mapped[datetime | None] = mapped_column(Instant, index=True)
    """Set in the transaction that changed something it tells; None when it is up to date.

    In the future when it could not be built: not tried again before then.
    """
    epoch: Mapped[int | None]
    version: Mapped[int | None]
    """None before the first signing."""
    token: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What is published, exactly; survives a crash between commit and publish."""
    body_sha256: Mapped[str | None] = mapped_column(String(64))
    """For a plan."""
    signed_at: Mapped[datetime | None] = mapped_column(Instant)


class PlanVersion(Base):
    """What was signed lately: evidence of what nodes were told. ``pruning`` says which versions go, and when."""

    __tablename__ = "plan_versions"

    scope: Mapped[str] = mapped_column(String(80), primary_key=True)
    word: Mapped[str] = mapped_column(String(16), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[bytes] = mapped_column(LargeBinary)
    body_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    signed_at: Mapped[datetime] = mapped_column(Instant)


class PlanBody(Base):
    """A packed plan body, served at ``/plans/{sha256}``."""

    __tablename__ = "plan_bodies"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    packed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)
