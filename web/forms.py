"""What a browser sends: small forms. That they come from our own pages is seen to before (``controller.http``)."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.requests import ClientDisconnect

from controller.errors import InvalidError, TooLargeError
from controller.ids import new_id
from controller.validation import refuse_nul

MOST_BYTES = 512 * 1024
"""A form with some thousand chosen nodes fits."""
MOST_FIELDS = 8192
MOST_VERSION = 2**31 - 1
LEAP_YEARS = 8
"""Within so many years a 29th of February comes, whatever century begins meanwhile."""
_KEY = re.compile(r"[0-9a-f]{32}\Z")
_HOUR = re.compile(r"\s*(\d{1,2})\s*(?:[:hHgG.]\s*(\d{2})?|(\d{2}))?\s*\Z")
_DAY = re.compile(r"\s*(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}))?\s*\Z")


class Unclear(Exception):  # noqa: N818 - a state of the form, not a failure
    """A field does not say what it must. ``problems`` says for each what is wrong with it."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


def each_of(reads: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Read fields by their names, all of them, so that whoever typed them is told of all that is wrong.

    Raises:
        Unclear: some cannot be understood.
    """
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, read in reads.items():
        try:
            found[name] = read()
        except Unclear as unclear:
            problems |= unclear.problems
    if problems:
        raise Unclear(problems)
    return found


class Form:
    """Fields as typed; one that was not sent is empty."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    def one(self, name: str) -> str:
        """Give a field's value, the last if it was sent more than once."""
        return self._fields.get(name, [""])[-1]

    def key(self) -> str:
        """Give what makes sending twice be once. It goes to the centre as it is: what is none of ours is replaced."""
        key = self.one("key")
        return key if _KEY.match(key) else new_id()

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Give all that was sent, as names with values."""
        return ((name, value) for name, values in self._fields.items() for value in values)

    def hour(self, name: str) -> str:
        """Give an hour that was chosen among the usual ones, else as typed (``parts.hour``)."""
        return self.one(f"{name}_usual") or self.one(name)

    def many(self, name: str) -> list[str]:
        """Give all values of a field, each once, in the order sent."""
        return list(dict.fromkeys(self._fields.get(name, [])))

    def was(self, name: str, now: str) -> str:
        """Give what stood in a field when its page was made (``parts.was``); ``now``: where the form does not say.

        Who changed one field leaves the others to whom changed those meanwhile.
        """
        return self._fields.get(f"was_{name}", [now])[-1]


def is_form(request: Request) -> bool:
    """Tell whether the body says that it is a form."""
    return request.headers.get("content-type", "").partition(";")[0] == "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Form:
    """Read a posted form; once it was read, give it again.

    Raises:
        InvalidError: it is not a form, or a text in it has the character NUL.
        TooLargeError: more bytes or fields than any page of ours sends.
    """
    known: Form | None = getattr(request.state, "form", None)
    if known is None:
        known = request.state.form = await _read(request)
    return known


async def _read(request: Request) -> Form:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise TooLargeError("the form is too large", most=MOST_BYTES)
    except ClientDisconnect as error:
        raise InvalidError("the form broke off", field="body", problem="length") from error
    if body and not is_form(request):
        raise InvalidError("the body must be a form", field="body", problem="content_type")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise InvalidError("the form cannot be read", field="body", problem="encoding") from error
    refuse_nul((name, each) for name, value in pairs for each in (name, value))
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)


def own_path(text: str, default: str = "/today") -> str:
    """Keep an address to return to within this site."""
    ours = text.startswith("/") and text.isprintable() and not text.startswith("//") and "\\" not in text
    return text if ours else default


def hour_of(typed: str) -> tuple[int, int] | None:
    """Read an hour as people type it (17:00, 17h30, 1730); None when it is none."""
    hour, minute = _figures(typed)
    return (hour, minute) if hour <= 23 and minute <= 59 else None


def is_next_midnight(typed: str) -> bool:
    """Tell whether the end of a day was typed as its 24th hour: which day is meant is for its author to say."""
    return _figures(typed) == (24, 0)


def _figures(typed: str) -> tuple[int, int]:
    found = _HOUR.match(typed)
    return (int(found[1]), int(found[2] or found[3] or 0)) if found else (99, 99)


def day_of(typed: str, today: date) -> date | None:
    """Read a day as people write it (24/11/2031; without a year the next such day); None when it is none."""
    found = _DAY.match(typed)
    if found is None:
        return None
    years = [int(found[3])] if found[3] else range(today.year, today.year + LEAP_YEARS + 1)
    for year in years:
        with suppress(ValueError):  # a year without a 29th of February
            day = date(year, int(found[2]), int(found[1]))
            if found[3] or day >= today:
                return day
    return None


def number_of(typed: str, most: int) -> int | None:
    """Read a whole number from 0 to ``most``; None when it is none."""
    plain = typed.strip()
    return int(plain) if plain.isascii() and plain.isdecimal() and len(plain) < 12 and int(plain) <= most else None
