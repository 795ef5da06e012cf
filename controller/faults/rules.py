"""The life of a fault: new, acknowledged, cleared. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

OFFLINE = "offline"
"""What the centre alone can know: the node is not heard from."""
HOLDS_UNKNOWN = "holds_unknown"
"""So is this: it says that it obeys more holds than there is room for. It may be in strange hands."""
OWN = frozenset({OFFLINE, HOLDS_UNKNOWN})
"""Words of the centre: no node says them of itself."""

COMES_AND_GOES = timedelta(minutes=10)
"""What begins again so soon after it ended is the same fault: one row with a count, and its acknowledgement stands."""


class FaultState(StrEnum):
    """How a fault stands."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    """Somebody looks after it."""
    CLEARED = "cleared"


def state_of(acknowledged_at: datetime | None, cleared_at: datetime | None) -> FaultState:
    """Say how a fault stands; what is over is over, whoever looked after it."""
    if cleared_at is not None:
        return FaultState.CLEARED
    return FaultState.NEW if acknowledged_at is None else FaultState.ACKNOWLEDGED
