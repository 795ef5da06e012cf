"""Pydantic's complaints as errors of ours: where and what, never what was sent. Wrong fields are told together."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import BeforeValidator

from .errors import InvalidError


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number, not true or false")  # noqa: TRY004  pydantic takes it as a complaint
    return value


CLEANED = frozenset({"file_name"})
"""What somebody's machine called a file: nobody typed it (``names.clean_file_name``)."""
MOST_TOLD = 20
"""Wrong fields: more of them are no form that a person filled in."""
NO_BOOL = BeforeValidator(_no_bool)
"""For each number that comes from outside: pydantic takes true for 1. Last in ``Annotated``, so limits stay shown."""


def refuse_nul(texts: Iterable[tuple[str, str]]) -> None:
    """Let texts pass, each with the name of its field, that a database keeps as they are, and those that are cleaned.

    Raises:
        InvalidError: one has the character NUL in it.
    """
    for field, text in texts:
        if "\0" in text and field not in CLEANED:
            raise has_nul(field.replace("\0", "")[:100] or "body")


def has_nul(field: str = "body") -> InvalidError:
    """Say that a text has the character NUL in it."""
    return InvalidError(f"{field}: has the character NUL in it; leave it out", field=field, problem="nul")


class Wrong:
    """Gathers what is wrong with single fields."""

    def __init__(self) -> None:
        self._found: list[InvalidError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Go on after a wrong field, to look at the next ones."""
        try:
            yield
        except InvalidError as error:
            self._found.append(error)

    def tell(self) -> None:
        """Say what was found.

        Raises:
            InvalidError: the first, which names the others.
        """
        if self._found:
            first, *others = self._found
            first.others = tuple(others)
            raise first


def problem_of(complaints: Sequence[Any]) -> InvalidError:
    """Turn ``ValidationError.errors()`` into one with ``field`` and ``problem``: the first, which names the others."""
    first, *others = (_problem_of(each) for each in complaints[:MOST_TOLD])
    first.others = tuple(others)
    return first


def _problem_of(first: Any) -> InvalidError:
    # Only names from the schema and pydantic's own words: what was sent is not sent back.
    names = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
    field = ".".join(str(name) for name in names if name != "body")[:100]
    limits = {"most": first["ctx"]["max_length"]} if "max_length" in first.get("ctx", {}) else {}
    return InvalidError(f"{field or 'body'}: {first['msg']}"[:300], field=field, problem=first["type"], **limits)
