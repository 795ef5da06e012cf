"""What a request says of who asks. Whether it is true is asked elsewhere (``session``)."""

from starlette.requests import Request

from .middleware import COOKIE


def token_of(request: Request) -> str | None:
    """Give the token that the request brings; the header counts before the cookie."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    return request.cookies.get(COOKIE)


def origin_of(request: Request) -> str:
    """Give the address of whoever asks. Behind a proxy, uvicorn was told to trust its headers."""
    return request.client.host[:64] if request.client else "unknown"
