"""What belongs to no noun: the event stream and the two health answers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from controller.errors import NotFoundError
from controller.services import Services

from .description import NOT_FOUND
from .session import AnyServices, SessionToken, SignedInPerson
from .stream import OpenStreams

ReadyCheck = Callable[[], bool | Awaitable[bool]]
"""Says whether one part of the centre does its work."""

CHECK_WITHIN_S = 2.0
CONTACT_FOR = timedelta(days=90)
"""Said anew with every answer; RFC 9116 asks for less than a year."""

events_router = APIRouter(tags=["events"])
health_router = APIRouter(tags=["health"])
contact_router = APIRouter(tags=["contact"])

_log = logging.getLogger(__name__)


class AliveOut(BaseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class ReadyOut(BaseModel):
    """Whether the centre can do its work, part by part."""

    model_config = ConfigDict(frozen=True)

    ready: bool
    parts: dict[str, bool]
    notes: dict[str, bool]
    """What is worth a look though the centre works: false is not as it should be."""


@events_router.get(
    "/events",
    summary="What changes, as server-sent events",
    response_class=StreamingResponse,
    responses={200: {"description": "Hints to look again", "content": {"text/event-stream": {}}}},
)
async def events(
    request: Request,
    token: SessionToken,
    person: SignedInPerson,
    services: AnyServices,
    broadcast_id: Annotated[str | None, Query(max_length=64)] = None,
) -> StreamingResponse:
    """Tell names of things that changed; ``missed`` means: look at everything. Ends with the session."""
    streams: OpenStreams = request.app.state.streams
    return StreamingResponse(
        streams.stream(services, person_id=person.id, token=token, broadcast_id=broadcast_id),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},  # nginx would hold small events back
    )


@contact_router.get(
    "/.well-known/security.txt",
    summary="Whom to tell of a hole in this installation",
    response_class=PlainTextResponse,
    responses=NOT_FOUND | {200: {"description": "RFC 9116", "content": {"text/plain": {}}}},
)
async def security_txt(services: AnyServices) -> PlainTextResponse:
    """Give the contact that the administrator set; 404 when there is none."""
    config = services.config
    if config.security_contact is None:
        raise NotFoundError("nobody has set security_contact here", resource="pages", id="security.txt")
    until = (services.clock() + CONTACT_FOR).strftime("%Y-%m-%dT00:00:00Z")
    lines = [f"Contact: {config.security_contact}", f"Expires: {until}", "Preferred-Languages: vi, en"]
    if config.pages_url:
        lines.append(f"Canonical: {config.pages_url.rstrip('/')}/.well-known/security.txt")
    return PlainTextResponse("\n".join(lines) + "\n")


@health_router.get("/healthz", summary="Is the process alive?")
async def healthz() -> AliveOut:
    """Answer without touching anything: a supervisor restarts what does not answer."""
    return AliveOut()


@health_router.get("/readyz", summary="Can the centre do its work?", responses={503: {"model": ReadyOut}})
async def readyz(request: Request, response: Response, services: AnyServices) -> ReadyOut:
    """Check the database and the parts that the process runs; 503 when one of them does not work."""
    checks: Mapping[str, ReadyCheck] = request.app.state.ready_checks
    parts = {"database": await _database_answers(services)}
    for name, check in checks.items():
        parts[name] = await _passes(check)
    ready = all(parts.values())
    response.status_code = 200 if ready else 503
    noted: Mapping[str, ReadyCheck] = request.app.state.ready_notes
    notes = {name: await _passes(check) for name, check in noted.items()}
    return ReadyOut(ready=ready, parts=parts, notes=notes)


async def _passes(check: ReadyCheck) -> bool:
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            found = check()
            return found if isinstance(found, bool) else await found
    except TimeoutError:
        return False


async def _database_answers(services: Services) -> bool:
    async def ask() -> bool:
        async with services.database.reading() as session:
            return bool(await session.scalar(text("SELECT 1")))

    try:
        return await _passes(ask)
    except SQLAlchemyError:
        _log.exception("the database does not answer")
        return False
