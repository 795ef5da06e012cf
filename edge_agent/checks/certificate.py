"""Whether the certificate comes near its end though the next one has been asked for. Afterwards the node is cut off."""

from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509

from edge_agent.errors import AgentError
from edge_agent.faults import Fault
from edge_agent.renewal import due_at

NEAR, VERY_NEAR = timedelta(days=30), timedelta(days=7)
PATIENCE = 8
"""A certificate that is renewed at two thirds of 90 days has 30 left: an eighth of the rest goes by in silence."""


class Certificate:
    """Looks every minute."""

    fault = Fault.CERTIFICATE_ENDING
    period_s = 60.0
    clears_within_s = 0.0
    slow = False

    def __init__(
        self, read: Callable[[], x509.Certificate], *, now: Callable[[], datetime], knows_date: Callable[[], bool]
    ) -> None:
        """``read`` gives the certificate of now and may raise ``AgentError``."""
        self._read, self._now, self._knows_date = read, now, knows_date

    def look(self) -> str | None:
        """Compare its end with the date, if that is known."""
        if not self._knows_date():
            return None
        try:
            certificate = self._read()
        except AgentError as error:
            return str(error)
        end_at, now = certificate.not_valid_after_utc, self._now()
        if now < from_at(certificate):
            return None
        if now >= end_at:
            return f"the certificate has ended on {end_at:%Y-%m-%d}: confirm this node at the centre"
        days = (end_at - now).days
        urgent = ", and then the node is cut off" if end_at - now < VERY_NEAR else ""
        return f"the certificate ends in {days} days and no new one has come{urgent}"


def from_at(certificate: x509.Certificate) -> datetime:
    """Give the instant from which somebody should look into it."""
    end_at, asked_at = certificate.not_valid_after_utc, due_at(certificate)
    return max(end_at - NEAR, asked_at + (end_at - asked_at) / PATIENCE)
