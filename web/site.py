"""The pages' common ground: who looks, in which language, at what time, and what stands on every page."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controller.areas.schemas import AreaOut
from controller.errors import ForbiddenError
from controller.http.session import identify
from controller.http.tokens import origin_of, token_of
from controller.names import is_zone
from controller.people.actor import Actor
from controller.people.identity import Identity
from controller.people.proof import FIELD
from controller.people.rights import Act, may
from controller.people.schemas import PersonOut
from controller.services import Services
from web.formats import Formats, called
from web.forms import Form
from web.i18n import LOCALES, Catalogue, load
from web.joined import JOINED, STATIC, joined
from web.leading import PLACE_FIRST, here
from web.offers import places_for
from web.views.kinds import names_by_place

HERE = Path(__file__).parent
LOCALE_COOKIE = "__Host-loa-locale"
LOOK_COOKIE = "__Host-loa-look"
LOOKS = ("", "large")
"""Looks of the pages, chosen for a device: as it is, or with large letters and deeper colours."""
DEFAULT_ZONE = "Asia/Ho_Chi_Minh"


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
