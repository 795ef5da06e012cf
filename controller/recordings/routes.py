"""Recordings over HTTP. The body of an upload is the file itself."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from controller.errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    NoSpaceError,
    TooLargeError,
    TooManyAttemptsError,
    UploadQuotaError,
)
from controller.http.body import FILE, declared, streamed
from controller.http.description import ENDS_ONCE, NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices

from .schemas import CutIn, RecordingOut, UseOut, WaveformOut
from .uploads import TooSlowError

router = APIRouter(prefix="/recordings", tags=["recordings"])

UPLOAD_ERRORS = may_raise(
    ForbiddenError, TooLargeError, TooSlowError, TooManyAttemptsError, UploadQuotaError, NoSpaceError
)
CUT_ERRORS = NOT_FOUND | may_raise(
    ForbiddenError, ConflictError, BusyError, TooLargeError, TooManyAttemptsError, UploadQuotaError, NoSpaceError
)


@router.post("", status_code=202, summary="Upload a recording", openapi_extra=FILE, responses=UPLOAD_ERRORS)
async def upload(
    request: Request,
    actor: Acting,
    services: AnyServices,
    *,
    title: Annotated[str, Query(max_length=1000)],
    file_name: Annotated[str, Query(max_length=10_000)] = "",
    language: Annotated[str, Query(max_length=35)] = "vi",
    area_id: Annotated[str | None, Query(max_length=64)] = None,
) -> RecordingOut:
    """Take in the body, whatever its content type says; it is processed afterwards.

    ``area_id`` says whose it is: needed from who works in several areas.
    """
    return await services.recordings.upload(
        actor,
        title=title,
        file_name=file_name,
        language=language,
        area_id=area_id,
        body=streamed(request),
        declared_bytes=declared(request),
    )


@router.get("", summary="Latest recordings", responses=NOT_FOUND)
async def list_recordings(
    actor: Acting,
    services: AnyServices,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: str | None = None,
    q: Annotated[str, Query(max_length=200)] = "",
) -> list[RecordingOut]:
    """Give the newest first; ``before`` is the last id of the page before. ``q`` finds with and without accents."""
    return await services.recordings.list(actor, limit=limit, before=before, query=q)


@router.get("/{recording_id}", summary="One recording", responses=NOT_FOUND)
async def get(recording_id: str, actor: Acting, services: AnyServices) -> RecordingOut:
    """Give one recording and how far its processing is."""
    return await services.recordings.get(actor, recording_id)


@router.get("/{recording_id}/waveform", summary="Level over time", responses=NOT_FOUND)
async def waveform(recording_id: str, actor: Acting, services: AnyServices) -> WaveformOut:
    """Give the peaks of a ready recording."""
    return await services.recordings.waveform(actor, recording_id)


@router.get("/{recording_id}/uses", summary="Where a recording is used", responses=NOT_FOUND)
async def uses(recording_id: str, actor: Acting, services: AnyServices) -> tuple[UseOut, ...]:
    """Give what needs it: bulletins, programmes, ready messages, and recordings cut out of it."""
    return await services.library.uses(actor, recording_id)


@router.post("/{recording_id}/cuts", status_code=202, summary="Cut a recording", responses=CUT_ERRORS)
async def cut(recording_id: str, wanted: CutIn, actor: Acting, services: AnyServices) -> RecordingOut:
    """Make a new recording of pieces of this one, which stays as it is."""
    return await services.cutting.cut(actor, recording_id, wanted)


@router.post("/{recording_id}/withdraw", summary="Withdraw a recording", responses=ENDS_ONCE)
async def withdraw(recording_id: str, actor: Acting, services: AnyServices) -> RecordingOut:
    """Take it back for good."""
    return await services.recordings.withdraw(actor, recording_id)
