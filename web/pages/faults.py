"""Saying that one looks after a fault; it is seen on the page of its node, and in the list of all."""

from fastapi import APIRouter, Request, Response

from controller.errors import ConflictError
from web.forms import Form, read_form
from web.pages.frame import back
from web.site import Site


def _whence(typed: Form, node_id: str) -> str:
    """Give the page on which it was pressed: the list as it was asked for, or the node."""
    return typed.one("next") if typed.one("next").partition("?")[0] == "/faults" else f"/nodes/{node_id}"


def add(router: APIRouter, site: Site) -> None:
    """Add the one act."""

    @router.post("/faults/{fault_id}/acknowledgement")
    async def acknowledge(request: Request, fault_id: str) -> Response:
        visit = await site.visit(request)
        typed = await read_form(request)
        note = typed.one("note").strip()
        fault = await visit.services.faults.get(visit.actor, fault_id)
        try:
            await visit.services.faults.acknowledge(visit.actor, fault_id, note=note)
        except ConflictError:  # somebody did already, or it is over: the page says so
            return back(_whence(typed, fault.node_id))
        return back(_whence(typed, fault.node_id), "acknowledged")
