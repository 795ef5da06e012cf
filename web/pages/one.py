"""One thing that people decide about: its page, the part of it that is kept up to date, and what is done with it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from controller.errors import LoaError, NotFoundError
from web.forms import Form, read_form
from web.pages.frame import whole_page
from web.problems import problem_text
from web.site import Site, Visit


@dataclass(frozen=True)
class One:
    """How things of one kind are shown and acted upon."""

    root: str
    """First part of the addresses."""
    template: str
    fragment: str
    """The part that is kept up to date."""
    context: Callable[[Visit, str], Awaitable[dict[str, Any]]]
    """What both show of the thing with an id."""
    act: Callable[[Visit, str, Form], Awaitable[Response]]
    """Does what was typed; gives where that leads."""
    again: Callable[[Visit, str, Form], Awaitable[Response | None]]
    """After a refusal: gives where it stands if this very person did this very step before, as who presses twice."""

    async def page(self, visit: Visit, key: str, problem: str = "") -> HTMLResponse:
        """Show it; ``problem``: why what was asked was not done."""
        context, status = await self.context(visit, key), 422 if problem else 200
        return await whole_page(visit, self.template, status=status, problem=problem, **context)


def add_one(router: APIRouter, site: Site, one: One) -> None:
    """Add the three addresses of a kind of things."""

    @router.get(f"/{one.root}/{{key}}")
    async def page(request: Request, key: str) -> HTMLResponse:
        return await one.page(await site.visit(request), key)

    @router.get(f"/{one.root}/{{key}}/live")
    async def live(request: Request, key: str) -> HTMLResponse:
        visit = await site.visit(request)
        return visit.fragment(one.fragment, **await one.context(visit, key))

    @router.post(f"/{one.root}/{{key}}")
    async def act(request: Request, key: str) -> Response:
        visit, typed = await site.visit(request), await read_form(request)
        visit.prove(typed)
        try:
            return await one.act(visit, key, typed)
        except NotFoundError:
            raise
        except LoaError as error:
            if stands := await one.again(visit, key, typed):
                return stands
            return await one.page(visit, key, problem_text(error, visit.form))
