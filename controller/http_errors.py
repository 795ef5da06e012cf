"""Errors → HTTP, once: ``{"error": {"code", "message", "fields"}}`` and a status per class."""

import logging
from typing import Any, cast
from zoneinfo import ZoneInfoNotFoundError

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from starlette.exceptions import HTTPException

from .errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    LoaError,
    NoSpaceError,
    NotFoundError,
    NotSignedInError,
    TooLargeError,
    TooManyAttemptsError,
)
from .http.in_words import told_as
from .names import ZoneGoneError
from .recordings.uploads import TooSlowError
from .validation import has_nul, problem_of

STATUS: dict[type[LoaError], int] = {
    InvalidError: 422,
    NotSignedInError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    TooSlowError: 408,
    ConflictError: 409,
    GoneError: 410,
    TooLargeError: 413,
    TooManyAttemptsError: 429,
    BusyError: 503,
    ZoneGoneError: 503,
    NoSpaceError: 507,
}
"""Class → status; a child has its parent's."""

CODES = {
    400: "malformed",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_media_type",
}
"""Codes of what the framework itself refuses."""

BUSY_RETRY_S = 2


class UnforeseenError(LoaError):
    """Nobody foresaw it: what broke is in the log."""

    code = "internal"


_log = logging.getLogger(__name__)


class ErrorOut(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(frozen=True)

    code: str
    """Stable; pages translate it."""
    message: str
    """For whoever calls the API, in English."""
    fields: dict[str, Any] = {}
    """Values that a translated message needs; ``field`` and ``problem`` say where and what."""


class ErrorBody(BaseModel):
    """Body of every error."""

    model_config = ConfigDict(frozen=True)

    error: ErrorOut


def status_of(error: type[LoaError]) -> int:
    """Give the status of a class of errors, its own or its nearest parent's."""
    return next((STATUS[parent] for parent in error.__mro__ if issubclass(parent, LoaError) and parent in STATUS), 500)


def install(app: FastAPI) -> None:
    """Answer every error in the one shape."""
    app.add_exception_handler(LoaError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(IntegrityError, _somebody_was_faster)
    app.add_exception_handler(OperationalError, _database_busy)
    app.add_exception_handler(DataError, _no_text)
    app.add_exception_handler(ZoneInfoNotFoundError, _zone_gone)
    app.add_exception_handler(Exception, _unforeseen)


def respond(
    status: int, code: str, message: str, fields: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Write an error."""
    body = ErrorBody(error=ErrorOut(code=code, message=message, fields=fields or {}))
    return JSONResponse(body.model_dump(mode="json"), status, headers=headers)


def refusal(error: LoaError) -> JSONResponse:
    """Write an error of ours."""
    headers = {}
    if isinstance(error, TooManyAttemptsError):
        headers["Retry-After"] = str(error.fields.get("retry_after_s", BUSY_RETRY_S))
    elif isinstance(error, BusyError):
        headers["Retry-After"] = str(BUSY_RETRY_S)
    elif isinstance(error, NotSignedInError):
        headers["WWW-Authenticate"] = "Bearer"
    return respond(status_of(type(error)), error.code, error.message, error.fields, headers)


def _ours(_request: Request, raised: Exception) -> JSONResponse:
    return refusal(cast("LoaError", raised))


def _validation(request: Request, raised: Exception) -> JSONResponse:
    complaints = cast("RequestValidationError", raised).errors()
    if complaints[0]["type"] == "json_invalid":
        return respond(400, CODES[400], "the body is not JSON")
    return _ours(request, problem_of(complaints))


def _framework(request: Request, raised: Exception) -> Response:
    error = cast("HTTPException", raised)
    code = CODES.get(error.status_code, "http")
    plain = respond(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))
    return told_as(request, NotFoundError("there is no such page"), plain) if error.status_code == 404 else plain


def _somebody_was_faster(request: Request, _raised: Exception) -> Response:
    error = ConflictError("somebody changed this at the same moment; look again")
    return told_as(request, error, refusal(error))


def _database_busy(request: Request, raised: Exception) -> Response:
    _log.error("database: %s", raised)
    error = BusyError("the database is busy; nothing was changed")
    return told_as(request, error, refusal(error))


def _no_text(request: Request, raised: Exception) -> JSONResponse:
    """Answer what PostgreSQL takes for no text: nothing has such a name, and nothing is called so."""
    if "NUL (0x00)" not in str(cast("DataError", raised).orig):
        raise raised
    if "\0" in request.scope["path"]:
        return refusal(NotFoundError("there is nothing of that name"))
    return refusal(has_nul())


def _zone_gone(_request: Request, raised: Exception) -> JSONResponse:
    error = ZoneGoneError.of(cast("ZoneInfoNotFoundError", raised))
    _log.error("%s", error.message)
    return refusal(error)


def _unforeseen(request: Request, _raised: Exception) -> Response:
    error = UnforeseenError("something went wrong at the centre; it is in the log")
    return told_as(request, error, respond(500, error.code, error.message))
