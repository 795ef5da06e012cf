"""Who asks: a bearer token or the session cookie → a person, and the actor for the services."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Response

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


SignedInPerson = Annotated[PersonOut, Depends(signed_in)]


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
