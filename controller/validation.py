"""Pydantic's complaints as errors of ours: where and what, never what was sent."""

from collections.abc import Sequence
from typing import Any

from pydantic import BeforeValidator

from .errors import InvalidError


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number, not true or false")  # noqa: TRY004  pydantic takes it as a complaint
    return value


NO_BOOL = BeforeValidator(_no_bool)
"""For each number that comes from outside: pydantic takes true for 1. Last in ``Annotated``, so limits stay shown."""


def problem_of(complaints: Sequence[Any]) -> InvalidError:
    """Turn the first of ``ValidationError.errors()`` into an error with ``field`` and ``problem``."""
    first = complaints[0]
    # Only names from the schema and pydantic's own words: what was sent is not sent back.
    names = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
    field = ".".join(str(name) for name in names if name != "body")[:100]
    limits = {"most": first["ctx"]["max_length"]} if "max_length" in first.get("ctx", {}) else {}
    return InvalidError(f"{field or 'body'}: {first['msg']}"[:300], field=field, problem=first["type"], **limits)
