"""Words of a calendar that is taken in, whose keys are codes."""

from collections.abc import Iterable

FAMILIES: dict[str, Iterable[str]] = {}
