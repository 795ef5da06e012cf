"""Names and titles that people type: one cleaning rule for all of them."""

import re
import unicodedata

from .errors import InvalidError

MAX_NAME = 200

_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of control, bidirectional, zero-width, private and unassigned characters and line separators."""

_DIGITS = re.compile(r"(\d+)")


def clean_name(text: str, *, field: str = "name", most: int = MAX_NAME) -> str:
    """Trim, join runs of spaces, compose (NFC).

    Raises:
        InvalidError: nothing left, too long, or characters that hide or reorder what is read.
    """
    # str.split() would also take control characters such as U+001F for spaces: those are refused instead.
    plain = " ".join(part for part in re.split(r"[ \u00a0]+", unicodedata.normalize("NFC", text)) if part)
    if not plain:
        raise InvalidError(f"{field}: must not be empty", field=field, problem="empty")
    if len(plain) > most:
        raise InvalidError(f"{field}: at most {most} characters", field=field, problem="too_long", most=most)
    if hidden := next((letter for letter in plain if unicodedata.category(letter) in _FORBIDDEN), None):
        raise InvalidError(
            f"{field}: contains the control character U+{ord(hidden):04X}; type it again",
            field=field,
            problem="control_characters",
        )
    return plain


def clean_file_name(text: str) -> str:
    """Make what a person's machine called a file safe to show: no folders, no hidden characters, at most 255 bytes."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    shown = "".join(letter for letter in last if unicodedata.category(letter) not in _FORBIDDEN)
    short = shown.strip(" .-").encode()[:255].decode(errors="ignore")
    return short or "audio"


def in_reading_order(name: str) -> list[tuple[int, int, str]]:
    """Sort key in which "Thôn 2" comes before "Thôn 10" and marks come after plain letters."""
    parts = _DIGITS.split(unicodedata.normalize("NFD", name.casefold()))
    return [(1, int(part[:18]), "") if part.isdecimal() else (0, 0, part) for part in parts if part]
