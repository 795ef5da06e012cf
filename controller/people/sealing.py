"""Seals what must be read again but not by whoever reads the rows: secrets of second factors. The key is no row."""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controller.errors import ConflictError

KEY_BYTES = 32
"""AES-256."""
_NONCE_BYTES = 12
"""NIST SP 800-38D, section 5.2.1.1. Drawn at random: one key seals far fewer than 2^32 secrets."""
_VERSION = "1"


class Seal:
    """One key. What it sealed for one person it does not open for another."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, plain: str, person_id: str) -> str:
        """Give what may stand in a row."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, plain.encode(), person_id.encode())
        return f"{_VERSION}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, person_id: str) -> str:
        """Give what was sealed.

        Raises:
            ConflictError: it was sealed with another key or for another person, or was changed.
        """
        version, _, text = sealed.partition(".")
        try:
            raw = base64.urlsafe_b64decode(text) if version == _VERSION else b""
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], person_id.encode()).decode()
        except (InvalidTag, ValueError):
            raise ConflictError(
                "this second factor cannot be read with the centre's key; use a recovery code, "
                "or have it reset: loa person reset-factor",
                problem="factor_unreadable",
            ) from None
