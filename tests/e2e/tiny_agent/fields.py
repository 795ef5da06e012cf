"""Section 4: types, each a function that gives the value back or raises ValueError."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .basics import EPOCH, Json, S, require

Check = Callable[[Any], Any]


def number(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        require(type(value) is int and low <= value <= high)
        return int(value)

    return check


def text(pattern: str) -> Check:
    def check(value: Any) -> str:
        require(isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII))
        return str(value)

    return check


def many(low: int, high: int, one: Check) -> Check:
    def check(value: Any) -> list[Any]:
        require(isinstance(value, list) and low <= len(value) <= high)
        return [one(each) for each in value]

    return check


def record(**fields: Check | tuple[Check, Any]) -> Check:
    """Describe an object: a field is its type, or its type and its default. Unknown fields are ignored."""

    def check(value: Any) -> Json:
        require(isinstance(value, dict))
        found = {}
        for name, field in fields.items():
            kind, *default = field if isinstance(field, tuple) else (field,)
            require(name in value or default)
            found[name] = kind(value[name]) if name in value else default[0]
        return found

    return check


def is_instant(value: Any) -> int:
    stamp = text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")(value).removesuffix("Z")
    whole, _, part = stamp.partition(".")
    return (datetime.fromisoformat(whole + "Z") - EPOCH) // timedelta(seconds=1) * S + int(part.ljust(6, "0"))


def is_boolean(value: Any) -> bool:
    require(isinstance(value, bool))
    return bool(value)


def is_zone(value: Any) -> str:
    try:
        return ZoneInfo(text(".{1,64}")(value)).key
    except (KeyError, OSError) as unknown:
        raise ValueError("no such zone") from unknown


def nullable(kind: Check) -> Check:
    return lambda value: None if value is None else kind(value)


ID, SHA256 = text("[a-z0-9][a-z0-9-]{0,63}"), text("[0-9a-f]{64}")
SCOPE = text("(areas|nodes)/[a-z0-9][a-z0-9-]{0,63}")
MILLIS, MILLIBEL, COUNT, POSITIVE = number(0, 86400000), number(-6000, 1200), number(0, 2**53 - 1), number(1, 2**53 - 1)
DATE, LANGUAGE = number(0, 253402300799), text("(?=.{1,35}$)[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")
TIME = text("([01][0-9]|2[0-3]):[0-5][0-9]")
