"""A posted form that brings a key is done once: who sends it again, as its answer was lost, is led where that led."""

import logging
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from controller.errors import BusyError, LoaError, NotSignedInError
from controller.http.session import identify
from controller.people.proof import FIELD as PROOF
from controller.sent_forms.service import Sending
from controller.services import Services
from web.forms import Form, is_form, read_form

FIELD = "once"
"""Added by once.js: the same for each attempt at one act."""
BEFORE = "before"
"""In the address to which a repeated form leads: it says there that nothing was done a second time."""
_KEY = re.compile(r"[0-9a-f]{32}\Z")
_NO_CONTENT = frozenset({FIELD, "key", PROOF})
"""No part of what is asked: what makes once be once, of which a page that is opened anew has another of its own, and
the code that proves who asks, which is another one each time."""
_DONE = frozenset({201, 303})
"""Statuses of an act that was done: what it made is shown at once, or the answer leads there. Nothing comes of a page
that is shown again, with what is wrong or with what would happen."""

_log = logging.getLogger(__name__)


async def answer_once(
    request: Request, services: Services, handle: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Answer a request with ``handle``; a form that was sent before, by the same person, with what became of it.

    Raises:
        SentBeforeError: there is no answer to repeat.
        BusyError: the database is busy; nothing was done.
        LoaError: as ``handle`` says.
    """
    sending = await _sending(request, services)
    if sending is None:
        return await handle(request)
    before = await services.sent_forms.begin(sending)
    if before is not None:
        return RedirectResponse(f"{before}{'&' if '?' in before else '?'}{BEFORE}=yes", 303)
    try:
        answer = await handle(request)
    except LoaError:
        await _note(services.sent_forms.refused(sending))
        raise
    if answer.status_code in _DONE:
        await _note(services.sent_forms.done(sending, answer.headers.get("location", "")))
    else:
        await _note(services.sent_forms.refused(sending))
    return answer


async def _sending(request: Request, services: Services) -> Sending | None:
    """Read what is sent; None: without a key of ours, or by nobody who is known, so that there is nothing to repeat.

    What a script asks for has means of its own, and sends the fields of a form that is on its way, too.
    """
    if request.method != "POST" or not is_form(request) or "hx-request" in request.headers:
        return None
    try:
        who = await identify(request, services)
    except NotSignedInError:  # of a stranger nothing is read here
        return None
    typed = await read_form(request)
    key = typed.one(FIELD)
    return Sending(who.person.id, key, _content(request, typed)) if _KEY.match(key) else None


def _content(request: Request, typed: Form) -> bytes:
    """Write down what is asked: the same in whichever order it was ticked."""
    pairs = sorted((name, value) for name, value in typed.pairs() if name not in _NO_CONTENT)
    return urlencode([("", request.url.path), *pairs]).encode()


async def _note(noting: Awaitable[None]) -> None:
    """Keep what was answered. Where that fails, the answer stands all the same; who repeats is told to look first."""
    try:
        await noting
    except BusyError as error:
        _log.warning("what became of a form was not kept: %s", error.message)
