"""Signatures: only the right key, for the right use, over exactly these bytes, for exactly this place."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.protocol.documents import DOCUMENTS, Command, Hold, Plan, Settings, Signed, TrustedKey
from edge_agent.protocol.errors import (
    BadSignatureError,
    ExpiredError,
    MalformedError,
    NotYetValidError,
    ProtocolError,
    UnknownKeyError,
    WrongAudienceError,
)
from edge_agent.protocol.fields import utc
from edge_agent.protocol.reports import Receipts
from edge_agent.protocol.signing import (
    MAX_TOKEN_BYTES,
    SigningKey,
    TrustStore,
    check_window,
    key_id,
    open_document,
    open_receipts,
    public_x,
)
from edge_agent.protocol.states import KeyUse
from tests.edge_agent.protocol.factories import HAMLET, broadcast
from tests.edge_agent.protocol.samples import BY_NAME, DISPATCH, NODE_KEY, POLICY, SAMPLES, STRANGER, TRUSTED

TRUST = TrustStore(TRUSTED)
HOLD = next(sample for sample in SAMPLES if isinstance(sample, Hold))
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"dispatch".ljust(32))
HEADER = {"alg": "Ed25519", "typ": "loa-hold", "kid": DISPATCH.kid}

Signer = Callable[[bytes], bytes]


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def forged(header: dict[str, Any] | bytes = HEADER, payload: bytes | None = None, sign: Signer = PRIVATE.sign) -> bytes:
    """Make a token by hand; by default a good one."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = b64(head) + b"." + b64(msgspec.json.encode(HOLD) if payload is None else payload)
    return signed + b"." + b64(sign(signed))


def opened(token: bytes, *, audience: str = HAMLET, trust: TrustStore = TRUST) -> Hold:
    return open_document(token, Hold, audience=audience, trust=trust)


def right_key(kind: type[Signed]) -> SigningKey:
    return POLICY if kind is Settings else DISPATCH


@pytest.mark.parametrize("kind", DOCUMENTS, ids=lambda kind: kind.__name__)
def test_a_document_is_opened_with_the_key_of_its_use_and_no_other(kind: type[Signed]) -> None:
    document = BY_NAME[kind.__name__]
    assert isinstance(document, Signed)
    wrong = DISPATCH if kind is Settings else POLICY

    token = right_key(kind).sign(document)

    assert open_document(token, kind, audience=document.aud, trust=TRUST) == document
    for key in (wrong, STRANGER, NODE_KEY):
        with pytest.raises(UnknownKeyError):
            open_document(key.sign(document), kind, audience=document.aud, trust=TRUST)


@pytest.mark.parametrize("kind", DOCUMENTS, ids=lambda kind: kind.__name__)
def test_a_document_of_one_kind_is_never_read_as_another(kind: type[Signed]) -> None:
    """Not even where both have the same fields and key: ``typ`` is signed."""
    token = right_key(kind).sign(BY_NAME[kind.__name__])  # type: ignore[arg-type]  # a Signed
    for other in DOCUMENTS:
        if other is not kind:
            with pytest.raises(WrongAudienceError):
                open_document(token, other, audience=HAMLET, trust=TRUST)


def test_a_token_made_by_hand_is_as_good() -> None:
    """So that the refusals below are refusals of what they change."""
    assert opened(forged()) == HOLD


@pytest.mark.parametrize("audience", ["areas/other", "nodes/hamlet", "areas/hamlet2", ""])
def test_a_document_for_another_place_is_refused(audience: str) -> None:
    with pytest.raises(WrongAudienceError):
        opened(DISPATCH.sign(HOLD), audience=audience)


@pytest.mark.parametrize("alg", ["none", "None", "", "EdDSA", "HS256", "ES256", "ed25519", "Ed448", "RS256"])
def test_any_other_algorithm_is_refused_whatever_the_signature(alg: str) -> None:
    signers: list[Signer] = [
        PRIVATE.sign,
        lambda _: b"",
        lambda signed: hmac.new(base64.urlsafe_b64decode(TRUSTED[0].x + "="), signed, hashlib.sha256).digest(),
    ]
    for sign in signers:
        with pytest.raises(BadSignatureError):
            opened(forged({**HEADER, "alg": alg}, sign=sign))


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": STRANGER.trusted_as(KeyUse.DISPATCH).x}},
        {"jku": "https://example.org/keys"},
        {"x5u": "https://example.org/chain"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"zip": "DEF"},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_a_header_that_says_more_is_refused(extra: dict[str, Any]) -> None:
    """Above all one that brings a key along, by whomever it is signed."""
    stranger = Ed25519PrivateKey.from_private_bytes(b"stranger".ljust(32))
    for sign in (PRIVATE.sign, stranger.sign):
        with pytest.raises(MalformedError):
            opened(forged({**HEADER, **extra}, sign=sign))


@pytest.mark.parametrize("kid", ["", "0" * 16, STRANGER.kid, POLICY.kid, DISPATCH.kid.upper(), DISPATCH.kid + " "])
def test_an_unknown_key_is_refused(kid: str) -> None:
    with pytest.raises(UnknownKeyError):
        opened(forged({**HEADER, "kid": kid}))


def test_a_changed_byte_anywhere_is_refused() -> None:
    token = DISPATCH.sign(HOLD)
    for index in range(0, len(token) - 1, 3):  # the last character of a signature has bits that say nothing
        changed = bytearray(token)
        changed[index] = ord("A") if token[index] != ord("A") else ord("B")
        with pytest.raises(ProtocolError):
            opened(bytes(changed))


def test_a_payload_cannot_be_exchanged_under_a_good_signature() -> None:
    head, _, signature = DISPATCH.sign(HOLD).split(b".")
    other = msgspec.structs.replace(HOLD, released=("h1",))

    with pytest.raises(BadSignatureError):
        opened(b".".join((head, b64(msgspec.json.encode(other)), signature)))


GOOD = DISPATCH.sign(HOLD)


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b".",
        b"..",
        b"...",
        b"a.b.c",
        b"{}",
        GOOD + b".",
        GOOD + b".x",
        b"." + GOOD,
        b" " + GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b".", b"..", 1),
        GOOD.replace(b".", b". ", 1),
        GOOD.split(b".", 1)[0],
        GOOD + b"\n",
        GOOD + b"\x00",
        GOOD + b"=",
        b"\xff\xfe.\xff.\xff",
        msgspec.json.encode({"payload": "x", "signatures": []}),
    ],
)
def test_what_is_not_exactly_a_token_is_refused(token: bytes) -> None:
    with pytest.raises(ProtocolError):
        opened(token)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"alg":"Ed25519"}',
        b"\xff\xfe",
        b"{" * 180,
        json.dumps({**HEADER, "kid": 7}).encode(),
    ],
)
def test_a_header_that_is_none_is_malformed(header: bytes) -> None:
    with pytest.raises(MalformedError):
        opened(forged(header))


def test_a_header_is_small() -> None:
    with pytest.raises(MalformedError):
        opened(forged(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'{"aud":"\xff"}',
        msgspec.json.encode(HOLD) + b"x",
        msgspec.json.encode(HOLD)[:-1],
        msgspec.json.encode(HOLD)[:-1] + b',"z":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        msgspec.json.encode(HOLD).replace(b'"epoch":3', b'"epoch":NaN'),
    ],
)
def test_a_signed_payload_that_does_not_parse_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedError):
        opened(forged(payload=payload))


def test_a_message_of_the_largest_size_is_read_and_a_larger_one_neither_made_nor_read() -> None:
    """An evening of long programmes in one urgent is far above the 128 kB at which the library stops by itself."""
    urgent = msgspec.structs.replace(
        BY_NAME["Urgent"], broadcasts=tuple(broadcast(f"b{index}", lengths=[5] * 40) for index in range(64))
    )
    token = DISPATCH.sign(urgent)  # type: ignore[arg-type]  # a Signed

    assert 400_000 < len(token) <= MAX_TOKEN_BYTES
    assert open_document(token, type(urgent), audience=HAMLET, trust=TRUST) == urgent  # type: ignore[type-var]  # a Signed
    with pytest.raises(MalformedError, match="at most"):
        opened(b"x" * (MAX_TOKEN_BYTES + 1))
    larger = tuple(broadcast(f"b{index}", lengths=[1] * 110) for index in range(64))
    with pytest.raises(ValueError, match="split it"):
        DISPATCH.sign(msgspec.structs.replace(urgent, broadcasts=larger))  # type: ignore[arg-type]  # a Signed


def test_a_key_is_named_after_its_own_bytes() -> None:
    public = DISPATCH.public

    assert key_id(public) == hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16] == DISPATCH.kid
    assert base64.urlsafe_b64decode(public_x(public) + "=") == public.public_bytes_raw()
    with pytest.raises(MalformedError, match="named after another"):
        TrustStore([TrustedKey(kid=DISPATCH.kid, use=KeyUse.DISPATCH, x=TRUSTED[1].x)])


def test_a_key_serves_only_the_use_for_which_it_is_trusted() -> None:
    """The same bytes as policy key and dispatch key would be two entries, never one by accident."""
    as_policy = TrustStore([DISPATCH.trusted_as(KeyUse.POLICY)])

    with pytest.raises(UnknownKeyError):
        opened(DISPATCH.sign(HOLD), trust=as_policy)


def test_settings_that_lock_out_their_own_signer_are_refused() -> None:
    settings = BY_NAME["Settings"]
    assert isinstance(settings, Settings)
    others = (DISPATCH.trusted_as(KeyUse.DISPATCH), STRANGER.trusted_as(KeyUse.POLICY))
    as_dispatch = (DISPATCH.trusted_as(KeyUse.DISPATCH), POLICY.trusted_as(KeyUse.DISPATCH))

    for keys in (others, as_dispatch):
        locked = msgspec.structs.replace(settings, trusted_keys=keys)
        with pytest.raises(UnknownKeyError, match="not among them"):
            open_document(POLICY.sign(locked), Settings, audience=settings.aud, trust=TRUST)


def test_receipts_are_opened_with_the_key_of_the_node_under_whose_name_they_came() -> None:
    receipts = BY_NAME["Receipts"]
    assert isinstance(receipts, Receipts)
    trust = TrustStore.of_node(public_x(NODE_KEY.public))

    assert open_receipts(NODE_KEY.sign(receipts), node_id="n1", trust=trust) == receipts
    with pytest.raises(WrongAudienceError):
        open_receipts(NODE_KEY.sign(receipts), node_id="n2", trust=trust)
    for key in (STRANGER, DISPATCH, POLICY):
        with pytest.raises(UnknownKeyError):
            open_receipts(key.sign(receipts), node_id="n1", trust=trust)
    with pytest.raises(UnknownKeyError):
        open_receipts(DISPATCH.sign(receipts), node_id="n1", trust=TRUST)


def test_a_node_cannot_sign_for_the_centre() -> None:
    node = TrustStore([*TRUSTED, NODE_KEY.trusted_as(KeyUse.NODE)])

    with pytest.raises(UnknownKeyError):
        opened(NODE_KEY.sign(HOLD), trust=node)


@pytest.mark.parametrize("x", ["", "A" * 42, "A" * 44, "!" * 43, "A" * 43 + "="])
def test_a_node_key_that_is_none_is_malformed_or_out_of_range(x: str) -> None:
    with pytest.raises((MalformedError, ValueError)):
        TrustStore.of_node(x)


@pytest.mark.parametrize(
    ("second", "error"),
    [(-1, NotYetValidError), (0, None), (599.999999, None), (600, ExpiredError), (1e6, ExpiredError)],
)
def test_a_document_is_valid_from_nbf_until_before_exp(second: float, error: type[ProtocolError] | None) -> None:
    command = BY_NAME["Command"]
    assert isinstance(command, Command)
    window = msgspec.structs.replace(command, nbf=1_000_000, exp=1_000_600)
    now = utc(1_000_000) + timedelta(seconds=second)

    if error is None:
        check_window(window, now)
    else:
        with pytest.raises(error):
            check_window(window, now)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in ProtocolError.__subclasses__()]

    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)
    assert issubclass(type(BY_NAME["Plan"]), Plan)
