"""Who asks: a bearer token or the session cookie → an identity, its person, and the actor for the services."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from controller.errors import NotSignedInError
from controller.people.actor import Actor
from controller.people.identity import Identity
from controller.people.proof import HEADER, MAX_CODE
from controller.people.schemas import PersonOut
from controller.services import Services

from .middleware import COOKIE, DEVICE_COOKIE
from .pace import Pace
from .tokens import origin_of, token_of

MAX_TOKEN = 200


def services_of(request: Request) -> Services:
    """Give the services, which ``create_app`` keeps on the application."""
    found: Services = request.app.state.services
    return found


AnyServices = Annotated[Services, Depends(services_of)]


def agent_of(request: Request) -> str:
    """Give what the browser calls itself."""
    return request.headers.get("user-agent", "")[:200]


def code_of(request: Request) -> str:
    """Give the code of an approval that goes with a request to the API; empty: none."""
    return request.headers.get(HEADER, "")[:MAX_CODE]


def device_of(request: Request) -> str | None:
    """Give the token of a remembered browser."""
    token = request.cookies.get(DEVICE_COOKIE)
    return token if token and len(token) <= MAX_TOKEN else None


async def identify(request: Request, services: Services) -> Identity:
    """Say whose the token is, whatever it still has to show.

    Raises:
        NotSignedInError: nobody is signed in.
    """
    token = token_of(request)
    if token is None or len(token) > MAX_TOKEN:
        raise NotSignedInError("sign in first")
    pace: Pace = request.app.state.pace
    try:
        found = await services.people.identify(token)
    except NotSignedInError:
        pace.forget(token)
        raise
    pace.know(token, found.person.id)
    request.state.identity = found
    return found


async def signed_in(request: Request, services: Services) -> PersonOut:
    """Give the person who asks and may act.

    Raises:
        NotSignedInError: nobody is signed in.
        SecondFactorError: the password alone is not enough for this person.
    """
    return (await identify(request, services)).full().person


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


async def _identified(request: Request, services: AnyServices, _token: SessionToken) -> Identity:
    return await identify(request, services)


HalfSignedIn = Annotated[Identity, Depends(_identified)]
"""Whoever typed the right password, also without the second factor: only for showing it or setting it up."""


async def _signed_in_person(identity: HalfSignedIn) -> PersonOut:
    return identity.full().person


SignedInPerson = Annotated[PersonOut, Depends(_signed_in_person)]


def acting(request: Request, person: SignedInPerson) -> Actor:
    """Give the actor for a change; with a machine's key, one that may do no more than the key says."""
    identity: Identity = request.state.identity
    return Actor(person.id, origin_of(request), identity.acts, services_of(request).proof(code_of(request)))


Acting = Annotated[Actor, Depends(acting)]


def set_cookie(response: Response, token: str, expires_at: datetime) -> None:
    """Keep a session in the browser, out of reach of scripts and of other sites."""
    response.set_cookie(COOKIE, token, expires=expires_at, path="/", secure=True, httponly=True, samesite="strict")


def clear_cookie(response: Response) -> None:
    """Forget the session in the browser."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


def remember_device(response: Response, token: str, expires_at: datetime) -> None:
    """Let the browser know itself again: for operators it stands for a code."""
    response.set_cookie(
        DEVICE_COOKIE, token, expires=expires_at, path="/", secure=True, httponly=True, samesite="strict"
    )
