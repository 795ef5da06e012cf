"""How far a request for approval is. Pure: pages name it too."""

from enum import StrEnum


class RequestState(StrEnum):
    """How far a request is."""

    OPEN = "open"
    APPROVED = "approved"
    RETURNED = "returned"
    VOID = "void"
    """What was asked for has been changed, or is over: it may be asked for anew."""
    WITHDRAWN = "withdrawn"
    """Who asked took it back: of a schedule it is asked for anew when that is edited."""
