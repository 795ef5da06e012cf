"""Who asks: a bearer token or the session cookie → a person, and the actor for the services."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from controller.errors import NotSignedInError
from controller.people.actor import Actor
from controller.people.schemas import PersonOut
from controller.services import Services

from .middleware import COOKIE


def services_of(request: Request) -> Services:
    """Give the services, which ``create_app`` keeps on the application."""
    found: Services = request.app.state.services
    return found


AnyServices = Annotated[Services, Depends(services_of)]


def token_of(request: Request) -> str | None:
    """Give the token that the request brings; the header counts before the cookie."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    return request.cookies.get(COOKIE)


def origin_of(request: Request) -> str:
    """Give the address of whoever asks. Behind a proxy, uvicorn was told to trust its headers."""
    return request.client.host[:64] if request.client else "unknown"


async def signed_in(request: Request, services: AnyServices) -> PersonOut:
    """Give the person who asks.

    Raises:
        NotSignedInError: nobody is signed in.
    """
    token = token_of(request)
    if token is None or len(token) > 200:
        raise NotSignedInError("sign in first")
    return await services.people.whoami(token)


_BEARER = HTTPBearer(
    auto_error=False, scheme_name="bearer", description="The token that signing in gives, for programs"
)
_COOKIE = APIKeyCookie(
    auto_error=False, name=COOKIE, scheme_name="session", description="The cookie that signing in sets, for browsers"
)
MAY_SIGN_IN: dict[str, Any] = {"security": [{}, {_BEARER.scheme_name: []}, {_COOKIE.scheme_name: []}]}
"""For the description of a route that shows more to whoever is signed in."""


async def _in_one_of_two_ways(
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    _cookie: Annotated[str | None, Security(_COOKIE)],
) -> None:
    """Tell the framework, for the description, what ``token_of`` reads."""


async def _needed_token(request: Request, _ways: Annotated[None, Depends(_in_one_of_two_ways)]) -> str:
    token = token_of(request)
    if token is None:
        raise NotSignedInError("sign in first")
    return token


SessionToken = Annotated[str, Depends(_needed_token)]
"""The token as it came; whether its session still stands is not looked at."""


async def _signed_in_person(request: Request, services: AnyServices, _token: SessionToken) -> PersonOut:
    return await signed_in(request, services)


SignedInPerson = Annotated[PersonOut, Depends(_signed_in_person)]


def acting(request: Request, person: SignedInPerson) -> Actor:
    """Give the actor for a change."""
    return Actor(person.id, origin_of(request))


Acting = Annotated[Actor, Depends(acting)]


def set_cookie(response: Response, token: str, expires_at: datetime) -> None:
    """Keep a session in the browser, out of reach of scripts and of other sites."""
    response.set_cookie(COOKIE, token, expires=expires_at, path="/", secure=True, httponly=True, samesite="strict")


def clear_cookie(response: Response) -> None:
    """Forget the session in the browser."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
