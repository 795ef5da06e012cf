"""Trợ giúp: one topic a page."""

from fastapi import APIRouter, Request, Response

from controller.errors import NotFoundError, NotSignedInError
from web.help.topics import topics
from web.pages.frame import whole_page
from web.site import Site, look_of

FOR_ALL = frozenset({"sign-in"})
"""Topics for whoever cannot sign in; they tell nothing of this centre."""


def add(router: APIRouter, site: Site) -> None:
    """Add the list of topics and each of them."""

    @router.get("/help")
    async def all_topics(request: Request) -> Response:
        visit = await site.visit(request)
        return await whole_page(visit, "help.html", topics=topics(visit.text.locale))

    @router.get("/help/{topic}")
    async def one_topic(request: Request, topic: str) -> Response:
        text = site.words(request)
        if topic not in topics(text.locale):
            raise NotFoundError("there is no such topic", resource="help", id=topic[:64])
        try:
            visit = await site.visit(request)
        except NotSignedInError:
            if topic not in FOR_ALL:
                raise
            prose = topics(text.locale)[topic]
            return site.html("help_alone.html", text, look=look_of(request), prose=prose)
        return await whole_page(visit, "help_topic.html", prose=topics(visit.text.locale)[topic])
