"""A password of one's own, in place of one that somebody else chose."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from controller.errors import InvalidError, TooManyAttemptsError
from controller.http.session import identify
from controller.http.tokens import origin_of
from web.forms import Form, own_path, read_form
from web.pages.factor import page_of, said
from web.site import Site

FIELDS = ("old", "new", "again")


def add(router: APIRouter, site: Site) -> None:
    """Add the page."""

    @router.get("/sign-in/password")
    async def ask(request: Request) -> Response:
        who = await identify(request, site.services)
        after = own_path(request.query_params.get("next", ""))
        return page_of(site, request, who, "own_password.html", problems={}, next=after)

    @router.post("/sign-in/password")
    async def change(request: Request) -> Response:
        who, typed = await identify(request, site.services), await read_form(request)
        after = own_path(typed.one("next"))
        try:
            new = typed_twice(typed)
            await site.services.accounts.change_password(who, old=typed.one("old"), new=new, origin=origin_of(request))
        except (InvalidError, TooManyAttemptsError) as error:
            field = error.fields.get("field", "")
            problems = {field if field in FIELDS else "form": said(site, request, who, error)}
            return page_of(site, request, who, "own_password.html", status=422, problems=problems, next=after)
        return RedirectResponse(after, 303)


def typed_twice(typed: Form) -> str:
    """Give the new password.

    Raises:
        InvalidError: it was typed differently the second time.
    """
    if typed.one("new") != typed.one("again"):
        raise InvalidError("again: the two differ", field="again", problem="passwords_differ")
    return typed.one("new")
