"""The signer that stands apart: its own keys, its own file of yeses, and no belief in what it is told of people.

Whoever speaks to it may be the centre's pages in strange hands. So what it signs follows from the document itself and
from codes that it checked: never from a row. Holds, stops, answers and commands need no code; STOP must never wait.
"""

import hashlib
from collections.abc import Generator, Sequence
from itertools import count
from typing import Any, Protocol

import msgspec

from controller.clock import Clock
from controller.people.proof import CodeError
from controller.wire.keys import Keys
from edge_agent.protocol.content import Broadcast, content_hash
from edge_agent.protocol.documents import BY_WORD, Settings, Signed
from edge_agent.protocol.topics import Word

from .bounds import check_guard, check_times, check_yes, too_many
from .desk import listed_in
from .frames import Answer, Approve, Awake, Done, Failed, Refused, Request, RingIs, Sign, Token, Turn, Void
from .hours import narrowed
from .ledger import Ledger
from .log import Log
from .ring import RingKey, Step
from .rules import Refusal
from .tally import OVER_AFTER, Tally

KEPT = frozenset({Word.HOLD, Word.URGENT, Word.PLAN, Word.SETTINGS, Word.COMMAND})
"""What is written down when it is signed; answers to nodes are many, and let nothing sound."""
MOST_NAMED = 200
"""Broadcasts or places named in one line of the log."""
AT_ONCE = 20
"""Broadcasts that are judged at a stretch, some milliseconds: then whoever asks for a STOP is answered first."""
BEGUN_ANEW = 3
"""So often a document is judged anew because of what was said meanwhile; then without a pause."""

Steps = Generator[None, None, Answer]
"""The way to an answer, with pauses in which others may be answered."""


def ended(steps: Steps) -> Answer:
    """Take all steps, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answer: Answer = end.value
            return answer


class Handler(Protocol):
    """Answers requests; the process around it carries bytes."""

    def steps(self, request: Request) -> Steps:
        """Never raises for what a request holds."""
        ...


class Strongroom:
    """Signs, apart."""

    def __init__(self, keys: Keys, ledger: Ledger, clock: Clock, log: Log | None = None) -> None:
        """``log``: where it is written down what was done; None: nowhere, in tests."""
        self._keys, self._ledger, self._clock, self._log = keys, ledger, clock, log
        self._said = 0
        """Rises with each change of what people said, and of what that was used for."""

    def handle(self, request: Request) -> Answer:
        """Answer one request, without a pause."""
        return ended(self.steps(request))

    def steps(self, request: Request) -> Steps:
        """Answer one request; a large document with pauses."""
        try:
            if isinstance(request, Sign):
                return (yield from self._sign(request))
            if isinstance(request, Approve):
                return self._approve(request)
            if isinstance(request, Void):
                return self._void(request)
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

    def _sign(self, request: Sign) -> Steps:
        document = msgspec.json.decode(request.document, type=BY_WORD[Word(request.word)])
        self._key(document, request.kid)
        check_times(document, self._clock())
        if isinstance(document, Settings):
            self._check_hours(document)
        listed = listed_in(document, request.body)
        refused, tally = yield from self._judged(document, listed)
        key = self._key(document, request.kid)  # once more: there may have been a pause
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
        if tally.new:
            self._ledger.use(tally.new)
            self._said += 1
        token = self._keys.named(key.kid).sign(document)
        if document.word in KEPT:
            digest = hashlib.sha256(token).hexdigest()
            self._note("signed", **said, key=key.kid, sha256=digest, broadcasts=len(listed))
        return Token(token=token)

    def _check_hours(self, settings: Settings) -> None:
        """Refuse settings beyond what people agreed to; stricter ones leave less of it.

        Raises:
            ValueError: they are.
        """
        standing = self._ledger.hours_at(settings)
        check_guard(settings, standing)
        if left := narrowed(settings, standing, self._clock()):
            self._ledger.narrow(settings.areas[0].area_id, left)
            self._note("narrowed", sure=True, place=f"areas/{settings.areas[0].area_id}", scopes=sorted(left))

    def _judged(
        self, document: Signed, listed: Sequence[Broadcast]
    ) -> Generator[None, None, tuple[dict[str, Refusal], Tally]]:
        """Judge what a document lets sound, by all that people said before its end: no pause is after that."""
        crowded = too_many(listed)
        for time in count():
            said, now = (self._said, self._ledger.elsewhere()), self._clock()
            given = self._ledger.yeses_to({content_hash(each.items, each.drill) for each in listed}, now - OVER_AFTER)
            tally, refused = Tally(document.aud, given, self._ledger.used(given), now), dict[str, Refusal]()
            for number, each in enumerate(listed, 1):
                why = tally.judge(each)
                if why is not None:
                    refused[each.broadcast_id] = why
                if number % AT_ONCE == 0 and time < BEGUN_ANEW:
                    yield
            if said == (self._said, self._ledger.elsewhere()) or time >= BEGUN_ANEW:
                return refused | crowded, tally
        raise AssertionError

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

    def _approve(self, request: Approve) -> Answer:
        now, to = self._clock(), request.to
        check_yes(to, now)
        self._ledger.take(request.person_id, request.code, to, now)
        self._said += 1
        said = msgspec.to_builtins(to)
        if (scopes := said.get("scopes")) is not None:
            said |= {"scopes": sorted(scopes)[:MOST_NAMED], "count": len(scopes)}
        if (runs := said.get("runs")) is not None:
            said |= {"runs": runs | {"times": runs["times"][:MOST_NAMED]}}
        self._note("yes", sure=True, person_id=request.person_id, said=said)
        return Done()

    def _void(self, request: Void) -> Answer:
        now = self._clock()
        voided = self._ledger.void(request.name, request.content_sha256, min(request.before_at, now), now)
        if voided:
            self._said += 1
            self._note("void", sure=True, name=request.name, count=voided)
        return Done()
