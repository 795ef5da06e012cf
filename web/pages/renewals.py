"""Two answers about a node's identity: that it is still the one on the pole, and that it is so no more."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from controller.errors import LoaError
from web.forms import read_form
from web.pages.nodes import node_page
from web.problems import problems_of
from web.site import Site


def add(router: APIRouter, site: Site) -> None:
    """Add the two forms."""

    @router.post("/renewals/{renewal_id}/answer")
    async def answer(request: Request, renewal_id: str) -> Response:
        visit = await site.visit(request)
        confirmed = (await read_form(request)).one("confirmed") == "yes"
        try:
            await visit.services.renewals.answer(visit.actor, renewal_id, confirmed=confirmed)
        except LoaError:  # somebody was faster, or it is too late: the list says how it stands
            return RedirectResponse("/nodes", 303)
        return RedirectResponse("/nodes?done=renewal", 303)

    @router.post("/nodes/{node_id}/revoke")
    async def revoke(request: Request, node_id: str) -> Response:
        visit = await site.visit(request)
        reason = (await read_form(request)).one("reason")
        try:
            await visit.services.revocations.revoke(visit.actor, node_id, reason)
        except LoaError as error:
            return await node_page(visit, node_id, problems_of(error, visit.form, frozenset())["form"])
        return RedirectResponse("/nodes?done=revoked", 303)
