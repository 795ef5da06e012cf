"""When a node gets its next certificate by itself, when a person has to agree, and when it is too late. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

RENEWED_AT_THIRDS = 2
"""Of a certificate's life, three in all. The node says the same (``edge_agent.renewal``)."""
SLACK = timedelta(days=1)
"""A node's clock may be so much ahead of ours."""
GRACE = timedelta(days=730)
"""After its end, a node can still come back with a person's yes: a pole that stood without power for two rainy seasons.
Beyond, it is enrolled anew."""
ANSWER_WITHIN = timedelta(days=7)
"""A wish that nobody answered, or a yes that nobody fetched, is worth nothing after this."""


class Standing(StrEnum):
    """How old a certificate is."""

    EARLY = "early"
    DUE = "due"
    ENDED = "ended"
    """A person has to confirm."""
    GONE = "gone"


def standing(issued_at: datetime, expires_at: datetime, now: datetime) -> Standing:
    """Say how old a certificate is."""
    if now < renewed_from(issued_at, expires_at) - SLACK:
        return Standing.EARLY
    if now < expires_at:
        return Standing.DUE
    return Standing.ENDED if now < expires_at + GRACE else Standing.GONE


def renewed_from(issued_at: datetime, expires_at: datetime) -> datetime:
    """Give the instant from which its node asks for the next one."""
    return issued_at + (expires_at - issued_at) * RENEWED_AT_THIRDS / 3
