"""Asks for the node's next certificate when two thirds of its life are over, and goes on asking after its end.

The key is new each time; the old one vouches for it. While the old certificate stands the answer comes by itself,
afterwards when a person has said that this is still the node on the pole.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent import identity
from edge_agent.asking import Asker
from edge_agent.config import StateDir, load_key
from edge_agent.errors import AgentError
from edge_agent.protocol.enrolment import Adoption
from edge_agent.protocol.renewal import RenewalRequest, RenewalStatus
from edge_agent.protocol.signing import SigningKey, key_id
from edge_agent.threads import in_thread

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""Seconds between two looks at the certificate and the link."""
WAIT_S = {"waiting": 60.0, "early": 6 * 3600.0, "refused": 6 * 3600.0}
"""Until the next question, by what was answered. A person who has just confirmed waits no longer than a minute."""
FAILED_S = (60.0, 3600.0)
"""First and longest wait after a question without an answer; doubled, full jitter."""
LONELY_S = 900.0
"""So long without a link, on a clock that knows no date, the certificate may have ended: the centre knows."""
QUIET = timedelta(seconds=60)
"""Nothing sounds or is due so soon: the moment to connect anew."""


class Renewer:
    """Runs until cancelled."""

    name = "renewer"

    def __init__(
        self,
        state: StateDir,
        adoption: Adoption,
        *,
        now: Callable[[], datetime],
        knows_date: Callable[[], bool],
        monotonic_s: Callable[[], float],
        linked: Callable[[], bool],
        is_near: Callable[[timedelta], bool],
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        self._state, self._adoption, self._now, self._knows_date = state, adoption, now, knows_date
        self._monotonic_s, self._linked, self._is_near, self._tls = monotonic_s, linked, is_near, tls
        self._heard_s = monotonic_s()
        """When there was a link last, or when we began to wait for one."""
        self._next_s = 0.0
        self._failures = 0
        self._changed = False
        """There is a new identity, and the link stands with the old one."""
        self.on_renewed: Callable[[SigningKey], None] = lambda _: None
        """Called with the new key: everything is signed with it from then on."""
        self.on_quiet: Callable[[], None] = lambda: None
        """Called in a quiet moment: connect anew."""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Look for ever."""
        self.ready.set()
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S * random.uniform(0.8, 1.0))  # noqa: S311 - not a secret

    async def look(self) -> None:
        """Ask if it is time, and connect anew if there is something new and nobody would hear the gap."""
        if self._linked():
            self._heard_s = self._monotonic_s()
        if self._is_due() and self._monotonic_s() >= self._next_s:
            await self._try()
        if self._changed and not self._is_near(QUIET):
            self._changed = False
            self.on_quiet()

    def _is_due(self) -> bool:
        if not self._knows_date() and self._monotonic_s() - self._heard_s >= LONELY_S:
            return True
        try:
            certificate = identity.own_certificate(self._state)
        except AgentError as error:
            log.warning("%s", error)
            return False
        return self._now() >= due_at(certificate)

    async def _try(self) -> None:
        try:
            state = await self._ask()
        except (AgentError, OSError, msgspec.DecodeError) as error:
            self._failures += 1
            most_s = min(FAILED_S[1], FAILED_S[0] * 2 ** min(self._failures, 10))
            wait_s = random.uniform(FAILED_S[0] / 2, most_s)  # noqa: S311 - not a secret
            log.warning("no answer about the next certificate: %s", error)
        else:
            self._failures, wait_s = 0, WAIT_S.get(state, 0.0)
        self._next_s = self._monotonic_s() + wait_s

    async def _ask(self) -> str:
        key = await in_thread(identity.next_key, self._state)
        token = SigningKey(load_key(self._state)).sign(
            RenewalRequest(
                iss=self._adoption.node_id,
                iat=max(0, int(self._now().timestamp())),
                csr_pem=identity.request_pem(key),
            )
        )
        ask = Asker(urlsplit(self._adoption.media_url).netloc, self._tls())
        path = f"/api/v1/nodes/{self._adoption.node_id}/renewal"
        status = msgspec.json.decode(await ask(path, token, 200, kind="application/jose"), type=RenewalStatus)
        if status.state == "renewed" and status.certificate_pem is not None:
            await in_thread(self._take, key, status.certificate_pem)
            self._changed = True
            self.on_renewed(SigningKey(key))
        else:
            log.warning("next certificate: %s; fingerprint of its key: %s", status.state, key_id(key.public_key()))
        return status.state

    def _take(self, key: Ed25519PrivateKey, pem: str) -> None:
        identity.check_certificate(pem, self._state.authority.read_bytes(), key, self._adoption.node_id)
        identity.take(self._state, pem)
        log.info("the next certificate is here")


def due_at(certificate: x509.Certificate) -> datetime:
    """Give the instant from which the next one is asked for."""
    begun_at = certificate.not_valid_before_utc
    return begun_at + (certificate.not_valid_after_utc - begun_at) * 2 / 3
