"""The private certificate authority: who may speak as the centre, as a node, and as the server that nodes connect to.

Ed25519 throughout. Nothing here is trusted by browsers; the pages stand behind a proxy with a public certificate.
"""

import hashlib
import ipaddress
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.clock import Clock
from controller.errors import InvalidError
from controller.files import write_whole
from controller.renewals.void import VoidBook
from controller.signing.holder import KeyHolder
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.signing import public_x

from .keys import KeyFileError, ed25519_key, private_pem, read_or_make

CENTRE = "centre"
"""Common name, MQTT user and client id of the controller; no node may have it."""

CA_LIFE = timedelta(days=7300)
LEAF_LIFE = timedelta(days=365)
RENEW_AFTER = LEAF_LIFE * 2 / 3
"""A leaf is made anew when a third of its life is left."""
BACKDATED = timedelta(days=1)
"""Certificates begin this long ago: a node's clock may be a little behind."""


LIST_LIFE = timedelta(days=365)
"""Of a list of revoked certificates. A broker whose list has ended lets nobody in: it is made anew long before."""
LIST_RENEWED_AFTER = timedelta(days=1)


class Revoked(NamedTuple):
    """A certificate that is void before its end."""

    node_id: str
    serial: str
    """Hexadecimal."""
    at: datetime


@dataclass(frozen=True)
class IssuedCertificate:
    """A node's certificate."""

    pem: str
    serial: str
    """Hexadecimal."""
    expires_at: datetime
    public_key_x: str
    """The key that was certified, as in ``TrustedKey.x``."""


class Authority:
    """Issues certificates, and keeps the centre's own fresh."""

    def __init__(self, folder: Path, keys: KeyHolder, clock: Clock, *, names: tuple[str, ...]) -> None:
        """Read the authority or make it; ``names`` are those by which nodes reach this machine.

        Raises:
            KeyFileError: a file in the folder is damaged.
        """
        self._folder, self._clock, self._names = folder, clock, tuple(dict.fromkeys(names))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.voided = VoidBook(folder)
        """What was voided before its end, whatever the rows know of it."""
        self._keys = keys
        self._key = ed25519_key(folder / "ca.key")
        self._ca = _load(folder / "ca.crt", read_or_make(folder / "ca.crt", self._make_ca))
        if self._ca.public_key() != self._key.public_key():
            raise KeyFileError(f"{folder / 'ca.crt'}: does not belong to ca.key; put the right pair back")
        self.renew()

    @property
    def trusted_keys(self) -> tuple[TrustedKey, ...]:
        """Public halves of the keys of now, for nodes."""
        return self._keys.trusted

    @property
    def ca_file(self) -> Path:
        """Certificate of the authority."""
        return self._folder / "ca.crt"

    @property
    def server_chain(self) -> Path:
        """Certificate of broker and media server, followed by the authority's."""
        return self._folder / "server.crt"

    @property
    def server_key(self) -> Path:
        """Private key of broker and media server."""
        return self._folder / "server.key"

    @property
    def ca_pem(self) -> str:
        """Certificate of the authority."""
        return self._ca.public_bytes(Encoding.PEM).decode()

    @property
    def ca_sha256(self) -> str:
        """Fingerprint that a new node may be given to know us by: SHA-256 of the certificate's DER."""
        return hashlib.sha256(self._ca.public_bytes(Encoding.DER)).hexdigest()

    def renew(self) -> bool:
        """Make the centre's own certificates anew where they are missing, ageing or for other names; say if any was."""
        server = self._renew_leaf("server", ExtendedKeyUsageOID.SERVER_AUTH, _names(self._names))
        centre = self._renew_leaf(CENTRE, ExtendedKeyUsageOID.CLIENT_AUTH, None)
        return server or centre

    def centre_context(self) -> ssl.SSLContext:
        """Make the TLS context with which the controller connects to the broker."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self._folder / f"{CENTRE}.crt", self._folder / f"{CENTRE}.key")
        return context

    def issue_node_certificate(self, csr_pem: str, node_id: str) -> IssuedCertificate:
        """Certify the key of a request under the name of a node; all else in the request is ignored.

        Raises:
            InvalidError: not a request, not signed by its own key, or not Ed25519.
        """
        key = _requested_key(csr_pem)
        if node_id == CENTRE:
            raise InvalidError("a node cannot be called like the centre", field="node_id")
        certificate = self._sign(node_id, key, ExtendedKeyUsageOID.CLIENT_AUTH, None)
        return IssuedCertificate(
            pem=certificate.public_bytes(Encoding.PEM).decode(),
            serial=f"{certificate.serial_number:x}",
            expires_at=certificate.not_valid_after_utc,
            public_key_x=public_x(key),
        )

    def context_in_the_name_of(self, node_id: str) -> ssl.SSLContext:
        """Make the TLS context with which the centre takes a node's session at the broker away from it.

        The certificate and its key are made for this and kept by nobody.
        """
        key = Ed25519PrivateKey.generate()
        pem = self._sign(node_id, key.public_key(), ExtendedKeyUsageOID.CLIENT_AUTH, None).public_bytes(Encoding.PEM)
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with tempfile.NamedTemporaryFile(prefix="loa-") as file:  # the ssl module reads from files only; mode 0600
            file.write(private_pem(key) + pem)
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def revocation_list(self, revoked: Iterable[Revoked]) -> bytes:
        """Sign the list of void certificates, in PEM."""
        now = self._clock()
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._ca.subject)
        builder = builder.last_update(now - BACKDATED).next_update(now + LIST_LIFE)
        builder = builder.add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(each.serial, 16)).revocation_date(each.at)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self._key, None).public_bytes(Encoding.PEM)

    def ends(self) -> dict[str, datetime]:
        """Say when the centre's own certificates end, by name."""
        leaves = {"server": self.server_chain, CENTRE: self._folder / f"{CENTRE}.crt"}
        found = {name: _load(path, path.read_bytes()).not_valid_after_utc for name, path in leaves.items()}
        return {"authority": self._ca.not_valid_after_utc} | found

    def _make_ca(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Loa {self._key_name()}")])
        now = self._clock()
        usage = _key_usage(certificates=True)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - BACKDATED).not_valid_after(now + CA_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False)
        return builder.sign(self._key, None).public_bytes(Encoding.PEM)

    def _key_name(self) -> str:
        """Tell two centres' authorities apart: TLS libraries look issuers up by name."""
        return hashlib.sha256(public_x(self._key.public_key()).encode()).hexdigest()[:12]

    def _renew_leaf(self, name: str, use: x509.ObjectIdentifier, names: list[x509.GeneralName] | None) -> bool:
        path, key = self._folder / f"{name}.crt", ed25519_key(self._folder / f"{name}.key")
        if path.exists() and self._still_good(_load(path, path.read_bytes()), key, names):
            return False
        leaf = self._sign(name, key.public_key(), use, names)
        write_whole(path, leaf.public_bytes(Encoding.PEM) + self.ca_pem.encode())
        return True

    def _still_good(
        self, found: x509.Certificate, key: Ed25519PrivateKey, names: list[x509.GeneralName] | None
    ) -> bool:
        covered = names is None or list(_alternative_names(found)) == names
        young = self._clock() < found.not_valid_after_utc - LEAF_LIFE + RENEW_AFTER
        return young and covered and found.public_key() == key.public_key() and found.issuer == self._ca.subject

    def _sign(
        self, name: str, key: Ed25519PublicKey, use: x509.ObjectIdentifier, names: list[x509.GeneralName] | None
    ) -> x509.Certificate:
        now = self._clock()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._ca.subject).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - BACKDATED).not_valid_after(now + LEAF_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        if names is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, None)


def _requested_key(csr_pem: str) -> Ed25519PublicKey:
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        key, signed = request.public_key(), request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise InvalidError(f"not a certificate request in PEM: {error}", field="csr_pem") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidError("the request's key is not Ed25519", field="csr_pem")
    if not signed:
        raise InvalidError("the request is not signed by its own key", field="csr_pem")
    return key


def _load(path: Path, pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise KeyFileError(f"{path}: not a certificate ({error}); put the right file back") from None


def _names(names: tuple[str, ...]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
