"""Words of a bulletin's versions: none is made from a code."""

from collections.abc import Iterable

FAMILIES: dict[str, Iterable[str]] = {}
