"""What enrolment needs of a certificate authority. ``controller.wire.pki.Authority`` is one."""

from datetime import datetime
from typing import Protocol

from edge_agent.protocol.documents import TrustedKey


class IssuedCertificate(Protocol):
    """A node's certificate."""

    @property
    def pem(self) -> str:
        """The certificate."""
        ...

    @property
    def serial(self) -> str:
        """Its serial number, hexadecimal."""
        ...

    @property
    def expires_at(self) -> datetime:
        """Its end."""
        ...

    @property
    def public_key_x(self) -> str:
        """The key that was certified, as in ``TrustedKey.x``."""
        ...


class Authority(Protocol):
    """Certifies nodes and knows the keys that they are to trust."""

    @property
    def trusted_keys(self) -> tuple[TrustedKey, ...]:
        """Public halves of the dispatch and policy keys."""
        ...

    @property
    def ca_pem(self) -> str:
        """Certificate of the authority."""
        ...

    def issue_node_certificate(self, csr_pem: str, node_id: str) -> IssuedCertificate:
        """Certify the key of a request under the name of a node; all else in the request is ignored."""
        ...
