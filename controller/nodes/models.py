"""Table of nodes."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Date, ForeignKey, Index, LargeBinary, String, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant
from controller.search import Searchable

_MUTE = text("kind != 'agent'")


class Node(Searchable, Base):
    """A loudspeaker cluster: one agent with its amplifier and horns."""

    __tablename__ = "nodes"
    __table_args__ = (
        Index("ix_nodes_area_id_removed_at", "area_id", "removed_at"),
        Index("ix_nodes_mute", "id", "area_id", sqlite_where=_MUTE, postgresql_where=_MUTE),
    )
    """Counted, and the few that report nothing found, without reading what the others last reported."""
    searched = ("name",)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    area_id: Mapped[str] = mapped_column(ForeignKey("areas.id"))
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16), default="agent", server_default="agent")
    """``NodeKind``."""
    public_key: Mapped[str] = mapped_column(String(43))
    """Ed25519, base64url (``TrustedKey.x``): checks its receipts."""
    previous_public_key: Mapped[str | None] = mapped_column(String(43))
    """The key before it. Trusted too, until something comes that the new one has signed."""
    certificate_serial: Mapped[str] = mapped_column(String(64))
    certificate_expires_at: Mapped[datetime | None] = mapped_column(Instant)
    """None for a node without an agent: it has no key and no certificate either."""
    volume_mb: Mapped[int] = mapped_column(default=0)
    trim_mb: Mapped[int] = mapped_column(default=0)
    enrolled_at: Mapped[datetime] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    """It was removed because it is in strange hands: its certificates are void."""
    abilities: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """From its last hello."""
    presence: Mapped[str | None] = mapped_column(String(16))
    """``online leaving lost`` as last told; None before the first hello."""
    presence_at: Mapped[datetime | None] = mapped_column(Instant)
    presence_reason: Mapped[str | None] = mapped_column(String(40))
    health: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Last health, written in batches: a heartbeat is not a row."""
    last_heard_at: Mapped[datetime | None] = mapped_column(Instant)
    """By the centre's clock."""
    latitude: Mapped[float | None]
    """Degrees, WGS 84; None with the next: nobody said where it stands."""
    longitude: Mapped[float | None]
    position_accuracy_m: Mapped[float | None]
    """As the telephone said that took the position; None: it was set by hand."""
    position_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    position_at: Mapped[datetime | None] = mapped_column(Instant)


def is_mute() -> ColumnElement[bool]:
    """Give the condition under which a node reports nothing. In the words of its index, which is found by them."""
    return Node.kind != literal_column("'agent'")


class NodeHealthDay(Base):
    """What a node told of itself in one day, in few figures."""

    __tablename__ = "node_health_days"

    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    """In UTC."""
    samples: Mapped[list[Any]] = mapped_column(JSON)
    """By time; nothing for the times of which nothing is known."""


class NodeLog(Base):
    """What a node was asked to log, and what it brought."""

    __tablename__ = "node_logs"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Of the command that asked for it."""
    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), index=True)
    asked_at: Mapped[datetime] = mapped_column(Instant)
    asked_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    received_at: Mapped[datetime | None] = mapped_column(Instant)
    """None while the place stands open, or was never taken."""
    packed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Gzip of the text, made harmless."""
    lines: Mapped[int | None]
    bytes: Mapped[int | None]
    """Of the text."""
