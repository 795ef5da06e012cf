"""How often somebody may ask: whoever is signed in is counted as a person, everybody else as an address. Plain ASGI.

Signing in, codes and enrolment have bounds of their own, where they are. What silences, and what releases an emergency,
has a lane of its own: no flood of other requests, by whomever, uses it up.
"""

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import sha256

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.clock import Steady, steady_clock
from controller.db import ORDINARY, Ordinary
from controller.errors import TooManyAttemptsError
from controller.http_errors import refusal
from controller.ratelimit import MAX_KEYS, RateLimit, network_of

from .in_words import told
from .middleware import SAFE_METHODS
from .precedence import Precedence
from .tokens import origin_of, token_of

NEVER_COUNTED = frozenset({"/healthz", "/readyz"})
"""A supervisor restarts what does not answer."""
VITAL = re.compile(r"(/api/v1)?/(stop|holds(/[^/]+/release)?|broadcasts/[^/]+/cancel|emergencies(/[^/]+(/[a-z-]+)?)?)")
"""STOP and its release, the end of a broadcast, and an emergency from its form to its all-clear."""
PICTURES = "/tiles/"
INSISTENT_WAITS_S = 1.0
"""Whoever goes on asking after so many refusals is told the next ones this much later: each costs us time as well."""
MOST_HELD_BACK = 1000
"""Beyond these, refusals are told at once."""


@dataclass(frozen=True)
class Rate:
    """``burst`` at once, then so many a second."""

    burst: int
    a_second: float


@dataclass(frozen=True)
class Rates:
    """What is not too often. A page with its parts is 5 to 10 requests, and asks again at most every 400 ms."""

    reads: Rate = Rate(400, 15)
    changes: Rate = Rate(150, 3)
    vital: Rate = Rate(120, 2)
    """Nobody presses STOP more often, and each is a signed document to every node."""
    address: Rate = Rate(600, 30)
    """Of those who are not signed in: sixty browsers of one office that have never been here load what pages need."""
    refusals: Rate = Rate(30, 1)
    """Told at once."""
    pictures: Rate = Rate(900, 40)
    """Of the ground: a look around a map is 30 at once, and takes nothing from its person's other pages."""


NODES = Rates(address=Rate(10_000, 400))
"""At the nodes' port: a province behind one carrier's address, and all fetch one emergency at once."""


class _Lane(Enum):
    READS = "reads"
    CHANGES = "changes"
    VITAL = "vital"
    PICTURES = "pictures"
    ADDRESS = "address"
    REFUSALS = "refusals"


class Pace:
    """What everybody has used up; in memory, bounded, forgotten by a restart."""

    def __init__(self, rates: Rates = Rates(), steady: Steady = steady_clock) -> None:
        began = datetime(2000, 1, 1, tzinfo=UTC)
        self.precedence = Precedence()
        self._held_back = 0
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._left = {
            lane: RateLimit(
                burst=rate.burst,
                every=timedelta(seconds=1 / rate.a_second),
                clock=lambda: began + timedelta(seconds=steady()),  # a clock that is set would shut everybody out
            )
            for lane, rate in ((lane, getattr(rates, lane.value)) for lane in _Lane)
        }

    def know(self, token: str, person_id: str) -> None:
        """Note whose a token is, so that from now on its person is counted and no address."""
        key = _key(token)
        self._known[key] = person_id
        self._known.move_to_end(key)
        if len(self._known) > MAX_KEYS:
            self._known.popitem(last=False)

    def forget(self, token: str) -> None:
        """Note that a token opens nothing: whoever brings it is an address like others."""
        self._known.pop(_key(token), None)

    def take(self, request: Request) -> None:
        """Count one request.

        Raises:
            TooManyAttemptsError: too many of this person, or from this address.
        """
        person_id = self.person(request)
        if person_id is None:
            self._left[_Lane.ADDRESS].take(network_of(origin_of(request)))
        elif VITAL.fullmatch(request.url.path):
            self._left[_Lane.VITAL].take(person_id)
        elif request.url.path.startswith(PICTURES):
            self._left[_Lane.PICTURES].take(person_id)
        else:
            self._left[_Lane.READS if request.method in SAFE_METHODS else _Lane.CHANGES].take(person_id)

    async def hold_back(self, request: Request) -> None:
        """Let whoever insists wait for the next refusal."""
        try:
            self._left[_Lane.REFUSALS].take(self.person(request) or network_of(origin_of(request)))
        except TooManyAttemptsError:
            if self._held_back >= MOST_HELD_BACK:
                return
            self._held_back += 1
            try:
                await asyncio.sleep(INSISTENT_WAITS_S)
            finally:
                self._held_back -= 1

    def person(self, request: Request) -> str | None:
        """Give who asks, where that is known already."""
        token = token_of(request)
        return self._known.get(_key(token)) if token else None


class Paced:
    """Refuses what comes too often, before anything is read or asked of the database; the rest goes in its order."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] in NEVER_COUNTED:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        pace: Pace = request.app.state.pace
        try:
            pace.take(request)
        except TooManyAttemptsError as error:
            await pace.hold_back(request)
            await told(request, error, refusal(error))(scope, receive, send)
            return
        person_id = pace.person(request)
        if person_id is not None and request.method not in SAFE_METHODS and VITAL.fullmatch(scope["path"]):
            await pace.precedence.go_first(person_id, self._app, scope, receive, send)
            return
        await pace.precedence.stand_aside(person_id)
        mark = ORDINARY.set(Ordinary())
        try:
            await self._app(scope, receive, send)
        finally:
            ORDINARY.reset(mark)


def _key(token: str) -> bytes:
    return sha256(token.encode()).digest()
