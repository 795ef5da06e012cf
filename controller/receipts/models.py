"""Tables of receipts: events as they came, and how far each store of a node is known."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class Receipt(Base):
    """One play event of a node, kept as evidence."""

    __tablename__ = "receipts"

    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
    store_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    broadcast_id: Mapped[str] = mapped_column(String(64), index=True)
    """As the node says; it need not be one of ours."""
    event: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(Instant)
    """By the node's clock."""
    stored_at: Mapped[datetime] = mapped_column(Instant)


class ReceiptStore(Base):
    """How far a node's numbering is known without gaps; what is acknowledged."""

    __tablename__ = "receipt_stores"

    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
    store_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    through_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    """Highest number that was stored; above ``through_seq`` when something in between is missing."""
