"""What makes the pages an application on a phone: manifest, service worker, the page without a link, shared files.

None of it tells anything of this centre, and nothing a person sees is kept by the worker.
"""

import hashlib
import json
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from web.i18n import LOCALES, Catalogue
from web.joined import STATIC, STYLES
from web.site import Site, look_of

SHARED = "/shared"
"""Where a phone hands over what was shared with us. The worker takes it; this route reads nothing of it."""
MOST_DRAINED = 8 * 1024 * 1024
"""Bytes that are let through and thrown away, so that a browser that shares a usual sound reads the answer."""
_KEPT = (STYLES, "css/pages/offline.css", "icons.svg", "icon.svg", "js/offline.js", "js/shared.js")
"""What the pages without a link are made of."""
_COLOUR, _GROUND = "#0a5a73", "#f5f4f0"
"""``--accent`` and ``--ground`` of tokens.css."""
_ICONS = (("192x192", "any", "icon-192"), ("512x512", "any", "icon-512"), ("512x512", "maskable", "icon-512-whole"))


def _asked(site: Site, request: Request) -> Catalogue:
    """Give the language that the address names, else the reader's."""
    return site.catalogues.get(request.query_params.get("locale", "")) or site.words(request)


def _manifest(site: Site, text: Catalogue) -> dict[str, Any]:
    return {
        "id": "/",
        "lang": text.locale,
        "name": text("shell.name"),
        "short_name": text("app.name"),
        "description": text("shell.said"),
        "start_url": "/today",
        "scope": "/",
        "display": "standalone",
        "theme_color": _COLOUR,
        "background_color": _GROUND,
        "icons": [
            {"src": site.static(f"icons/{name}.png"), "sizes": sizes, "type": "image/png", "purpose": purpose}
            for sizes, purpose, name in _ICONS
        ],
        "share_target": {
            "action": SHARED,
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {
                "text": "text",
                "files": [{"name": "file", "accept": ["audio/*", ".mp3", ".m4a", ".wav", ".ogg"]}],
            },
        },
    }


def _worker(site: Site, locale: str) -> str:
    """Write the worker of a language: what it keeps, then what it does. Another content is another worker."""
    keep = [site.static(path) for path in _KEPT]
    pages = {name: f"{path}locale={locale}" for name, path in _PAGES.items()}
    begun = {"keep": [*keep, *pages.values()], **pages, "store": site.static("js/keep.js")}
    body = (STATIC / "js" / "sw.js").read_text("utf-8")
    said = json.dumps(begun, sort_keys=True)
    version = hashlib.sha256((said + body + _shown(site, locale)).encode()).hexdigest()[:12]
    return f'const LOA = {{ version: "{version}-{locale}", ...{said} }};\n{body}'


_PAGES = {"offline": "/offline?", "unsent": "/offline?unsent=1&", "past": "/past?", "opening": "/shared?"}
"""The pages that the worker keeps, by its name for them."""


def _shown(site: Site, locale: str) -> str:
    """Give what those pages say: other words are another worker."""
    ways: tuple[tuple[str, dict[str, bool]], ...] = (
        ("offline.html", {"unsent": False}),
        ("offline.html", {"unsent": True}),
        ("past.html", {}),
        ("shared.html", {"refused": False}),
    )
    answers = [site.html(template, site.catalogues[locale], **given) for template, given in ways]
    return "".join(bytes(answer.body).decode() for answer in answers)


def add(router: APIRouter, site: Site) -> None:
    """Add the addresses."""

    @router.get("/manifest.webmanifest")
    async def manifest(request: Request) -> JSONResponse:
        return JSONResponse(_manifest(site, _asked(site, request)), media_type="application/manifest+json")

    @router.get("/sw.js")
    async def worker(request: Request) -> Response:
        wanted = request.query_params.get("locale", "")
        return Response(_worker(site, wanted if wanted in LOCALES else LOCALES[0]), media_type="text/javascript")

    @router.get("/offline")
    async def offline(request: Request) -> HTMLResponse:
        unsent = "unsent" in request.query_params
        return site.html("offline.html", _asked(site, request), look=look_of(request), unsent=unsent)

    @router.get("/past")
    async def past(request: Request) -> HTMLResponse:
        """Stand in for an answer that was left: the browser does not keep it, and asks nobody for it."""
        return site.html("past.html", _asked(site, request), look=look_of(request))

    @router.get(SHARED)
    async def opening(request: Request) -> HTMLResponse:
        """Lead on to Phát ngay, from a page of ours: a cookie that is strict comes along then."""
        return site.html("shared.html", _asked(site, request), look=look_of(request), refused=False)

    @router.post(SHARED)
    async def shared(request: Request) -> HTMLResponse:
        """Say that nothing was taken: there is no worker yet, which would have kept this from coming here."""
        refused = site.html("shared.html", site.words(request), status=403, look=look_of(request), refused=True)
        size = request.headers.get("content-length", "")
        if not size.isdecimal() or int(size) > MOST_DRAINED:
            refused.headers["Connection"] = "close"  # what comes after the answer is not even waited for
        return refused
