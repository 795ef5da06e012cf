"""Sign-in and the person who asks."""

from fastapi import APIRouter, Request, Response

from controller.errors import NotSignedInError, TooManyAttemptsError
from controller.http.description import may_raise
from controller.http.session import (
    Acting,
    AnyServices,
    SessionToken,
    SignedInPerson,
    clear_cookie,
    origin_of,
    set_cookie,
)

from .schemas import LocaleIn, PersonOut, SignedIn, SignIn

router = APIRouter(tags=["people"])


@router.post(
    "/sessions", status_code=201, summary="Sign in", responses=may_raise(NotSignedInError, TooManyAttemptsError)
)
async def sign_in(wanted: SignIn, request: Request, response: Response, services: AnyServices) -> SignedIn:
    """Open a session; its token comes in the body and as a cookie."""
    opened = await services.people.sign_in(login=wanted.login, password=wanted.password, origin=origin_of(request))
    set_cookie(response, opened.token, opened.expires_at)
    return opened


@router.delete("/sessions", status_code=204, summary="Sign out")
async def sign_out(token: SessionToken, response: Response, services: AnyServices) -> None:
    """End the session that the request brings."""
    await services.people.sign_out(token)
    clear_cookie(response)


@router.get("/people/me", summary="Who is signed in")
async def me(person: SignedInPerson) -> PersonOut:
    """Give the person who asks."""
    return person


@router.patch("/people/me", summary="Choose the language of the pages")
async def set_locale(wanted: LocaleIn, actor: Acting, services: AnyServices) -> PersonOut:
    """Change one's own settings."""
    return await services.people.set_locale(actor, wanted.locale)
