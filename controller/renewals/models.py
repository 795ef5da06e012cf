"""Tables of the certificates of nodes, and of nodes that wait for a yes to their next one."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class NodeCertificate(Base):
    """One that was issued to a node. Kept after its end: what is not in this table was not issued by us."""

    __tablename__ = "node_certificates"

    serial: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Hexadecimal."""
    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), index=True)
    public_key: Mapped[str] = mapped_column(String(43), index=True)
    """As in ``TrustedKey.x``."""
    pem: Mapped[str] = mapped_column(Text)
    """Empty for those of before this table."""
    issued_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class Renewal(Base):
    """A node whose certificate has ended asks for another: a person says whether it is still the one on the pole."""

    __tablename__ = "renewals"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), index=True)
    csr_pem: Mapped[str] = mapped_column(Text)
    new_key: Mapped[str] = mapped_column(String(43))
    """The key to be certified, as in ``TrustedKey.x``."""
    origin: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant)
    asked_at: Mapped[datetime] = mapped_column(Instant)
    """The last time: a node asks again until it has its answer."""
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    confirmed: Mapped[bool | None]
    """None while nobody has said anything."""
