"""Field types of the wire, and the base class that makes nonsense impossible to build."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta

from .errors import MalformedError

Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
"""Name of an area, node, broadcast, hold…: 1–64 of ``a-z 0-9 -``. Made by the centre, never by a person."""

Scope = Annotated[str, Meta(pattern=r"^(areas|nodes)/[a-z0-9][a-z0-9-]{0,63}\Z")]
"""Whom a document is for: ``areas/{area}`` or ``nodes/{node}``, as in its topic."""

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""Lower-case hexadecimal SHA-256."""

Millis = Annotated[int, Meta(ge=0, le=86_400_000)]
"""A duration in milliseconds, at most a day."""

Millibel = Annotated[int, Meta(ge=-6000, le=1200)]
"""A gain in hundredths of a decibel, −60 dB to +12 dB."""

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""A counter that fits a JSON number everywhere."""

Positive = Annotated[int, Meta(ge=1, le=2**53 - 1)]
"""Epochs and versions start at 1."""

Instant = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 in UTC."""

NumericDate = Annotated[int, Meta(ge=0, le=253_402_300_799)]
"""Seconds since 1970 (RFC 7519), at most the year 9999."""

KeyId = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
"""Name of a key: the first 16 hexadecimal digits of the SHA-256 of its raw public bytes."""

Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*\Z", max_length=35)]
"""BCP 47 tag: ``vi``, ``hmn``, ``tyz``."""

TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
"""Wall-clock ``HH:MM``."""

Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z")]
"""A stable machine word."""

Text = Annotated[str, Meta(max_length=500)]
"""Free words for a person. Never trusted, always escaped."""


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises for hostile JSON: bad UTF-8 and deep nesting are not among its own errors."""

_WireT = TypeVar("_WireT", bound=msgspec.Struct)
_UTC = timedelta(0)


class _Rules(NamedTuple):
    """What the fields of one wire type must be."""

    types: dict[str, Any]
    mirror: type[msgspec.Struct]
    """The same fields without ``__post_init__``: all are checked in one step."""
    instants: tuple[str, ...]
    """Fields that may hold a datetime."""


@cache
def _rules(cls: type[msgspec.Struct]) -> _Rules:
    hints = get_type_hints(cls, include_extras=True)
    types = {name: hints[name] for name in cls.__struct_fields__}
    instants = tuple(name for name, kind in types.items() if kind is Instant or Instant in get_args(kind))
    return _Rules(types, msgspec.defstruct(f"{cls.__name__}Mirror", [*types.items()]), instants)


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all wire types. Unknown fields of a newer peer are ignored.

    msgspec checks ranges when it decodes; we check them when built in Python too, so that no end can send what the
    other must drop.

    Raises:
        ValueError: a field is out of its range; the message names type and field.
    """

    def __post_init__(self) -> None:
        """Check every field against its annotation."""
        rules = _rules(type(self))
        try:
            msgspec.convert(msgspec.structs.asdict(self), rules.mirror)
        except msgspec.ValidationError:
            self._name_what_is_wrong(rules.types)
            raise
        for name in rules.instants:
            value = getattr(self, name)
            if value is not None and value.utcoffset() != _UTC:
                raise ValueError(f"{type(self).__name__}.{name}: must be UTC, not {value.isoformat()}")

    def _name_what_is_wrong(self, types: dict[str, Any]) -> None:
        for name, kind in types.items():
            try:
                msgspec.convert(getattr(self, name), kind)
            except msgspec.ValidationError as error:
                raise ValueError(f"{type(self).__name__}.{name}: {error}") from None


def decode(raw: bytes, kind: type[_WireT]) -> _WireT:
    """Read JSON from outside. For unions, which have no class, use msgspec and catch what ``UNREADABLE`` names.

    Raises:
        MalformedError: not JSON, or not the shape or range of ``kind``.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE as error:
        raise MalformedError(f"{kind.__name__}: {error}") from None


def utc(seconds: float) -> datetime:
    """Turn a NumericDate into an aware UTC instant."""
    return datetime.fromtimestamp(seconds, UTC)
