"""Words of the first steps and of help, whose keys are codes."""

from collections.abc import Iterable

FAMILIES: dict[str, Iterable[str]] = {}
