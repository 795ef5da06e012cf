"""What a request for a certificate is worth: an Ed25519 key that signed it. All else in it is ignored."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from controller.errors import InvalidError
from edge_agent.protocol.signing import public_x


def requested_key(csr_pem: str) -> str:
    """Give the key of a request, as in ``TrustedKey.x``.

    Raises:
        InvalidError: not a request, not Ed25519, or not signed by its own key.
    """
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        key, signed = request.public_key(), request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        raise InvalidError("csr_pem: not a certificate request in PEM", field="csr_pem", problem="malformed") from None
    if not isinstance(key, Ed25519PublicKey) or not signed:
        raise InvalidError("csr_pem: needs an Ed25519 key that signed it", field="csr_pem", problem="key")
    return public_x(key)
