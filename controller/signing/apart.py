"""The signer that stands apart: its own keys, its own file of yeses, and no belief in what it is told of people.

Whoever speaks to it may be the centre's pages in strange hands. So what it signs follows from the document itself and
from codes that it checked: never from a row. Holds, stops, answers and commands need no code; STOP must never wait.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from controller.clock import Clock
from controller.people.proof import CodeError
from controller.wire.keys import Keys
from edge_agent.protocol.content import Broadcast, content_hash
from edge_agent.protocol.documents import BY_WORD, Settings, Signed
from edge_agent.protocol.states import Level
from edge_agent.protocol.topics import Word

from .desk import listed_in
from .frames import Answer, Approve, Awake, Done, Failed, Refused, Request, RingIs, Sign, Token, Turn
from .ledger import Given, Ledger
from .log import Log
from .ring import RingKey, Step
from .rules import Facts, Refusal, YesFact, review

GLASS_WAITS = timedelta(seconds=30)
"""The cancel window (DESIGN section 7), kept here too."""
LONGEST_YES = timedelta(days=92)
"""No code is good for longer: a yes to a schedule is to a quarter (decision 0014)."""
FARTHEST_YES = timedelta(days=367)
"""Nor for what begins later: nobody plans further ahead (``controller.broadcasts.drafts``)."""


KEPT = frozenset({Word.HOLD, Word.URGENT, Word.PLAN, Word.SETTINGS, Word.COMMAND})
"""What is written down when it is signed; answers to nodes are many, and let nothing sound."""
MOST_NAMED = 200
"""Broadcasts or places named in one line of the log."""


class Handler(Protocol):
    """Answers requests; the process around it carries bytes."""

    def handle(self, request: Request) -> Answer:
        """Never raises for what a request holds."""
        ...


class Strongroom:
    """Signs, apart."""

    def __init__(self, keys: Keys, ledger: Ledger, clock: Clock, log: Log | None = None) -> None:
        """``log``: where it is written down what was done; None: nowhere, in tests."""
        self._keys, self._ledger, self._clock, self._log = keys, ledger, clock, log

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        try:
            if isinstance(request, Sign):
                return self._sign(request)
            if isinstance(request, Approve):
                return self._approve(request)
            if isinstance(request, Turn):
                self._keys.turn(request.use, self._clock(), request.lagging)
                self._note("turned", sure=True, use=request.use, keys=[key.kid for key in self._keys.ring.keys])
            elif isinstance(request, Awake):
                self._keys.awake(request.asleep)
            self._keys.refresh()
            return RingIs(ring=self._keys.ring, epoch=self._keys.epoch)
        except CodeError as error:
            if isinstance(request, Approve):
                self._note("code_refused", sure=True, person_id=request.person_id, problem=error.fields["problem"])
            return Failed(code=error.code, message=error.message, problem=error.fields["problem"])
        except ValueError as error:  # msgspec's own errors among them
            return Failed(code="malformed", message=str(error)[:300])

    def _sign(self, request: Sign) -> Answer:
        document = msgspec.json.decode(request.document, type=BY_WORD[Word(request.word)])
        key = self._key(document, request.kid)
        listed = listed_in(document, request.body)
        now = self._clock()
        facts = {each.broadcast_id: self._facts(each, now) for each in listed}
        refused = review(document.aud, listed, facts)
        said: dict[str, Any] = {
            "word": document.word,
            "aud": document.aud,
            "epoch": document.epoch,
            "version": document.version,
        }
        if refused:
            whys = {name: why.value for name, why in refused.items()}
            self._note("refused", sure=True, **said, why=dict(list(whys.items())[:MOST_NAMED]), count=len(whys))
            return Refused(refused=whys)
        token = self._keys.named(key.kid).sign(document)
        if document.word in KEPT:
            digest = hashlib.sha256(token).hexdigest()
            self._note("signed", **said, key=key.kid, sha256=digest, broadcasts=len(listed))
        return Token(token=token)

    def _note(self, what: str, *, sure: bool = False, **detail: Any) -> None:
        if self._log is not None:
            self._log.write(what, self._clock(), sure=sure, **detail)

    def _key(self, document: Signed, kid: str) -> RingKey:
        """Give the key that is asked for, if it is for this, and the document is of this life.

        Raises:
            ValueError: it is not.
        """
        self._keys.refresh()
        key = next((each for each in self._keys.ring.keys if each.kid == kid), None)
        if key is None or key.use is not document.key_use or key.step is Step.COMING:
            raise ValueError(f"key {kid[:20]!r} does not sign {document.word}")
        if document.epoch != self._keys.epoch:
            raise ValueError(f"epoch {document.epoch}: the signer is in {self._keys.epoch}")
        ring = self._keys.ring
        if isinstance(document, Settings) and (document.trusted_keys, document.revoked_keys) != (
            ring.trusted,
            ring.revoked,
        ):
            raise ValueError("settings name other keys than the ring")
        return key

    def _facts(self, broadcast: Broadcast, now: datetime) -> Facts:
        given = self._ledger.yeses_to([content_hash(broadcast.items, broadcast.drill)])
        alone = {each.person_id for each in given if each.glass and each.given_at + GLASS_WAITS <= now}
        # Before its time a broken glass is worth an ordinary yes of two, and where one is enough none at all.
        two_needed = broadcast.level is Level.EMERGENCY and broadcast.drill is None
        yeses = [each for each in given if two_needed or not each.glass or each.person_id in alone]
        # Of several who decided alone any will do: the rule asks that the one named is among those who said yes.
        return Facts(tuple(map(_fact, yeses)), glass_broken_by=min(alone, default=None))

    def _approve(self, request: Approve) -> Answer:
        now = self._clock()
        first_at = max(now, request.not_before_at)
        if request.not_after_at - first_at > LONGEST_YES or first_at - now > FARTHEST_YES or not request.scopes:
            raise CodeError(f"a yes is to places, and to {LONGEST_YES.days} days at most", "span")
        yes = Given(
            request.person_id,
            request.content_sha256,
            frozenset(request.scopes),
            request.not_before_at,
            request.not_after_at,
            request.glass,
            now,
        )
        self._ledger.take(yes, request.code)
        window = [request.not_before_at.isoformat(), request.not_after_at.isoformat()]
        said: dict[str, Any] = {
            "content_sha256": yes.content_sha256,
            "scopes": sorted(yes.scopes)[:MOST_NAMED],
            "window": window,
        }
        self._note("yes", sure=True, person_id=yes.person_id, glass=yes.glass, count=len(yes.scopes), **said)
        return Done()


def _fact(yes: Given) -> YesFact:
    return YesFact(yes.person_id, yes.content_sha256, yes.scopes, yes.not_before_at, yes.not_after_at)


def refusals(answer: Refused) -> dict[str, Refusal]:
    """Read why something was refused."""
    return {name: Refusal(why) for name, why in answer.refused.items()}
