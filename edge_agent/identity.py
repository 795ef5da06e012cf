"""Who this node is: its key and its certificate, and how both change together through a power cut.

The next pair lies beside the present one. The next certificate's file is what decides: once it is there the change is
done, however often it takes to put both in place.
"""

import logging

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edge_agent.config import StateDir, read_key, sync_directory, write_atomically
from edge_agent.errors import ConfigError, EnrolmentError
from edge_agent.failpoints import reach

log = logging.getLogger(__name__)


def key_pem(key: Ed25519PrivateKey) -> bytes:
    """Write a private key as unencrypted PKCS #8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def request_pem(key: Ed25519PrivateKey) -> str:
    """Ask for a certificate of this key; the centre gives it its name."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "new-node")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, None)
    return request.public_bytes(Encoding.PEM).decode()


def check_certificate(pem: str, authority_pem: bytes, key: Ed25519PrivateKey, node_id: str) -> x509.Certificate:
    """See that a certificate that came is ours and hangs together; give the authority.

    Raises:
        EnrolmentError: it is not for our key, not of this authority, or of another name.
    """
    try:
        own = x509.load_pem_x509_certificate(pem.encode())
        authority = x509.load_pem_x509_certificate(authority_pem)
        own.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise EnrolmentError(f"the centre sent a certificate that does not hold ({error}): enrol again") from None
    names = [attribute.value for attribute in own.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if own.public_key() != key.public_key() or names != [node_id]:
        raise EnrolmentError("the centre sent a certificate for another node: enrol again")
    return authority


def own_certificate(state: StateDir) -> x509.Certificate:
    """Read our certificate.

    Raises:
        ConfigError: it is not there, or is not one.
    """
    try:
        return x509.load_pem_x509_certificate(state.certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{state.certificate} cannot be read ({error}): enrol this node again") from None


def next_key(state: StateDir) -> Ed25519PrivateKey:
    """Give the key that is to follow; made once, so that asking again asks for the same."""
    try:
        return read_key(state.next_key)
    except FileNotFoundError:
        pass
    except (ValueError, TypeError):
        log.warning("%s is damaged and made anew", state.next_key)
    key = Ed25519PrivateKey.generate()
    write_atomically(state.next_key, key_pem(key), mode=0o600)
    return key


def take(state: StateDir, certificate_pem: str) -> None:
    """Become the next one: from the first line on there is no way back, and none is needed."""
    write_atomically(state.next_certificate, certificate_pem.encode())
    reach("identity.decided")
    settle(state)


def settle(state: StateDir) -> bool:
    """Put the next pair in place, or finish doing so; say whether there was one."""
    if not state.next_certificate.exists():
        return False
    reach("identity.found")
    if state.next_key.exists():
        state.next_key.replace(state.key)
        sync_directory(state.root)
    reach("identity.key")
    state.next_certificate.replace(state.certificate)
    sync_directory(state.root)
    reach("identity.settled")
    return True
