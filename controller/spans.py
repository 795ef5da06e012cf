"""From when until when: two filters that lists share."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from .errors import InvalidError
from .paging import Wanted


def span_of(wanted: Wanted, column: InstrumentedAttribute[Any]) -> list[ColumnElement[bool]]:
    """Give the conditions of the filters ``from`` and ``until``: instants with their offset; the second is outside.

    Raises:
        InvalidError: one of them is no instant.
    """
    begins, ends = (_instant(wanted.having.get(name, ""), name) for name in ("from", "until"))
    return ([column >= begins] if begins else []) + ([column < ends] if ends else [])


def _instant(said: str, field: str) -> datetime | None:
    if not said:
        return None
    try:
        at = datetime.fromisoformat(said)
        if at.tzinfo is not None and 1970 <= at.year < 2200:
            return at
    except ValueError:
        pass
    raise InvalidError(f"{field}: an instant such as 2031-11-24T00:00:00+07:00", field=field, problem="malformed")
