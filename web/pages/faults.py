"""Saying that one looks after a fault; it is seen on the page of its node."""

from fastapi import APIRouter, Request, Response

from controller.errors import ConflictError
from web.forms import read_form
from web.pages.frame import back
from web.site import Site


def add(router: APIRouter, site: Site) -> None:
    """Add the one act."""

    @router.post("/faults/{fault_id}/acknowledgement")
    async def acknowledge(request: Request, fault_id: str) -> Response:
        visit = await site.visit(request)
        note = (await read_form(request)).one("note").strip()
        fault = await visit.services.faults.get(visit.actor, fault_id)
        try:
            await visit.services.faults.acknowledge(visit.actor, fault_id, note=note)
        except ConflictError:  # somebody did already, or it is over: the page says so
            return back(f"/nodes/{fault.node_id}")
        return back(f"/nodes/{fault.node_id}", "acknowledged")
