"""Words that every part uses: what came as JSON, and instants, which are whole microseconds since 1970 everywhere."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
S = 1_000_000
"""A second."""
HOUR, DAY = 3600 * S, 86400 * S
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOG = logging.getLogger("tiny")


def instant(at: int) -> str:
    return (EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")


def require(ok: object) -> None:
    if not ok:
        raise ValueError("out of its range")
