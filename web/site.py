"""The pages' common ground: who looks, in which language, at what time, and what stands on every page."""

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controller.areas.schemas import AreaOut
from controller.errors import (
    ForbiddenError,
    GoneError,
    LoaError,
    NotFoundError,
    NotSignedInError,
    PasswordDueError,
    SecondFactorError,
    TooManyAttemptsError,
)
from controller.http.session import identify
from controller.http.tokens import origin_of, token_of
from controller.names import ZoneGoneError, is_zone
from controller.people.actor import Actor
from controller.people.identity import Identity
from controller.people.proof import FIELD
from controller.people.rights import Act
from controller.people.schemas import Needs, PersonOut
from controller.services import Services
from web.formats import Formats
from web.forms import Form, own_path
from web.i18n import LOCALES, Catalogue, load
from web.offers import places_for

HERE = Path(__file__).parent
STATIC = HERE / "static"
LOCALE_COOKIE = "__Host-loa-locale"
DEFAULT_ZONE = "Asia/Ho_Chi_Minh"
STOP_UNSENT = "/stop?done=unsent"
"""Where a STOP goes on whose session had ended: it must not look as if it had been sent."""


def here(request: Request) -> str:
    """Tell which of our pages is open: for a fragment, the page that asked for it."""
    asked = request.headers.get("hx-current-url")
    parts = urlsplit(asked) if asked else request.url
    return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))


@dataclass
class Visit:
    """One request of a person who is signed in."""

    site: "Site"
    request: Request
    token: str
    person: PersonOut
    actor: Actor
    """Who acts; with a machine's key no more than the key says."""
    areas: list[AreaOut]
    """What is in sight, upper areas first."""
    form: Formats
    """Says times at this place, in this person's language."""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def services(self) -> Services:
        """Give what the centre can do."""
        return self.site.services

    @property
    def text(self) -> Catalogue:
        """Give the words of this person's language."""
        return self.form.text

    @property
    def is_proven(self) -> bool:
        """Tell whether a yes takes a code: the signer stands apart."""
        return self.actor.proof is not None

    def prove(self, typed: Form) -> None:
        """Let what was typed prove the yes that this act may be."""
        self.actor = replace(self.actor, proof=self.services.proof(typed.one(FIELD)))

    def places(self, act: Act) -> list[AreaOut]:
        """Give the areas in sight in which this person may do an act, upper areas first."""
        return places_for(self.person, self.actor, self.areas, act)

    def may(self, act: Act, area_id: str | None = None) -> bool:
        """Tell whether to offer an act: there, or anywhere at all. The services decide whether it is done."""
        places = self.places(act)
        return bool(places) if area_id is None else any(area.id == area_id for area in places)

    def name_of(self, area_id: str | None) -> str:
        """Name an area; empty: none, or not in sight."""
        return next((area.name for area in self.areas if area.id == area_id), "")

    def fragment(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Answer with a part of a page."""
        return self.site.html(
            template, self.text, status=status, f=self.form, here=here(self.request), proven=self.is_proven, **context
        )


class Site:
    """Templates, words and services of the pages."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.catalogues = {locale: load(locale) for locale in LOCALES}
        self._hashes: dict[str, str] = {}
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.globals.update(static=self.static, locales=LOCALES)

    def static(self, path: str, *, plain: bool = False) -> str:
        """Give the address of a static file, which changes with its content unless ``plain`` (as style sheets ask)."""
        if plain:
            return f"/static/{path}"
        if path not in self._hashes:
            self._hashes[path] = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]
        return f"/static/{path}?v={self._hashes[path]}"

    def html(self, template: str, text: Catalogue, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Answer with a filled-in template. What a person sees of the centre is kept by no cache."""
        body = self._templates.get_template(template).render(t=text, **context)
        return HTMLResponse(body, status, headers={"Cache-Control": "no-store", "Vary": "Cookie"})

    def words(self, request: Request, person: PersonOut | None = None) -> Catalogue:
        """Choose the language: the person's, else the browser's cookie, else the first."""
        wanted = person.locale if person else request.cookies.get(LOCALE_COOKIE, "")
        return self.catalogues.get(wanted, self.catalogues[LOCALES[0]])

    def formats(self, text: Catalogue, areas: list[AreaOut]) -> Formats:
        """Say times by the clock of the uppermost area."""
        zone = areas[0].effective.zone if areas else DEFAULT_ZONE
        # With its tables gone STOP is pressed all the same; what is alarming about it is told elsewhere.
        return Formats(text, ZoneInfo(zone if is_zone(zone) else DEFAULT_ZONE), self.services.clock())

    async def visit(self, request: Request) -> Visit:
        """Say who asks.

        Raises:
            NotSignedInError: nobody, or a session that ended.
            SecondFactorError: the password alone is not enough for this person.
        """
        identity = (await identify(request, self.services)).full()
        person, actor = identity.person, self._actor(request, identity)
        areas = [area for area in await self.services.areas.tree(actor) if area.in_sight]
        form = self.formats(self.words(request, person), areas)
        return Visit(self, request, token_of(request) or "", person, actor, areas, form)

    def _actor(self, request: Request, identity: Identity) -> Actor:
        """Say who acts; the code of an approval is a field of a form, see ``Visit.prove``."""
        return Actor(identity.person.id, origin_of(request), identity.acts, self.services.proof())


NEEDED_AT = {
    Needs.CODE: "/sign-in/code",
    Needs.CHOOSE: "/sign-in/password",
    Needs.SET_UP: "/sign-in/factor",
}
"""Pages on which a session shows what it needs."""


def page_route(site: Site) -> type[APIRoute]:
    """Make a route class that answers errors as pages: sign in first, not found, not allowed."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    return await handle(request)
                except SecondFactorError as error:
                    return to_second_factor(request, str(error.fields["problem"]))
                except PasswordDueError:
                    return to_second_factor(request, Needs.CHOOSE)
                except NotSignedInError:
                    return to_sign_in(request)
                except LoaError as error:
                    return problem_page(site, request, error)
                except ZoneInfoNotFoundError as error:
                    return problem_page(site, request, ZoneGoneError.of(error))

            return handler

    return PageRoute


def to_sign_in(request: Request) -> Response:
    """Send to the sign-in page and back to where the person was."""
    ended = "&ended=1" if token_of(request) else ""
    return _away(request, f"/sign-in?next={quote(_back_to(request), safe='/')}{ended}")


def to_second_factor(request: Request, problem: str) -> Response:
    """Send to where a session shows what it needs, and back to where the person was."""
    return _away(request, f"{NEEDED_AT[Needs(problem)]}?next={quote(_back_to(request), safe='/')}")


def _back_to(request: Request) -> str:
    """Say where the person goes on: a STOP that was not carried out is told, never shown as if it were."""
    return STOP_UNSENT if (request.method, request.url.path) == ("POST", "/holds") else here(request)


def _away(request: Request, target: str) -> Response:
    """Send to another page; a fragment tells the whole page to go there."""
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, 303)


def problem_page(site: Site, request: Request, error: LoaError) -> Response:
    """Say on a page of its own what no form could show."""
    text = site.words(request)
    kind, status = "broken", 409
    if isinstance(error, TooManyAttemptsError):
        return _come_back(site, request, error)
    if isinstance(error, NotFoundError | GoneError):
        kind, status = "not_found", 404
    elif isinstance(error, ForbiddenError):
        kind, status = "forbidden", 403
    said = text(f"problem.{kind}_said")
    key = f"wrong.{error.code}"
    if kind == "broken" and error.code in {"conflict", "busy", "zone_gone"} and text.has(key):
        said = text(key, **error.fields)
    return site.html("problem.html", text, status=status, heading=text(f"problem.{kind}"), said=said)


def _come_back(site: Site, request: Request, error: TooManyAttemptsError) -> Response:
    """Say how long to wait; of a page that stands, no part is replaced by this."""
    text, seconds = site.words(request), int(error.fields.get("retry_after_s", 60))
    wait = site.formats(text, []).about(timedelta(seconds=seconds))
    said = text("problem.too_many_said", wait=wait)
    page = site.html("problem.html", text, status=429, heading=text("problem.too_many"), said=said)
    page.headers.update({"Retry-After": str(seconds), "HX-Reswap": "none"})
    return page
