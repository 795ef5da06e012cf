"""Tables of approval requests, approvals and listening."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant

from .states import RequestState


class ApprovalRequest(Base):
    """Somebody wants to air something that needs another person's yes. The queue *Chờ duyệt*."""

    __tablename__ = "approval_requests"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(80), index=True)
    """``broadcasts/{id}`` or ``schedules/{id}``."""
    title: Mapped[str] = mapped_column(String(200))
    area_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    """The lowest area above all its targets: whose approvers may say yes. None: only who may everywhere."""
    content_sha256: Mapped[str] = mapped_column(String(64))
    recordings: Mapped[list[str]] = mapped_column(JSON)
    """SHA-256 of every file that would be heard."""
    scopes: Mapped[list[str]] = mapped_column(JSON)
    level: Mapped[str] = mapped_column(String(16))
    categories: Mapped[list[str]] = mapped_column(JSON)
    """What it is about, by which policies tell who must approve it; empty: it has none, or not all of it."""
    length_ms: Mapped[int]
    shown: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What is put before whoever approves, see ``approvals.shown``."""
    runs: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Of a schedule, where the signer stands apart: ``people.proof.Runs``."""
    first_start_at: Mapped[datetime] = mapped_column(Instant)
    """Of what is asked for, as it was planned when it was asked."""
    not_before_at: Mapped[datetime] = mapped_column(Instant)
    not_after_at: Mapped[datetime] = mapped_column(Instant)
    document_number: Mapped[str | None] = mapped_column(String(80))
    scan_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of a scan of the signed paper."""
    scan_type: Mapped[str | None] = mapped_column(String(40))
    """Media type of the scan, by its first bytes."""
    state: Mapped[str] = mapped_column(String(16), default=RequestState.OPEN, index=True)
    returned_reason: Mapped[str | None] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Instant)


class Approval(Base):
    """A person's yes to a content hash, a target and a window. Dies with any edit of what it covers."""

    __tablename__ = "approvals"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    request_id: Mapped[str | None] = mapped_column(ForeignKey("approval_requests.id"), index=True)
    """None: the author's own act was the approval."""
    subject: Mapped[str] = mapped_column(String(80), index=True)
    """``broadcasts/{id}`` or ``schedules/{id}``."""
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    content_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    not_before_at: Mapped[datetime] = mapped_column(Instant)
    not_after_at: Mapped[datetime] = mapped_column(Instant)
    by_author: Mapped[bool] = mapped_column(default=False)
    """Self-approval, within the policy's bounds; listed to the leader."""
    shown: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """To what the person said yes, see ``approvals.shown``. None: a copy of a yes to a schedule, or an older one."""
    seen_by_leader_at: Mapped[datetime | None] = mapped_column(Instant)
    given_at: Mapped[datetime] = mapped_column(Instant)
    voided_at: Mapped[datetime | None] = mapped_column(Instant)


class Listening(Base):
    """What a person has heard of a file in the page's player."""

    __tablename__ = "listenings"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    heard: Mapped[list[list[int]]] = mapped_column(JSON)
    """Spans in ms, merged, ascending."""
    whole_at: Mapped[datetime | None] = mapped_column(Instant)
    """When all of it had been heard."""
    until_at: Mapped[datetime | None] = mapped_column(Instant)
    """Up to here time is taken up by what was told of this file: see ``listening.note_told``."""
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    """When this person last approved something with it: from then on it is not new to them."""
