"""Signatures: compact JWS (RFC 7515), Ed25519 and nothing else. ``typ`` names the kind of document."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from .documents import Settings, Signed, TrustedKey, Urgent
from .errors import (
    BadSignatureError,
    ExpiredError,
    LastsTooLongError,
    MalformedError,
    NotYetValidError,
    UnknownKeyError,
    WrongAudienceError,
)
from .fields import decode, utc
from .renewal import RenewalRequest
from .reports import Receipts
from .states import KeyUse
from .topics import Word
from .updates import Release

ALGORITHM = "Ed25519"
"""Fully specified name (RFC 9864); ``EdDSA`` and all others are refused."""

MAX_TOKEN_BYTES = 1024 * 1024
"""No signed message is larger: an urgent of 64 broadcasts with 16 KiB of audio is below 100 KiB."""

MAX_HEADER_BYTES = 256
"""Encoded. Ours has 76 bytes: ``alg``, ``typ``, ``kid``, and nothing that names another key."""

LONGEST_LIFE = {
    Word.PLAN: timedelta(days=32),
    Word.URGENT: timedelta(days=370),
    Word.COMMAND: timedelta(days=1),
}
"""From ``iat`` to ``exp``: the longest lease, the farthest start that may be ordered, and a day for what is done once.
One that was signed for ten years would be a weapon for ten years, whoever finds it. An urgent that lets nothing sound,
settings and holds stand until they are replaced."""

_DocumentT = TypeVar("_DocumentT", bound=Signed)


class _Registry(jws.JWSRegistry):
    """The library's own limit is 128 kB."""

    max_payload_length = MAX_TOKEN_BYTES


_REGISTRY = _Registry(algorithms=[ALGORITHM])


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    typ: str
    kid: str


def key_id(public: Ed25519PublicKey) -> str:
    """Name a key: the first 16 hexadecimal digits of the SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def key_id_of(x: str) -> str:
    """Name a key that is written as in ``TrustedKey.x``.

    Raises:
        MalformedError: not an Ed25519 public key.
    """
    return key_id(_public(x))


def public_x(public: Ed25519PublicKey) -> str:
    """Write a public key as in ``TrustedKey.x``."""
    return base64.urlsafe_b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).rstrip(b"=").decode()


class SigningKey:
    """A private key, in memory."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.public = private.public_key()
        self.kid = key_id(self.public)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._jwk = OKPKey.import_key(pem)

    def trusted_as(self, use: KeyUse) -> TrustedKey:
        """Describe the public half for those who are to trust it."""
        return TrustedKey(kid=self.kid, use=use, x=public_x(self.public))

    def sign(self, document: Signed | Receipts | RenewalRequest | Release) -> bytes:
        """Sign a document; gives the compact token as it goes on the wire.

        Raises:
            ValueError: it would be larger than any receiver takes.
        """
        header = {"alg": ALGORITHM, "typ": _typ(type(document)), "kid": self.kid}
        token = jws.serialize_compact(header, msgspec.json.encode(document), self._jwk, registry=_REGISTRY).encode()
        if len(token) > MAX_TOKEN_BYTES:
            raise ValueError(f"{type(document).__name__} of {len(token)} bytes, at most {MAX_TOKEN_BYTES}: split it")
        return token


class TrustStore:
    """Public keys by name, each for one use.

    Raises:
        MalformedError: a key is not one, or its name is not its own.
    """

    def __init__(self, keys: Iterable[TrustedKey]) -> None:
        self.keys = tuple(keys)
        self._jwks = {(key.kid, key.use): _import(key) for key in self.keys}

    @classmethod
    def of_node(cls, *keys: str) -> Self:
        """Trust one node's keys, as in ``TrustedKey.x``, for what it signs itself."""
        return cls(TrustedKey(kid=key_id(_public(x)), use=KeyUse.NODE, x=x) for x in keys)

    def payload(self, token: bytes, *, typ: str, use: KeyUse) -> bytes:
        """Check a token and give what it signs.

        Raises:
            MalformedError: too large, or not a compact token.
            WrongAudienceError: a document of another kind.
            UnknownKeyError: the key is not trusted for this use.
            BadSignatureError: the signature or the algorithm is wrong.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise MalformedError(f"message of {len(token)} bytes, at most {MAX_TOKEN_BYTES}")
        header = _read_header(token)
        if header.alg != ALGORITHM:
            raise BadSignatureError(f"algorithm {header.alg[:20]!r}, only {ALGORITHM} is taken")
        if header.typ != typ:
            raise WrongAudienceError(f"document is a {header.typ[:40]!r}, not a {typ!r}")
        jwk = self._jwks.get((header.kid, use))
        if jwk is None:
            raise UnknownKeyError(f"key {header.kid[:20]!r} is not trusted for {use}")
        try:
            return jws.deserialize_compact(token, jwk, registry=_REGISTRY).payload
        except (JoseError, ValueError) as error:
            raise BadSignatureError(f"{typ}: {error}") from None


def open_document(token: bytes, kind: type[_DocumentT], *, audience: str, trust: TrustStore) -> _DocumentT:
    """Check signature, kind and audience of a document from the centre. Version and time are the caller's next step.

    Raises:
        ProtocolError: one of its children, by what is wrong first.
    """
    document = decode(trust.payload(token, typ=_typ(kind), use=kind.key_use), kind)
    if document.aud != audience:
        raise WrongAudienceError(f"{kind.__name__} for {document.aud}, came for {audience}")
    if isinstance(document, Settings):
        _check_signer_stays(document, _read_header(token).kid)
    return document


def open_receipts(token: bytes, *, node_id: str, trust: TrustStore) -> Receipts:
    """Check receipts against the key of the node under whose name they came.

    Raises:
        ProtocolError: one of its children, by what is wrong first.
    """
    receipts = decode(trust.payload(token, typ=_typ(Receipts), use=KeyUse.NODE), Receipts)
    if receipts.iss != node_id:
        raise WrongAudienceError(f"receipts of {receipts.iss}, came from {node_id}")
    return receipts


def open_renewal(token: bytes, *, node_id: str, trust: TrustStore) -> RenewalRequest:
    """Check a wish for the next certificate against the key of the node that it names.

    Raises:
        ProtocolError: one of its children, by what is wrong first.
    """
    request = decode(trust.payload(token, typ=_typ(RenewalRequest), use=KeyUse.NODE), RenewalRequest)
    if request.iss != node_id:
        raise WrongAudienceError(f"renewal of {request.iss}, signed by {node_id}")
    return request


def open_release(token: bytes, *, trust: TrustStore) -> Release:
    """Check a release against the update keys. Whether a node takes it is the next step (``updates.check_release``).

    Raises:
        ProtocolError: one of its children, by what is wrong first.
    """
    return decode(trust.payload(token, typ=_typ(Release), use=KeyUse.UPDATE), Release)


def signer_of(token: bytes) -> str:
    """Name the key that a token says it is signed with, before anything is believed.

    Raises:
        MalformedError: not a compact token.
    """
    return _read_header(token).kid


def check_window(document: Signed, now: datetime) -> None:
    """Apply ``nbf`` and ``exp``. Not for holds, and only by a clock that is trusted.

    Raises:
        NotYetValidError: ``now`` is before ``nbf``.
        ExpiredError: ``now`` is at or after ``exp``.
        LastsTooLongError: see ``LONGEST_LIFE``.
    """
    longest = LONGEST_LIFE.get(document.word)
    speaks = not isinstance(document, Urgent) or document.broadcasts
    if longest is not None and speaks and document.exp - document.iat > longest.total_seconds():
        raise LastsTooLongError(f"{type(document).__name__} would be readable for more than {longest.days} days")
    if now < utc(document.nbf):
        raise NotYetValidError(f"{type(document).__name__} is valid from {utc(document.nbf).isoformat()}")
    if now >= utc(document.exp):
        raise ExpiredError(f"{type(document).__name__} expired at {utc(document.exp).isoformat()}")


def _check_signer_stays(settings: Settings, kid: str) -> None:
    """Refuse settings by which the node would lock out the key that sent them: no later ones could mend it."""
    if not any(key.kid == kid and key.use is KeyUse.POLICY for key in settings.trusted_keys):
        raise UnknownKeyError(f"Settings.trusted_keys: the policy key {kid} that signs them is not among them")


def _typ(kind: type[Signed | Receipts | RenewalRequest | Release]) -> str:
    return f"loa-{kind.word.replace('/', '-')}"


def _read_header(token: bytes) -> _Header:
    if token.count(b".") != 2:
        raise MalformedError("not a signed token: it does not have three parts")
    head = token.split(b".", 1)[0]
    if len(head) > MAX_HEADER_BYTES:
        raise MalformedError(f"not a signed token: header of {len(head)} bytes, at most {MAX_HEADER_BYTES}")
    padded = head + b"=" * (-len(head) % 4)
    try:
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except ValueError as error:
        raise MalformedError(f"not a signed token: {error}") from None
    return decode(raw, _Header)


def _public(x: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(x + "=", altchars=b"-_", validate=True))
    except ValueError as error:
        raise MalformedError(f"not an Ed25519 public key: {error}") from None


def _import(key: TrustedKey) -> OKPKey:
    if key_id(_public(key.x)) != key.kid:
        raise MalformedError(f"key {key.kid} is named after another key")
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.x})
