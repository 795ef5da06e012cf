"""The HTTP API: routes, middleware and errors put together. Pages are added by ``web``, processes by ``main``."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI
from pydantic.json_schema import models_json_schema

from edge_agent.version import __version__

from . import http_errors
from .alarms.routes import router as alarms
from .approvals.routes import recordings as listening
from .approvals.routes import router as approvals
from .areas.routes import router as areas
from .audit.routes import router as audit
from .broadcasts.routes import router as broadcasts
from .bulletins.routes import router as bulletins
from .emergencies.routes import messages
from .emergencies.routes import router as emergencies
from .enrolments.routes import WIRE_TYPES
from .enrolments.routes import for_nodes as enrolments_of_nodes
from .enrolments.routes import router as enrolments
from .faults.routes import router as faults
from .holds.routes import router as holds
from .http.compressed import Compressed
from .http.description import complete
from .http.middleware import SameOrigin, SecurityHeaders, SmallBodies
from .http.nul import no_nul
from .http.pace import NODES, Pace, Paced, Rates
from .http.routes import ReadyCheck, contact_router, events_router, health_router
from .http.stream import OpenStreams
from .http_errors import ErrorBody
from .media.routes import router as media
from .nodes import log_upload
from .nodes.act_routes import router as node_acts
from .nodes.log_routes import router as node_logs
from .nodes.routes import router as nodes
from .overview.routes import router as overview
from .people.proof import HEADER
from .people.routes import router as people
from .plays.routes import router as plays
from .policies.routes import router as policies
from .programmes.routes import router as programmes
from .recordings.routes import router as recordings
from .recordings.upload_routes import router as uploads
from .recordings.upload_routes import speech
from .renewals.routes import for_nodes as renewals_of_nodes
from .renewals.routes import router as renewals
from .schedules.routes import calendars, days
from .schedules.routes import router as schedules
from .services import Services
from .updates import bodies as bundles
from .updates.routes import rollouts, updates

PREFIX = "/api/v1"
REFERENCE = "#/components/schemas/{model}"


def create_app(
    services: Services,
    *,
    ready_checks: Mapping[str, ReadyCheck] | None = None,
    ready_notes: Mapping[str, ReadyCheck] | None = None,
) -> FastAPI:
    """Make the application for people: the whole API. ``/readyz`` asks the checks besides, and tells the notes."""
    app = _bare(services, ready_checks)
    app.add_middleware(Compressed)
    app.state.ready_notes = dict(ready_notes or {})
    api = APIRouter(prefix=PREFIX, dependencies=[Depends(no_nul)])
    for router in (
        people,
        areas,
        overview,
        nodes,
        node_acts,
        node_logs,
        speech,
        recordings,
        uploads,
        bulletins,
        programmes,
        schedules,
        calendars,
        days,
        plays,
        policies,
        approvals,
        listening,
        broadcasts,
        holds,
        messages,
        emergencies,
        enrolments,
        enrolments_of_nodes,
        renewals,
        renewals_of_nodes,
        faults,
        updates,
        rollouts,
        alarms,
        audit,
    ):
        api.include_router(router)
    api.include_router(events_router)
    app.include_router(api)
    app.include_router(media)
    app.include_router(health_router)
    app.include_router(contact_router)
    return app


def create_node_app(services: Services) -> FastAPI:
    """Make the application for nodes: bodies by hash, bundles by certificate, and enrolment; nothing else."""
    app = _bare(services, None, NODES)
    app.include_router(enrolments_of_nodes, prefix=PREFIX)
    app.include_router(renewals_of_nodes, prefix=PREFIX)
    app.include_router(log_upload.router, prefix=PREFIX)
    app.include_router(media)
    app.include_router(bundles.router)
    app.include_router(health_router)
    return app


def _bare(services: Services, ready_checks: Mapping[str, ReadyCheck] | None, rates: Rates = Rates()) -> FastAPI:  # noqa: B008 - frozen
    app = _App(
        title="Loa",
        version=__version__,
        description=(
            "Runs the public loudspeakers of communes over the Internet. Where the signer stands apart, an act that is "
            f"somebody's yes brings the code of their approval entry in the header `{HEADER}`; see `approval_code`."
        ),
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # the framework's pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat whatever the Host header says
    )
    app.state.services = services
    app.state.ready_checks, app.state.ready_notes = dict(ready_checks or {}), {}
    app.state.streams = OpenStreams()  # whoever stops the server closes them first
    app.state.pace, app.state.in_words = Pace(rates), None  # the pages say it in words
    http_errors.install(app)
    for middleware in (SmallBodies, SameOrigin, Paced, SecurityHeaders):  # the last one added is the outermost
        app.add_middleware(middleware)
    return app


class _App(FastAPI):
    """Describes the bodies that are the wire protocol's too."""

    def openapi(self) -> dict[str, Any]:
        """Give the description of the API."""
        if self.openapi_schema is None:
            found = super().openapi()
            _, components = msgspec.json.schema_components(
                WIRE_TYPES, ref_template=REFERENCE.replace("{model}", "{name}")
            )
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas.update({name: each for name, each in components.items() if name not in schemas})
            schemas.update(models_json_schema([(ErrorBody, "serialization")], ref_template=REFERENCE)[1]["$defs"])
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            complete(found)
        return self.openapi_schema or {}
