"""Enrolment over HTTPS: how a new node gets its name and certificate (``/api/v1/enrolments``)."""

import hashlib
import secrets
from typing import Annotated, Literal

from msgspec import Meta

from .documents import TrustedKey
from .fields import Id, Sha256, Wire
from .reports import Abilities

CLAIM_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Letters and digits that are not mistaken for one another when read aloud or written by hand."""

Pem = Annotated[str, Meta(max_length=16_384)]


class EnrolmentRequest(Wire, frozen=True, kw_only=True):
    """POST ``/api/v1/enrolments``: a node asks to be adopted."""

    csr_pem: Pem
    """PKCS #10 request with the node's Ed25519 key, made on the node. Its subject is ignored."""
    claim_sha256: Sha256
    """``claim_hash`` of the code that the node shows; the code itself never leaves it but by a person."""
    abilities: Abilities


class EnrolmentTicket(Wire, frozen=True, kw_only=True):
    """Answer 201: where to ask again."""

    enrolment_id: Id
    """Not guessable; whoever knows it may read the answer, which holds nothing secret."""
    poll_ms: Annotated[int, Meta(ge=100, le=600_000)] = 2_000
    adopt_url: Annotated[str, Meta(max_length=300)] | None = None
    """Page on which a person types the code; a node may show it with ``#code=`` and the code. Absent: not known."""


class Adoption(Wire, frozen=True, kw_only=True):
    """What a node needs from then on."""

    node_id: Id
    name: Annotated[str, Meta(max_length=200)]
    certificate_pem: Pem
    """Client certificate; common name = node id."""
    ca_pem: Pem
    """The private authority of broker and media server."""
    broker_host: Annotated[str, Meta(max_length=253)]
    broker_port: Annotated[int, Meta(ge=1, le=65_535)]
    media_url: Annotated[str, Meta(max_length=300)]
    """Base of ``/media/…`` and ``/plans/…``, without a slash at its end."""
    trusted_keys: Annotated[tuple[TrustedKey, ...], Meta(min_length=2, max_length=16)]


class EnrolmentStatus(Wire, frozen=True, kw_only=True):
    """GET ``/api/v1/enrolments/{enrolment_id}``."""

    state: Literal["waiting", "adopted", "expired"]
    adoption: Adoption | None = None
    """With ``adopted``."""


def new_claim_code() -> str:
    """Make a claim code of 8 characters, ``ABCD-2345``: 39 bits, valid once and for 24 hours."""
    letters = "".join(secrets.choice(CLAIM_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def claim_hash(code: str) -> str:
    """Hash a claim code as typed: case, spaces and dashes do not matter."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(f"loa-claim:{plain}".encode()).hexdigest()
