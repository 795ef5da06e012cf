"""Who the node is: what adoption left in its state directory, and its key."""

import json
import ssl
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .basics import Json
from .signatures import kid_of, rebase64

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL: everything but the dates (section 2)."""


class Identity:
    """Read once, never changed."""

    def __init__(self, state: Path) -> None:
        self.state, self.adoption = state, json.loads((state / "node.json").read_text())
        self.node = self.adoption["node_id"]
        self.own = f"nodes/{self.node}"
        key = serialization.load_pem_private_key((state / "node.key").read_bytes(), None)
        assert isinstance(key, Ed25519PrivateKey)
        self._key = key
        self._kid = kid_of(key.public_key().public_bytes_raw())

    def signed(self, typ: str, payload: Json) -> bytes:
        parts = [json.dumps(one).encode() for one in ({"alg": "Ed25519", "typ": typ, "kid": self._kid}, payload)]
        signing = ".".join(map(rebase64, parts)).encode()
        return signing + b"." + rebase64(self._key.sign(signing)).encode()

    def tls(self, *, client: bool, dates: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=self.adoption["ca_pem"])
        if not dates:
            context.verify_flags |= NO_CHECK_TIME
        if client:
            context.load_cert_chain(self.state / "node.crt", self.state / "node.key")
        return context
