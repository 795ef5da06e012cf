"""Tables of people, their roles, sessions, remembered devices and machines' keys."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from controller.db import Base, Instant
from controller.search import Searchable


class Person(Searchable, Base):
    """Somebody who signs in."""

    __tablename__ = "people"
    searched = ("name", "login")

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(40))
    """To be called at; shown only to those who have something in sight that the person looks after."""
    password_hash: Mapped[str] = mapped_column(String(300))
    """Argon2id, in PHC form."""
    password_due: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Somebody else chose the password: the person chooses another before anything else."""
    totp_secret: Mapped[str | None] = mapped_column(String(120))
    """RFC 6238, base32, sealed (``sealing.Seal``); None: no second factor."""
    totp_pending: Mapped[str | None] = mapped_column(String(120))
    """A secret that was shown and not yet confirmed with a code; sealed."""
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    totp_last_step: Mapped[int | None]
    """Time step of the last code taken: no code counts twice."""
    grace_until: Mapped[datetime | None] = mapped_column(Instant)
    """Only the first administrator has one: until then the password alone is enough, to begin with."""
    locale: Mapped[str] = mapped_column(String(8), default="vi")
    created_at: Mapped[datetime] = mapped_column(Instant)
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)
    failed_attempts: Mapped[int] = mapped_column(default=0)
    last_failed_at: Mapped[datetime | None] = mapped_column(Instant)
    locked_until: Mapped[datetime | None] = mapped_column(Instant)


class Grant(Base):
    """A role in an area and all below it."""

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    role: Mapped[str] = mapped_column(String(40))
    """``Role``."""
    area_id: Mapped[str | None] = mapped_column(ForeignKey("areas.id"), index=True)
    """None: everywhere."""
    granted_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    granted_at: Mapped[datetime] = mapped_column(Instant)


class Session(Base):
    """A sign-in. Only the hash of its token is kept."""

    __tablename__ = "sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    """Its name in lists: the token's hash is not shown."""
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    second_factor_at: Mapped[datetime | None] = mapped_column(Instant)
    """When a code or a remembered device was shown; None: the password alone."""
    origin: Mapped[str] = mapped_column(String(64))
    """Address from which the person signed in."""
    agent: Mapped[str] = mapped_column(String(200), default="")
    """What the browser calls itself; for reading only."""


class Device(Base):
    """A browser that a person asked to remember: for operators it stands for the second factor."""

    __tablename__ = "devices"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class RecoveryCode(Base):
    """Stands for one code of a lost telephone. Only its hash is kept; it counts once."""

    __tablename__ = "recovery_codes"

    code_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class ApiToken(Base):
    """A machine's key. It may do what its person may, and no more than the acts it names."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    acts: Mapped[list[str]] = mapped_column(JSON)
    """``Act``; empty: none."""
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
