"""One-off acts of nodes over HTTP."""

from fastapi import APIRouter

from controller.errors import BusyError, ForbiddenError, NotFoundError
from controller.http.description import may_raise
from controller.http.session import Acting, AnyServices

from .acts import NodeAwayError, NodeSoundsError, NodeUnableError
from .schemas import AskedOut, ReferenceIn

router = APIRouter(prefix="/nodes", tags=["nodes"])
_RAISES = may_raise(ForbiddenError, NotFoundError, NodeAwayError, NodeUnableError, BusyError)


@router.post("/{node_id}/self-test", status_code=202, summary="Let a node play a short tone", responses=_RAISES)
async def self_test(node_id: str, actor: Acting, services: AnyServices) -> AskedOut:
    """Ask; what it heard stands in ``self_test`` of the node, with this id. It refuses in quiet hours."""
    return await services.node_acts.self_test(actor, node_id)


@router.post("/{node_id}/identify", status_code=202, summary="Let a node say its number aloud", responses=_RAISES)
async def identify(node_id: str, actor: Acting, services: AnyServices) -> AskedOut:
    """Ask; it says ``call_number`` twice, quietly, and what became of it stands in ``identified`` of the node."""
    return await services.node_acts.identify(actor, node_id)


@router.post(
    "/{node_id}/restart",
    status_code=202,
    summary="Let a node's program start anew",
    responses=may_raise(ForbiddenError, NotFoundError, NodeAwayError, NodeUnableError, NodeSoundsError, BusyError),
)
async def restart(node_id: str, actor: Acting, services: AnyServices) -> AskedOut:
    """Ask; it says goodbye and comes back within a minute. What it plays is cut, but for an emergency."""
    return await services.node_acts.restart(actor, node_id)


@router.post(
    "/{node_id}/reference", status_code=202, summary="Take a node's acoustic reference anew", responses=_RAISES
)
async def reference(node_id: str, wanted: ReferenceIn, actor: Acting, services: AnyServices) -> AskedOut:
    """After installing or moving a horn: the next session with the tune is what later ones are compared with."""
    return await services.node_acts.reference(actor, node_id, wanted.recording_id)
