"""Tables of bulletins, their versions and voices."""

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant

from .states import BulletinState


class Bulletin(Base):
    """Something to be said. Its words are in its versions."""

    __tablename__ = "bulletins"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"), index=True)
    """Whose it is."""
    state: Mapped[str] = mapped_column(String(16), default=BulletinState.DRAFT, index=True)
    """``BulletinState`` of the current version."""
    version: Mapped[int]
    """The current one."""
    submitted_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    """Of the current version; the same for the three below."""
    submitted_at: Mapped[datetime | None] = mapped_column(Instant)
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    """Who approved or returned it."""
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    returned_reason: Mapped[str | None] = mapped_column(Text)
    offered_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    """Since when the areas below may place it (Circular 39/2020: the upper area offers)."""
    offered_until: Mapped[datetime | None] = mapped_column(Instant)
    created_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    archived_at: Mapped[datetime | None] = mapped_column(Instant)


class BulletinVersion(Base):
    """What it said at one time. Never changed, never deleted."""

    __tablename__ = "bulletin_versions"

    bulletin_id: Mapped[str] = mapped_column(ForeignKey("bulletins.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    category: Mapped[str] = mapped_column(String(40))
    """A word of the policy's categories: ``notice``, ``news``, ``weather``…"""
    level: Mapped[str] = mapped_column(String(16))
    """``Level``: what it is offered as."""
    author: Mapped[str] = mapped_column(String(200))
    source: Mapped[str] = mapped_column(String(200))
    """Where the words come from: an office, a newspaper, a person."""
    document_number: Mapped[str | None] = mapped_column(String(80))
    """Of the paper on which it rests: 45/TB-UBND."""
    content_sha256: Mapped[str] = mapped_column(String(64), index=True)
    """Over title, words and voices: two versions that say the same have the same."""
    search_text: Mapped[str] = mapped_column(Text)
    """All its words twice, as written and without accents: see ``search``."""
    saved_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    saved_at: Mapped[datetime] = mapped_column(Instant)


class BulletinVoice(Base):
    """A version in one language."""

    __tablename__ = "bulletin_voices"
    __table_args__ = (
        ForeignKeyConstraint(
            ["bulletin_id", "version"], ["bulletin_versions.bulletin_id", "bulletin_versions.version"]
        ),
    )

    bulletin_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(String(35), primary_key=True)
    """BCP 47: ``vi``, ``hmn``, ``tyz``…"""
    position: Mapped[int]
    """Order of the voices, from 0: a node that knows none of the languages plays the first."""
    text: Mapped[str | None] = mapped_column(Text)
    recording_id: Mapped[str | None] = mapped_column(ForeignKey("recordings.id"), index=True)
    """None: only the words are there so far."""
