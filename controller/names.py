"""Names that people type: titles by one cleaning rule for all of them, and those of time zones."""

import re
import unicodedata
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import InvalidError, LoaError

MAX_NAME = 200

_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of control, bidirectional, zero-width, private and unassigned characters and line separators."""

_ALPHABET = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
"""Vietnamese, with the letters of other languages at their usual places."""

_TONES = "\u0300\u0301\u0303\u0309\u0323"

_DIGITS = re.compile(r"(\d+)")

SORTED_AGAIN = 16_384
"""Names whose place is remembered: every tree of areas sorts the same ones."""


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


@lru_cache(maxsize=SORTED_AGAIN)
def in_reading_order(name: str) -> tuple[tuple[tuple[int, int, tuple[int, ...]], ...], str]:
    """Sort key in the order of the Vietnamese alphabet, in which "Thôn 2" comes before "Thôn 10"."""
    lower = unicodedata.normalize("NFC", name.casefold())
    parts = tuple(
        (0, int(part[:18]), ()) if part.isdecimal() else (1, 0, tuple(_rank(letter) for letter in part))
        for part in _DIGITS.split(lower)
        if part
    )
    return parts, lower  # tones decide last


@lru_cache(maxsize=1024)
def _rank(letter: str) -> int:
    without_tone = "".join(mark for mark in unicodedata.normalize("NFD", letter) if mark not in _TONES)
    plain = unicodedata.normalize("NFC", without_tone)
    place = _ALPHABET.find(plain)
    return 0x100 + place if place >= 0 else ord(plain[0]) if ord(plain[0]) < 0x80 else 0x200 + ord(plain[0])


def known_zone(zone: str | None) -> str | None:
    """Let the name of a time zone pass, or none.

    Raises:
        InvalidError: this machine knows no zone of that name.
    """
    if zone is not None and not is_zone(zone):
        raise InvalidError("zone: not an IANA time zone", field="zone", problem="unknown")
    return zone


def is_zone(zone: str) -> bool:
    """Say whether this machine knows a time zone of that name."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


class ZoneGoneError(LoaError):
    """What was asked for keeps time by a zone that the centre's machine knows no more. ``zone`` says which."""

    code = "zone_gone"

    @classmethod
    def of(cls, raised: ZoneInfoNotFoundError) -> "ZoneGoneError":
        """Say it of what the library raised."""
        zone = str(raised).strip("'\"").rpartition(" ")[2]
        return cls(
            f"the centre's machine knows no time zone {zone!r} any more; install its tables (tzdata), "
            "or give the place or schedule another zone",
            zone=zone,
        )


def on_a_terminal(text: str) -> str:
    """Give a text that a terminal shows and does not obey: rows, nodes and files may say anything. Never empty."""
    return "".join(letter if letter.isprintable() else "?" for letter in text) or "-"
