"""Forms that were sent from pages."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant


class SentForm(Base):
    """What became of a form, for whoever did not get the answer and sends it again. It is kept for a day."""

    __tablename__ = "sent_forms"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    key_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    content_hmac: Mapped[str] = mapped_column(String(64))
    """Of what was typed, by the key itself, which is not kept: a password in a form cannot be guessed from it."""
    sent_at: Mapped[datetime] = mapped_column(Instant)
    answer: Mapped[str | None] = mapped_column(Text)
    """Where the answer led; empty: what was done was shown in place. None: it is being done, or that broke off."""
