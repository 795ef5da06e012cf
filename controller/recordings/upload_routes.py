"""Uploads in pieces over HTTP: tus 1.0 with creation, a length that comes later, and giving up; speech from text."""

import base64
import binascii
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import ValidationError

from controller.errors import (
    BusyError,
    ForbiddenError,
    InvalidError,
    NoSpaceError,
    TooLargeError,
    TooManyAttemptsError,
    UploadQuotaError,
)
from controller.http.body import FILE, streamed
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.validation import problem_of, refuse_nul

from .resumable import OffsetError
from .schemas import ReadingIn, ReadingOut, RecordingOut, SpeechIn, UploadIn, UploadOut
from .uploads import TooSlowError

router = APIRouter(prefix="/uploads", tags=["recordings"])
speech = APIRouter(prefix="/recordings", tags=["recordings"])

VERSION = "1.0.0"
"""Of tus."""
RECORDING = "Loa-Recording"
"""Header that names what became of an upload."""
MOST_METADATA = 20_000
KNOWN = frozenset({"title", "file_name", "language", "origin"})
"""What ``Upload-Metadata`` may say; clients put other things there as well."""
BEGIN_ERRORS = may_raise(ForbiddenError, TooLargeError, NoSpaceError, TooManyAttemptsError, UploadQuotaError)
PIECE_ERRORS = BEGIN_ERRORS | NOT_FOUND | may_raise(OffsetError, TooSlowError)
SPEECH_ERRORS = may_raise(
    ForbiddenError, BusyError, TooLargeError, TooSlowError, NoSpaceError, TooManyAttemptsError, UploadQuotaError
)

Length = Annotated[int | None, Header(ge=0, le=2**53)]


@router.post("", status_code=201, summary="Announce an upload", responses=BEGIN_ERRORS)
async def begin(
    response: Response,
    actor: Acting,
    services: AnyServices,
    *,
    upload_length: Length = None,
    upload_defer_length: Annotated[Literal["1"] | None, Header()] = None,
    upload_metadata: Annotated[str, Header(max_length=MOST_METADATA)] = "",
    area_id: Annotated[str | None, Query(max_length=64)] = None,
) -> UploadOut:
    """Begin a file that comes in pieces of at most 1 MiB.

    ``Upload-Metadata`` holds ``title``, and may hold ``file_name``, ``language`` and ``origin`` (``uploaded``,
    ``recorded``), each in base64. ``area_id`` says whose it is: needed from who works in several areas.
    ``Upload-Defer-Length: 1``: how long it is comes with the last piece.
    """
    if (upload_length is None) == (upload_defer_length is None):
        raise InvalidError("Upload-Length or Upload-Defer-Length: give one", field="length", problem="length")
    if upload_length == 0:
        raise InvalidError("the file is empty", field="body", problem="empty")
    try:
        wanted = UploadIn(bytes=upload_length, area_id=area_id, **_metadata(upload_metadata))
    except ValidationError as error:
        raise problem_of(error.errors()) from None
    made = await services.resumables.begin(actor, wanted)
    _tell(response, made)
    response.headers["Location"] = f"/api/v1/uploads/{made.id}"
    return made


@router.head("/{upload_id}", include_in_schema=False)
@router.get("/{upload_id}", summary="How much of an upload is there", responses=NOT_FOUND | may_raise(ForbiddenError))
async def get(upload_id: str, response: Response, actor: Acting, services: AnyServices) -> UploadOut:
    """Say where to go on. HEAD answers with the headers alone."""
    found = await services.resumables.get(actor, upload_id)
    _tell(response, found)
    return found


@router.patch("/{upload_id}", summary="Add a piece of an upload", openapi_extra=FILE, responses=PIECE_ERRORS)
async def append(
    upload_id: str,
    request: Request,
    response: Response,
    actor: Acting,
    services: AnyServices,
    *,
    upload_offset: Annotated[int, Header(ge=0, le=2**53)],
    upload_length: Length = None,
) -> UploadOut:
    """Add the body behind what is there; with the last piece it becomes a recording, which ``Loa-Recording`` names.

    Answers 200 with a body, where tus has 204 without one: its clients take both.
    """
    found = await services.resumables.append(actor, upload_id, upload_offset, streamed(request), total=upload_length)
    _tell(response, found)
    return found


@router.delete(
    "/{upload_id}", status_code=204, summary="Give an upload up", responses=NOT_FOUND | may_raise(ForbiddenError)
)
async def give_up(upload_id: str, actor: Acting, services: AnyServices) -> None:
    """Remove what is there of it."""
    await services.resumables.give_up(actor, upload_id)


@speech.post("/speech", status_code=202, summary="Have a text read aloud", responses=SPEECH_ERRORS)
async def speak(wanted: SpeechIn, actor: Acting, services: AnyServices) -> RecordingOut:
    """Make a recording of origin ``machine``; what is spoken is what ``/recordings/reading`` shows."""
    return await services.speech.speak(actor, wanted)


@speech.post("/reading", summary="See how a text is read", responses=may_raise(ForbiddenError))
async def read(wanted: ReadingIn, actor: Acting, services: AnyServices) -> ReadingOut:
    """Give the words as they are spoken; saves nothing."""
    return await services.speech.read(actor, wanted)


def _tell(response: Response, found: UploadOut) -> None:
    """Put where it stands into the headers that tus knows, and what became of it into one of ours."""
    response.headers.update({"Tus-Resumable": VERSION, "Upload-Offset": str(found.received)})
    response.headers["Cache-Control"] = "no-store"
    if found.bytes is None:
        response.headers["Upload-Defer-Length"] = "1"
    else:
        response.headers["Upload-Length"] = str(found.bytes)
    if found.recording_id is not None:
        response.headers[RECORDING] = found.recording_id


def _metadata(said: str) -> dict[str, Any]:
    """Read pairs of a name and its value in base64."""
    found: dict[str, str] = {}
    for pair in filter(None, (each.strip() for each in said.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise InvalidError(
                f"Upload-Metadata: {name[:40]!r} is not base64", field="body", problem="encoding"
            ) from None
    refuse_nul(found.items())
    return {name: value for name, value in found.items() if name in KNOWN}
