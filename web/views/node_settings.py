"""What can be chosen for a node: gains in words, what is not usual in dB. Pure."""

from collections.abc import Sequence

from web.formats import Formats

VOLUMES = (0, -300, -600, -1200, -2000)
"""Hundredths of dB."""
TRIMS = (600, 300, 0, -300, -600)


def gains(usual: Sequence[int], now: int, form: Formats, name: str) -> list[tuple[str, str]]:
    """Give what can be chosen, the loudest first, and what is set now among it."""
    found = sorted({*usual, now}, reverse=True)
    return [(str(each), _word(each, usual, form, name) or _db(each)) for each in found]


def gain_said(each: int, usual: Sequence[int], form: Formats, name: str) -> str:
    """Say how it is set, with its dB for who mends it."""
    word = _word(each, usual, form, name)
    return f"{word} ({_db(each)})" if word else _db(each)


def _word(each: int, usual: Sequence[int], form: Formats, name: str) -> str:
    return form.text(f"gain.{name}_{usual.index(each)}") if each in usual else ""


def _db(each: int) -> str:
    return f"{each / 100:+g} dB".replace("-", "−") if each else "0 dB"


def gain_of(typed: str, now: int) -> int:
    """Read a choice; what is none leaves it as it is."""
    sign, digits = (-1, typed[1:]) if typed.startswith("-") else (1, typed)
    return sign * int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 4 else now


def written(degrees: float) -> str:
    """Write degrees: six places are a hand's breadth."""
    return f"{degrees:.6f}".rstrip("0").rstrip(".")
