"""One HTTPS request at a time to the centre, in a worker thread: for enrolment and renewal. Bounded, no redirects."""

import http.client
import ssl

from edge_agent.errors import EnrolmentError
from edge_agent.threads import in_thread

TIMEOUT_S = 20.0
MAX_ANSWER_BYTES = 128 * 1024

_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""OpenSSL's names for an answer that is no TLS: by version, for another protocol than HTTP too."""


class Asker:
    """Asks one host."""

    def __init__(self, netloc: str, tls: ssl.SSLContext) -> None:
        self._netloc, self._tls = netloc, tls

    async def __call__(self, path: str, body: bytes | None, expected: int, *, kind: str = "application/json") -> bytes:
        """Post a body, or get without one.

        Raises:
            EnrolmentError: no connection, no trust, or an answer with another status.
        """
        return await in_thread(self._ask, path, body, expected, kind)

    def _ask(self, path: str, body: bytes | None, expected: int, kind: str) -> bytes:
        connection = http.client.HTTPSConnection(self._netloc, timeout=TIMEOUT_S, context=self._tls)
        try:
            headers = {"Content-Type": kind} if body is not None else {}
            connection.request("POST" if body is not None else "GET", path, body=body, headers=headers)
            answer = connection.getresponse()
            data = answer.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise EnrolmentError(f"{self._netloc}: {why(error)}") from None
        finally:
            connection.close()
        if answer.status != expected:
            raise EnrolmentError(f"{self._netloc}{path}: answered {answer.status} {answer.reason}")
        return data


def why(error: Exception) -> str:
    """Say what a failed connection means for whoever typed the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        failed = f"certificate verify failed ({error.verify_message})"
        return f"{failed}: give --ca-sha256 with the centre's fingerprint, and the address that its certificate names"
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return "does not speak TLS: this is not the nodes' port of the centre"
    return str(error) or type(error).__name__
