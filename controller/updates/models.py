"""Tables of releases, rollouts, and how far each node is in one."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class Release(Base):
    """A bundle that the update key says may exist. Its file lies in the folder of updates, named by its hash."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("release", "board", "python", name="uq_releases_release"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    release: Mapped[int] = mapped_column(BigInteger)
    """One number for the bundles of all boards."""
    version: Mapped[str] = mapped_column(String(32))
    board: Mapped[str] = mapped_column(String(16))
    python: Mapped[str] = mapped_column(String(8))
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    token: Mapped[str] = mapped_column(Text)
    """What the update key signed, as nodes get it."""
    key_id: Mapped[str] = mapped_column(String(16))
    signed_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    added_at: Mapped[datetime] = mapped_column(Instant)
    added_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    """None: by command at the machine of the centre."""


class Rollout(Base):
    """A release on its way to nodes."""

    __tablename__ = "rollouts"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    release: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[str] = mapped_column(String(32))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    area_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"))
    """The lowest area above all targets; None: there is none."""
    waves: Mapped[list[str]] = mapped_column(JSON)
    """How many are told at the end of each: a number, or a share with ``%``."""
    soak_s: Mapped[int]
    error_percent: Mapped[int]
    total: Mapped[int]
    """Nodes that were to get it when it began."""
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str | None] = mapped_column(String(40))
    """Why it stopped."""
    wave: Mapped[int] = mapped_column(default=0)
    """In which it is, from 0."""
    wave_since_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    """The earliest end of the release's tokens."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class RolloutNode(Base):
    """One node in a rollout."""

    __tablename__ = "rollout_nodes"

    rollout_id: Mapped[str] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True, index=True)
    state: Mapped[str] = mapped_column(String(16))
    state_at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str | None] = mapped_column(String(40))
    """The node's own, or why it is left out."""
    wave: Mapped[int | None]
    """In which it was told."""
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    """When it was last told."""
    commands: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Names of the last commands, the newest at the end."""
    unbelieved: Mapped[str | None] = mapped_column(String(16))
    """What it claimed and could not be."""
