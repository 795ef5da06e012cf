"""Hours of the day as people write them into rules. Pure."""

import re

from web.formats import Formats
from web.forms import Unclear, hour_of, is_next_midnight

_SPAN = re.compile(r"\s*([^-–]+)[-–]([^-–]+)\Z")

MOST_SPANS = 8
"""As nodes take them."""
Typed = tuple[str, bool]
"""Hours, and the tick that stands for there being none of them."""


def spans(typed: str, field: str, form: Formats) -> list[dict[str, str]]:
    """Read spans of hours: ``05:00–06:30, 17:00–18:30``.

    Raises:
        Unclear: they cannot be understood.
    """
    found = [_SPAN.match(part) for part in re.split(r"[,;]", typed)]
    if not all(found):
        raise Unclear({field: form.text("wrong.windows")})
    read = [
        {"start": hour_said(each[1], field, form), "until": hour_said(each[2], field, form)} for each in found if each
    ]
    if len(read) > MOST_SPANS:
        raise Unclear({field: form.text("wrong.windows_many", most=MOST_SPANS)})
    if any(each["start"] == each["until"] for each in read):
        raise Unclear({field: form.text("wrong.windows_empty")})
    return read


def spans_said(typed: Typed, was: Typed, field: str, form: Formats) -> list[dict[str, str]] | None:
    """Give the spans that are meant: none at all where that was ticked, None where the place above is to say.

    ``was``: how both stood. Of hours and a tick that contradict each other the one that was touched is meant.

    Raises:
        Unclear: they cannot be understood, or both were touched.
    """
    (hours, none), (hours_before, none_before) = typed, was
    is_ticked = none and not none_before
    if hours and is_ticked and hours != hours_before:
        raise Unclear({field: form.text("policies.either_hours")})
    if hours and not is_ticked:
        return spans(hours, field, form)
    return [] if none else None


def hour_wrong(typed: str, form: Formats) -> str:
    """Say of what is no hour what to type."""
    return form.text("wrong.hour_24" if is_next_midnight(typed) else "wrong.hour")


def hour_said(typed: str, field: str, form: Formats) -> str:
    """Read one hour.

    Raises:
        Unclear: it is none.
    """
    found = hour_of(typed)
    if found is None:
        raise Unclear({field: hour_wrong(typed, form)})
    return f"{found[0]:02}:{found[1]:02}"
