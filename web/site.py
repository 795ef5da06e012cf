"""The pages' common ground: who looks, in which language, at what time, and what stands on every page."""

import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from controller.areas.schemas import AreaOut
from controller.errors import (
    ForbiddenError,
    LoaError,
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
from controller.people.rights import Act, may
from controller.people.schemas import Needs, PersonOut
from controller.services import Services
from controller.validation import refuse_nul
from web.formats import Formats, called
from web.forms import Form, own_path
from web.i18n import LOCALES, Catalogue, load
from web.joined import JOINED, STATIC, joined
from web.offers import list_of, menu_of, places_for
from web.once import answer_once
from web.problems import page_said, wait_s
from web.views.kinds import names_by_place

HERE = Path(__file__).parent
LOCALE_COOKIE = "__Host-loa-locale"
LOOK_COOKIE = "__Host-loa-look"
LOOKS = ("", "large")
"""Looks of the pages, chosen for a device: as it is, or with large letters and deeper colours."""
DEFAULT_ZONE = "Asia/Ho_Chi_Minh"
PLACE_FIRST = "/setup"
"""Where who may make places goes on from what needs one, while there is none."""
STOP_UNSENT = "/stop?done=unsent"
"""Where a STOP goes on whose session had ended: it must not look as if it had been sent."""


def here(request: Request) -> str:
    """Tell which of our pages is open: for a fragment, the page that asked for it."""
    asked = request.headers.get("hx-current-url")
    parts = urlsplit(asked) if asked else request.url
    return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))


def look_of(request: Request) -> str:
    """Tell which of ``LOOKS`` this device asked for."""
    look = request.cookies.get(LOOK_COOKIE, "")
    return look if look in LOOKS else ""


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

    async def read_kinds(self, area_id: str | None = None) -> None:
        """Let bulletins be said to be about what their places call it; ``area_id``: where none is named, that one."""
        if not self.form.kinds:
            found = await self.services.policies.categories_by_area(self.actor)
            kinds = names_by_place(found, {area.id for area in self.areas}, self.text)
            self.form = replace(self.form, kinds=kinds)
        self.form = replace(self.form, kinds_of=area_id)

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

    def may_everywhere(self, act: Act) -> bool:
        """Tell whether to offer an act that belongs to no place."""
        granted = any(grant.area_id is None and may(grant.role, act) for grant in self.person.grants)
        return granted and (self.actor.acts is None or act in self.actor.acts)

    def may_remove(self, area: AreaOut) -> bool:
        """Tell whether to offer removing a place: to who may do so where it belongs."""
        if area.parent_id is None:
            return self.may_everywhere(Act.AREAS_REMOVE)
        return self.may(Act.AREAS_REMOVE, area.parent_id)

    def require(self, act: Act, area_id: str | None = None) -> None:
        """Open a form only to who may do its act: nobody records and types, and is refused at the end.

        Raises:
            ForbiddenError: no role of this person allows it, there or anywhere.
        """
        self._require_places()
        if not self.may(act, area_id):
            raise ForbiddenError(f"your role does not allow: {act}", act=str(act))

    def require_any(self, acts: Iterable[Act]) -> None:
        """Open a page only to who may do something there.

        Raises:
            ForbiddenError: no role of this person allows any of these acts.
        """
        self._require_places()
        if not any(map(self.may, acts)):
            raise ForbiddenError("your role does nothing here")

    def _require_places(self) -> None:
        """Lead whoever may make the first place there, where anything else is asked for."""
        if not self.areas and self.may_everywhere(Act.AREAS_CREATE):
            raise ForbiddenError("make a place first", mended=PLACE_FIRST)

    def name_of(self, area_id: str | None) -> str:
        """Name an area; empty: none, or not in sight."""
        return next((area.name for area in self.areas if area.id == area_id), "")

    def fragment(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Answer with a part of a page."""
        return self.site.html(
            template,
            self.text,
            status=status,
            look=look_of(self.request),
            f=self.form,
            here=here(self.request),
            proven=self.is_proven,
            **context,
        )


class Site:
    """Templates, words and services of the pages."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.catalogues = {locale: load(locale) for locale in LOCALES}
        self._hashes: dict[str, str] = {}
        self.in_frame: Callable[..., Awaitable[HTMLResponse]] | None = None
        """``web.pages.frame.whole_page``, which that module puts here."""
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.globals.update(static=self.static, locales=LOCALES)
        self._templates.filters["called"] = called

    def static(self, path: str, *, plain: bool = False) -> str:
        """Give the address of a static file, which changes with its content unless ``plain`` (as style sheets ask)."""
        if plain:
            return f"/static/{path}"
        if path not in self._hashes:
            content = joined(path).encode() if path in JOINED else (STATIC / path).read_bytes()
            self._hashes[path] = hashlib.sha256(content).hexdigest()[:12]
        return f"/static/{path}?v={self._hashes[path]}"

    def html(self, template: str, text: Catalogue, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Answer with a filled-in template. What a person sees of the centre is kept by no cache."""
        body = self._templates.get_template(template).render({"look": ""} | context, t=text)
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
        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            """Answer; whoever loads the address of a form, as after a mistake in it, is led to the page above it."""
            if scope["method"] == "GET" and "GET" not in (self.methods or ()):
                await RedirectResponse(_page_above(scope), 303)(scope, receive, send)
            else:
                await super().handle(scope, receive, send)

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    return await _answer(request, site.services, handle)
                except SecondFactorError as error:
                    return to_second_factor(request, str(error.fields["problem"]))
                except PasswordDueError:
                    return to_second_factor(request, Needs.CHOOSE)
                except NotSignedInError:
                    return to_sign_in(request)
                except LoaError as error:
                    return await _problem(site, request, error)
                except ZoneInfoNotFoundError as error:
                    return await _problem(site, request, ZoneGoneError.of(error))

            return handler

    return PageRoute


async def _answer(
    request: Request, services: Services, handle: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Response:
    """Answer: what a page shows is one snapshot, so that who asks and what they may see is read once."""
    if "%00" in request.url.query:  # as in a form, see ``web.forms``
        refuse_nul((name, each) for name, value in request.query_params.multi_items() for each in (name, value))
    if request.method != "GET":
        return await answer_once(request, services, handle)
    async with services.together():
        return await handle(request)


def _page_above(scope: Scope) -> str:
    """Name the nearest page above an address, with what the address asks besides."""
    path, query, routes = scope["path"], scope["query_string"].decode("latin-1"), scope["router"].routes
    is_page = False
    while not is_page and path:
        path = path.rpartition("/")[0]
        is_page = any(route.matches({**scope, "path": path})[0] is Match.FULL for route in routes)
    return quote(path or "/", safe="/") + (f"?{query}" if query else "")


def to_sign_in(request: Request) -> Response:
    """Send to the sign-in page and back to where the person was.

    A browser forgets a session that has ended: whoever sends something, or has a page kept up to date, had one.
    """
    had_one = token_of(request) or request.method == "POST" or "hx-request" in request.headers
    ended = "&ended=1" if had_one else ""
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


async def _problem(site: Site, request: Request, error: LoaError) -> Response:
    """Say it inside the frame, menu and STOP in reach, to whoever is signed in; else on a page of its own."""
    if error.fields.get("mended") == PLACE_FIRST:
        return _away(request, PLACE_FIRST)
    if site.in_frame is not None and "hx-request" not in request.headers:
        with suppress(LoaError, ZoneInfoNotFoundError):  # then the page that needs nothing
            visit = await site.visit(request)
            status, heading, said = page_said(visit.text, error, lambda: visit.form)
            leads, refused = own_path(error.fields.get("answer", ""), ""), status >= 400
            around = list_of(request.url.path, menu_of(visit.person, visit.actor)) if status == 404 else None
            shown = {"heading": heading, "said": said, "refused": refused, "leads": leads, "around": around}
            page = await site.in_frame(visit, "problem_within.html", status=status, **shown)
            return _to_come_back(page, error)
    return problem_page(site, request, error)


def problem_page(site: Site, request: Request, error: LoaError) -> Response:
    """Say on a page of its own what no form could show; to a part of a page that stands, in its own words alone."""
    text = site.words(request)
    status, heading, said = page_said(text, error, lambda: site.formats(text, []))
    if "hx-request" in request.headers:
        page = site.html("_problem.html", text, status=status, said=said)
        page.headers["HX-Reswap"] = "none"
    else:
        page = site.html("problem.html", text, status=status, look=look_of(request), heading=heading, said=said)
    return _to_come_back(page, error)


def _to_come_back(page: HTMLResponse, error: LoaError) -> HTMLResponse:
    """Add how long to wait."""
    if isinstance(error, TooManyAttemptsError):
        page.headers["Retry-After"] = str(wait_s(error))
    return page
