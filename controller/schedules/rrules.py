"""Recurrence rules of RFC 5545, as far as a commune needs them, and their dates by bounded work. Pure.

Whoever writes a rule decides how much there is to reckon, on the machine of all. So what a rule may say is checked
part by part before any date is sought, and dates are sought day by day up to the end of the span and no further.
"""

import re
from collections.abc import Iterable, Iterator
from copy import copy
from datetime import datetime
from functools import lru_cache

from dateutil import rrule

from controller.errors import InvalidError

FREQUENCIES = frozenset({"YEARLY", "MONTHLY", "WEEKLY", "DAILY"})
"""Nothing is broadcast every hour by rule: whoever wants that says each hour."""
SUB_DAILY = frozenset({"HOURLY", "MINUTELY", "SECONDLY"})
MAX_RULE = 400
MAX_A_DAY = 24
"""More are a slip: a day has at most some dozen sessions."""
MAX_DATES = MAX_A_DAY * 410
"""In one look, of which the longest is 400 days."""
MAX_COUNT = 5_000
RANGES = {
    "INTERVAL": range(1, 367),
    "COUNT": range(1, MAX_COUNT + 1),
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": range(1, 32),
    "BYYEARDAY": range(1, 367),
    "BYSETPOS": range(1, 367),
    "BYHOUR": range(24),
    "BYMINUTE": range(60),
}
"""Part → what its numbers may be."""
FROM_THE_END = frozenset({"BYMONTHDAY", "BYYEARDAY", "BYSETPOS"})
"""Their numbers may be negative."""
SINGLE = frozenset({"INTERVAL", "COUNT"})
WORDS = {
    "FREQ": re.compile(r"[A-Z]+"),
    "UNTIL": re.compile(r"[0-9]{8}(T[0-9]{6})?"),
    "WKST": re.compile(r"MO|TU|WE|TH|FR|SA|SU"),
    "BYDAY": re.compile(r"([+-]?[1-9][0-9]?)?(MO|TU|WE|TH|FR|SA|SU)(,([+-]?[1-9][0-9]?)?(MO|TU|WE|TH|FR|SA|SU))*"),
}
NUMBER = re.compile(r"[+-]?[0-9]{1,4}")
SLACK = 2 * 366
"""Days beyond a span that are looked at for it: the rest of its first year and of its last."""


def parsed(rule: str, first: datetime) -> rrule.rrule:
    """Read a rule.

    Raises:
        InvalidError: it is not RFC 5545, more often than a commune broadcasts, or names what does not exist.
    """
    if len(rule) > MAX_RULE:
        raise InvalidError(f"rule: at most {MAX_RULE} characters", field="rule", problem="too_long", most=MAX_RULE)
    return _parsed(rule, first)


@lru_cache(maxsize=4096)
def _parsed(rule: str, first: datetime) -> rrule.rrule:
    check_parts(rule)
    try:
        found = rrule.rrulestr(rule, dtstart=first)
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        raise _not_a_rule(str(error)) from None
    if not isinstance(found, rrule.rrule):
        raise _not_a_rule("one RRULE, and nothing else")
    return found


def parts_of(rule: str) -> dict[str, str]:
    """Take a rule apart, in capitals.

    Raises:
        InvalidError: a part is none, or there twice.
    """
    parts: dict[str, str] = {}
    for part in rule.upper().split(";"):
        name, _, value = part.partition("=")
        if not value or name in parts:
            raise _not_a_rule(f"{part[:40]!r} is no part of a rule, or there twice")
        parts[name] = value
    return parts


def check_parts(rule: str) -> None:
    """Refuse what a commune's rule may not say, before any date is sought.

    Raises:
        InvalidError: it says that.
    """
    parts = parts_of(rule)
    if "BYSECOND" in parts or parts.get("FREQ") in SUB_DAILY:
        raise InvalidError("rule: daily or rarer, and no seconds", field="rule", problem="too_often", most=MAX_A_DAY)
    if parts.get("FREQ") not in FREQUENCIES:
        raise _not_a_rule("FREQ is DAILY, WEEKLY, MONTHLY or YEARLY")
    if {"COUNT", "UNTIL"} <= parts.keys():
        raise _not_a_rule("COUNT or UNTIL, not both")
    for name, value in parts.items():
        if name in RANGES:
            _check_numbers(name, value)
        elif name not in WORDS:
            raise _not_a_rule(f"{name[:40]!r} is not a part that is followed here")
        elif not WORDS[name].fullmatch(value):
            raise _not_a_rule(f"{name}={value[:40]}")
    _check_weeks(parts)
    times = _choices(parts, "BYHOUR") * _choices(parts, "BYMINUTE")
    if times > MAX_A_DAY:
        raise InvalidError(
            f"rule: {times} times a day; at most {MAX_A_DAY}", field="rule", problem="too_often", most=MAX_A_DAY
        )


def _check_weeks(parts: dict[str, str]) -> None:
    """Refuse "the third Monday" of a day or week, and "the ninth" of a month."""
    in_month = parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts
    most = 0 if parts["FREQ"] in {"DAILY", "WEEKLY"} else 5 if in_month else 53
    if any(abs(int(each[:-2] or "0")) > most for each in parts.get("BYDAY", "MO").split(",")):
        raise InvalidError(
            f"rule: BYDAY counts to {most}", field="rule", problem="out_of_range", part="BYDAY", most=most
        )


def _check_numbers(name: str, value: str) -> None:
    numbers = value.split(",")
    if not all(_is_in_range(name, each) for each in numbers) or (name in SINGLE and len(numbers) > 1):
        least, most = RANGES[name][0], RANGES[name][-1]
        raise InvalidError(
            f"rule: {name} is from {least} to {most}", field="rule", problem="out_of_range", part=name, most=most
        )


def _is_in_range(name: str, number: str) -> bool:
    if not NUMBER.fullmatch(number):
        return False
    said = int(number)
    return (abs(said) if name in FROM_THE_END else said) in RANGES[name]


def _choices(parts: dict[str, str], name: str) -> int:
    return len({int(each) for each in parts.get(name, "0").split(",")})


def walk(
    rule: str, first: datetime, from_local: datetime, until_local: datetime, *, steps: "Steps | None" = None
) -> Iterator[datetime]:
    """Give the wall times of a rule in a span, both ends in it, in their order.

    Raises:
        InvalidError: the rule is none, or gives more dates than anybody means.
    """
    begin = _period_before(rule, first, from_local)
    steps = steps or Steps()
    steps.left = max(0, (until_local - begin).days) + SLACK
    try:
        in_span = (each for each in _paced(parsed(rule, first), begin, steps) if each >= from_local)
        for count, each in enumerate(in_span):
            if each > until_local:
                return
            if count >= MAX_DATES:
                raise InvalidError(
                    f"rule: more than {MAX_DATES} dates", field="rule", problem="too_many", most=MAX_DATES
                )
            yield each
    except _PassedError:
        return


class _PassedError(Exception):
    """As many days were looked at as there are up to the end of the span: what comes now lies after it."""


class Steps:
    """How many days may still be looked at, and were."""

    left = 0
    taken = 0

    def take(self) -> None:
        """Look at a day more."""
        self.left -= 1
        self.taken += 1
        if self.left < 0:
            raise _PassedError


class _Counted(frozenset[int]):
    """Months, or days of the week; each day that is asked about is a step."""

    steps: Steps

    def __contains__(self, number: object) -> bool:
        self.steps.take()
        return super().__contains__(number)


def _paced(found: rrule.rrule, begin: datetime, steps: Steps) -> Iterable[datetime]:
    """Give a rule that stops when its steps are taken: by itself it follows one that never comes to the year 9999.

    It asks for the month of every day first, or where it names none for the day of the week: there we count.
    """
    paced = copy(found)
    said = vars(paced)
    name = "_bymonth" if said["_bymonth"] else "_byweekday"
    counted = _Counted(said[name] or range(7))
    counted.steps = steps
    said |= {name: counted, "_dtstart": begin}  # what the first date says of hour, day and month it has kept already
    return paced


def _period_before(rule: str, first: datetime, from_local: datetime) -> datetime:
    """Give the begin of a month or year from which a rule gives the same dates from ``from_local`` on."""
    parts = parts_of(rule)
    months = {"MONTHLY": 1, "YEARLY": 12}.get(parts.get("FREQ", ""))
    if months is None or "COUNT" in parts or from_local <= first:
        return first
    parsed(rule, first)  # so INTERVAL is a number
    period = months * int(parts.get("INTERVAL", "1"))
    begin = first.year * 12 + (first.month - 1 if months == 1 else 0)
    passed = (from_local.year * 12 + from_local.month - 1 - begin) // period
    year, month = divmod(begin + passed * period, 12)
    return max(first, datetime(year, month + 1, 1))  # noqa: DTZ001 - wall time


def _not_a_rule(why: str) -> InvalidError:
    return InvalidError(f"rule: not an RFC 5545 rule ({why})", field="rule", problem="not_a_rule")
