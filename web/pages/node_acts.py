"""What a person asks of one node from its page; the answer comes with its health."""

from collections.abc import Awaitable

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from controller.errors import LoaError, NotFoundError
from web.pages.nodes import node_page
from web.problems import problems_of
from web.site import Site, Visit


async def _asked(visit: Visit, node_id: str, asking: Awaitable[object], said: str = "sounds#told") -> Response:
    """Ask a node, or say why it cannot be asked; ``said``: what its page says then, where the answer comes."""
    try:
        await asking
    except NotFoundError:
        raise
    except LoaError as error:
        return await node_page(visit, node_id, problems_of(error, visit.form, frozenset())["form"])
    return RedirectResponse(f"/nodes/{node_id}?done={said}", 303)


def add(router: APIRouter, site: Site) -> None:
    """Add the buttons."""

    @router.post("/nodes/{node_id}/self-test")
    async def self_test(request: Request, node_id: str) -> Response:
        visit = await site.visit(request)
        return await _asked(visit, node_id, visit.services.node_acts.self_test(visit.actor, node_id))

    @router.post("/nodes/{node_id}/identify")
    async def identify(request: Request, node_id: str) -> Response:
        visit = await site.visit(request)
        return await _asked(visit, node_id, visit.services.node_acts.identify(visit.actor, node_id))

    @router.post("/nodes/{node_id}/send-log")
    async def send_log(request: Request, node_id: str) -> Response:
        visit = await site.visit(request)
        return await _asked(visit, node_id, visit.services.node_logs.ask(visit.actor, node_id), "asked")

    @router.post("/nodes/{node_id}/restart")
    async def restart(request: Request, node_id: str) -> Response:
        visit = await site.visit(request)
        return await _asked(visit, node_id, visit.services.node_acts.restart(visit.actor, node_id), "asked")

    @router.post("/nodes/{node_id}/reference")
    async def reference(request: Request, node_id: str) -> Response:
        visit = await site.visit(request)
        return await _asked(visit, node_id, visit.services.node_acts.reference(visit.actor, node_id, None))
