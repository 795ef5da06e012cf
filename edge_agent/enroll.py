"""How a new node gets its name: makes its key, shows a claim code, waits until a person adopts it, keeps what comes.

The centre is believed by the fingerprint of its authority, or by the system's trusted authorities.
"""

import asyncio
import hashlib
import re
import shlex
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.abilities import abilities
from edge_agent.asking import TIMEOUT_S, Asker, why
from edge_agent.config import Options, StateDir, load_key, write_atomically
from edge_agent.ending import end
from edge_agent.errors import ConfigError, EnrolmentError
from edge_agent.identity import check_certificate, key_pem, request_pem
from edge_agent.protocol.enrolment import (
    Adoption,
    EnrolmentRequest,
    EnrolmentStatus,
    EnrolmentTicket,
    claim_hash,
    new_claim_code,
)
from edge_agent.protocol.signing import key_id
from edge_agent.store import Store

PATH = "/api/v1/enrolments"

_T = EnrolmentTicket | EnrolmentStatus


async def _nothing_more(_code: str, _adopt_url: str | None) -> None:
    """Show it in words alone."""


async def enroll(
    options: Options,
    *,
    server: str,
    ca_sha256: str | None,
    timeout_s: float,
    show: Callable[[str], None],
    code: str | None = None,
    on_code: Callable[[str, str | None], Awaitable[None]] = _nothing_more,
) -> Adoption:
    """Be adopted by the centre at ``server``; ``show`` gets the lines for the person at the node.

    ``code``: a claim code that was agreed beforehand; without, a new one is made. ``on_code`` gets it once the centre
    knows of it, with the address of the page where it is typed, if the centre names one.

    Raises:
        EnrolmentError: refused, expired, not believed, or nobody came in time.
        ConfigError: this state directory is a node already.
    """
    state, wanted = options.state, _fingerprint(ca_sha256)
    if state.node.exists():
        raise ConfigError(f"{state.node} exists: this node is enrolled; use another --state, or remove it first")
    key = _own_key(state)
    tls, pinned = await asyncio.to_thread(_trust, server, wanted)
    code = code or new_claim_code()
    request = EnrolmentRequest(csr_pem=request_pem(key), claim_sha256=claim_hash(code), abilities=abilities(options))
    ask = Asker(_netloc(server), tls)
    ticket = msgspec.json.decode(await ask(PATH, msgspec.json.encode(request), 201), type=EnrolmentTicket)
    show(f"Claim code: {code}")
    show(f"Fingerprint of this node's key: {key_id(key.public_key())}")
    show("Type it into the page of this commune to adopt this node; waiting…")
    telling = asyncio.ensure_future(on_code(code, ticket.adopt_url))
    try:
        adoption = await _wait(ask, ticket, timeout_s)
    finally:
        await end([telling])
    _check(adoption, key, pinned)
    _keep(state, adoption)
    show(f"Adopted as {adoption.node_id} ({adoption.name}). Start it with: {_start(options)}")
    return adoption


async def _wait(ask: Asker, ticket: EnrolmentTicket, timeout_s: float) -> Adoption:
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        status = await _status(ask, ticket)
        if status is not None and status.state == "expired":
            raise EnrolmentError("the claim code has expired: run `loa-agent enroll` again")
        if status is not None and status.adoption is not None:
            return status.adoption
        await asyncio.sleep(ticket.poll_ms / 1000)
    raise EnrolmentError(f"nobody adopted this node within {timeout_s:.0f} s: run `loa-agent enroll` again")


async def _status(ask: Asker, ticket: EnrolmentTicket) -> EnrolmentStatus | None:
    """Look once; None when the centre is out of reach for now."""
    try:
        data = await ask(f"{PATH}/{ticket.enrolment_id}", None, 200)
    except EnrolmentError:
        return None
    return msgspec.json.decode(data, type=EnrolmentStatus)


def _own_key(state: StateDir) -> Ed25519PrivateKey:
    """Give the node's key; made once, so that a second try is the same node."""
    if state.key.exists():
        return load_key(state)
    key = Ed25519PrivateKey.generate()
    write_atomically(state.key, key_pem(key), mode=0o600)
    return key


def _netloc(server: str) -> str:
    parts = urlsplit(server)
    if parts.scheme != "https" or not parts.netloc or parts.path.strip("/"):
        raise ConfigError(f"--server {server!r}: give it as https://host:port")
    return parts.netloc


def _fingerprint(ca_sha256: str | None) -> str | None:
    """Give a SHA-256 as 64 small digits, however it was typed."""
    if ca_sha256 is None:
        return None
    wanted = ca_sha256.replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{64}", wanted):
        raise ConfigError(f"--ca-sha256 {ca_sha256!r}: give the 64 hexadecimal digits of the authority's SHA-256")
    return wanted


def _start(options: Options) -> str:
    """Say how to run the node as it was enrolled."""
    words = ["loa-agent", "run", "--state", str(options.state.root)]
    words += [] if options.output == "card" else ["--output", options.output]
    words += [] if options.device is None else ["--device", options.device]
    return shlex.join(words)


def _trust(server: str, wanted: str | None) -> tuple[ssl.SSLContext, x509.Certificate | None]:
    """Make the context to believe the centre by; with a fingerprint, its authority is looked up in its chain."""
    if wanted is None:
        return ssl.create_default_context(), None
    for der in _chain(_netloc(server)):
        if hashlib.sha256(der).hexdigest() == wanted:
            authority = x509.load_der_x509_certificate(der)
            pem = authority.public_bytes(Encoding.PEM).decode()
            return ssl.create_default_context(cadata=pem), authority
    raise EnrolmentError(f"{server} does not show the authority {wanted[:16]}…: check the address and the fingerprint")


def _chain(netloc: str) -> list[bytes]:
    """Read the certificates that a server shows, believing none of them yet."""
    host, _, port = netloc.rpartition(":") if netloc.rsplit("]", 1)[-1].count(":") else (netloc, "", "443")
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S) as plain,
            tls.wrap_socket(plain, server_hostname=host.strip("[]")) as wrapped,
        ):
            return _shown(wrapped)
    except (OSError, ValueError) as error:
        raise EnrolmentError(f"{netloc}: {why(error)}") from None


def _shown(wrapped: ssl.SSLSocket) -> list[bytes]:
    """Give the chain as DER: a public method from Python 3.13 on, before that one of the C object."""
    if sys.version_info >= (3, 13):
        return list(wrapped.get_unverified_chain())
    chain = wrapped._sslobj.get_unverified_chain()  # type: ignore[attr-defined] # noqa: SLF001 - see above
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in chain or ()]


def _check(adoption: Adoption, key: Ed25519PrivateKey, pinned: x509.Certificate | None) -> None:
    """See that what came is ours and hangs together.

    Raises:
        EnrolmentError: the certificate is not for our key, not of its authority, or of another name; or the authority
            is another than the pinned one.
    """
    authority = check_certificate(adoption.certificate_pem, adoption.ca_pem.encode(), key, adoption.node_id)
    if pinned is not None and pinned != authority:
        raise EnrolmentError("the centre sent another authority than the one of the fingerprint: do not use this node")


def _keep(state: StateDir, adoption: Adoption) -> None:
    """Write what came; the file that makes it a node comes last."""
    write_atomically(state.certificate, adoption.certificate_pem.encode())
    write_atomically(state.authority, adoption.ca_pem.encode())
    store = Store.open(state.database)
    store.begin()
    store.close()
    write_atomically(state.node, msgspec.json.format(msgspec.json.encode(adoption)))
