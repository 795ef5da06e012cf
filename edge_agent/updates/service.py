"""Takes a release that the centre has told: fetches its bundle, waits for a quiet moment, and shows that it is good.

What lies in the slots and what runs is not done here: the agent cannot write its own programs, it asks (``layout``).
Every step stands in the store before it is taken, so that the next process, of whichever release, knows where it is.
"""

import asyncio
import hashlib
import logging
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from edge_agent.config import sync_directory, write_atomically
from edge_agent.download import Throttle
from edge_agent.faults import FaultBook
from edge_agent.protocol.documents import Command, TrustedKey
from edge_agent.protocol.errors import ProtocolError
from edge_agent.protocol.updates import Release, UpdateReport, UpdateState
from edge_agent.store import Store
from edge_agent.updates import fetch
from edge_agent.updates.asking import Asking
from edge_agent.updates.belief import Belief
from edge_agent.updates.bringing import Bringing
from edge_agent.updates.gate import Before, Gate, Signs
from edge_agent.updates.layout import (
    CRASHED,
    GOOD,
    NOT_QUIET,
    TRIAL,
    Ask,
    Inbox,
    Opt,
    Told,
    TrustLostError,
    Verdict,
    running,
)
from edge_agent.updates.record import UNDER_WAY, Record

log = logging.getLogger(__name__)

LOOK_S = 2.0
QUIET = timedelta(minutes=10)
"""Nothing sounds, and nothing starts within: the moment to begin with another release."""
LINKED_S = 3600.0
"""So long ago the broker may have been reached for a link to be expected of the next release."""
OVER_S = 6 * 3600
"""Beyond the trial's length, the starter ends a trial that has said nothing: its verdict waits for what sounds."""
_LOST = "which update keys are believed cannot be read any more: write the card anew"
_META = "update"


class Updates:
    """Runs until cancelled."""

    name = "updates"

    def __init__(
        self,
        opt: Opt,
        inbox: Inbox,
        store: Store,
        faults: FaultBook,
        *,
        trusted: Callable[[], tuple[TrustedKey, ...]],
        now: Callable[[], datetime],
        knows_date: Callable[[], bool],
        linked: Callable[[], bool],
        signs: Callable[[], Signs],
        is_near: Callable[[timedelta], bool],
        is_busy: Callable[[], bool],
        bring: Callable[[Release, Throttle], None],
        yields: Callable[[], bool],
        trial_s: float,
        prefix: Path | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Say who does what; ``bring`` fetches a bundle, ``yields`` says whether it has to wait, both in a thread."""
        self._opt, self._inbox, self._store, self._faults = opt, inbox, store, faults
        self._now, self._knows_date, self._linked = now, knows_date, linked
        self._signs, self._is_near, self._is_busy = signs, is_near, is_busy
        self._trial_s, self._monotonic_s = trial_s, monotonic_s
        self._running = running(prefix)
        self.on_change: Callable[[], None] = lambda: None
        self.on_leave: Callable[[], None] = lambda: None
        """Called when this process is to give way to another release."""
        saved = store.meta(_META)
        self._record = msgspec.json.decode(saved, type=Record) if saved else None
        self._gate: Gate | None = None
        self._verdict: Verdict | None = None
        self._asking = Asking(inbox, monotonic_s)
        self._belief = Belief(opt, trusted)
        self._bringing = Bringing(bring, yields=yields, monotonic_s=monotonic_s)
        self._linked_s: float | None = None
        self.ready = asyncio.Event()

    # What others read.

    @property
    def release(self) -> int:
        """The one that runs; 0 for what came with the card."""
        return self._running.release.release if self._running else 0

    @property
    def report(self) -> UpdateReport | None:
        """What became of the last one that was told."""
        return self._record.report if self._record is not None else None

    # What is told.

    def take(self, command: Command) -> bool:
        """Take a release, or report why not; False, and nothing is done, while another one is on trial."""
        token = command.release or ""
        if self._repeats(command, token):
            return True
        trying = self._record is not None and self._record.state is UpdateState.TRYING
        if trying or self._opt.on_trial() is not None:
            log.warning("release of command %s: another one is on trial", command.command_id)
            return False
        self._bringing.cancel()
        if self._opt.is_lost():
            self._refuse(Record(command.command_id, token, UpdateState.REFUSED), TrustLostError.code, _LOST)
            return True
        try:
            now = self._now() if self._knows_date() else None
            release = self._belief.taken(token, running=self.release, now=now)
        except ProtocolError as error:
            self._refuse(Record(command.command_id, token, UpdateState.REFUSED), error.code, str(error))
            return True
        self._bringing.forget_failures()
        self._put(
            Record(command.command_id, token, UpdateState.FETCHING, release=release.release, version=release.version)
        )
        return True

    def _repeats(self, command: Command, token: str) -> bool:
        """Tell whether it is what the node is at anyway; then this command is answered from now on."""
        one = self._record
        known = one is not None and one.token == token
        if one is not None and known and one.state in UNDER_WAY:
            self._put(msgspec.structs.replace(one, command_id=command.command_id))
        elif one is not None and known and one.state is UpdateState.GOOD and one.release == self.release:
            self._put(msgspec.structs.replace(one, command_id=command.command_id, ended_at=self._now()))
        else:
            return False
        return True

    async def run(self) -> None:
        """Look for ever."""
        begun = False
        self.ready.set()
        try:
            while True:
                try:
                    if not begun:
                        self.begin()
                        begun = True
                    self.look()
                except (OSError, sqlite3.Error) as error:
                    log.error("update: %s", error)  # noqa: TRY400 - a card that takes no write ends no node
                await asyncio.sleep(LOOK_S)
        finally:
            self._bringing.cancel()

    def look(self) -> None:
        """Take the next step, if it is time.

        Raises:
            OSError: the disk refuses; it is tried again.
        """
        if self._linked():
            self._linked_s = self._monotonic_s()
        if self._record is not None:
            self._record.show(self._faults, self._now())
        steps = {
            UpdateState.FETCHING: self._look_fetching,
            UpdateState.WAITING: self._look_waiting,
            UpdateState.TRYING: self._look_trying,
        }
        if self._record is not None and self._record.state in steps:
            steps[self._record.state](self._record)
        self._ask()

    # How it began.

    def begin(self) -> None:
        """See what this start means for the trial: it is tried, it was good, or it has been given up.

        Raises:
            OSError: the disk refuses.
        """
        self._inbox.root.mkdir(mode=0o755, exist_ok=True)
        self._inbox.root.chmod(0o755)
        one, trial = self._record, self._opt.on_trial()
        mine = self._running.attempt if self._running else None
        under_way = one is not None and one.state in {UpdateState.WAITING, UpdateState.TRYING}
        if trial is not None and not (one is not None and under_way and one.attempt == trial):
            one = self._unknown(trial)  # the store was lost, or it crashed in the moment of the switch
        elif one is None or not under_way or one.attempt is None:
            return
        attempt = one.attempt or ""
        later = trial == attempt and one.token and self._inbox.later(attempt).exists()
        if mine != attempt and later and not self._said(attempt):
            self._put(one)  # it was not begun with
        elif mine == attempt and (trial is None or self._said(attempt) == GOOD):
            self._be_good(one)
        elif mine == attempt:
            self._put(msgspec.structs.replace(one, state=UpdateState.TRYING))
        elif trial is not None or one.state is UpdateState.TRYING:
            self._be_returned(one, self._said(attempt) or CRASHED)

    def _unknown(self, attempt: str) -> Record:
        """Put together what is known of a trial that is not the store's."""
        laid, one = self._opt.laid(TRIAL), self._record
        release = laid.release.release if laid else 0
        told = one.command_id if one is not None and one.release == release else ""
        version = laid.release.version if laid else ""
        return Record(told, "", UpdateState.WAITING, release=release, version=version, attempt=attempt)

    def _said(self, attempt: str) -> str | None:
        try:
            return self._inbox.over(attempt).read_text("ascii", "replace").strip()[:40] or None
        except OSError:
            return None

    # Steps.

    def _look_fetching(self, one: Record) -> None:
        release = self._opened(one)
        if release is None:
            return
        if not self._inbox.bundle(release.sha256).exists():
            self._bringing.begin(release, self._not_brought)
            return
        told = self._opt.told()
        if self._opt.is_lost():
            self._refuse(one, TrustLostError.code, _LOST)
        elif told.refused is not None and told.refused.wish == one.command_id:
            self._refuse(one, told.refused.code, told.refused.detail)
        elif self._is_ready(one, told):
            self._put(msgspec.structs.replace(one, state=UpdateState.WAITING, reason=None))

    def _look_waiting(self, one: Record) -> None:
        told = self._opt.told()
        if one.attempt is not None and self._opt.on_trial() == one.attempt:
            self._look_armed(one.attempt)
        elif not self._is_ready(one, told):
            self._put(msgspec.structs.replace(one, state=UpdateState.FETCHING, attempt=None))
        elif self._is_quiet():
            if one.attempt != told.ready:
                self._put(msgspec.structs.replace(one, attempt=told.ready, before=self._before()))
        elif one.attempt is not None:
            self._put(msgspec.structs.replace(one, attempt=None, before=None))

    def _look_armed(self, attempt: str) -> None:
        """Give way while it is quiet; else see to it that no crash or power cut does so in the middle of a play."""
        later = self._inbox.later(attempt)
        if not self._is_quiet():
            if self._verdict is None:
                self._verdict = Verdict(attempt, NOT_QUIET)
                later.touch()
                sync_directory(self._inbox.root)
        elif self._verdict is None:  # what is being taken back is waited for
            later.unlink(missing_ok=True)
            self.on_leave()

    def _look_trying(self, one: Record) -> None:
        if self._gate is None:
            before = one.before or Before(linked=False, sounded=False)
            self._gate = Gate(before, self._signs, trial_s=self._trial_s, monotonic_s=self._monotonic_s)
        verdict = self._gate.look()
        if verdict is None or self._is_busy():
            return
        if not verdict:
            self._be_good(one)
        elif one.attempt is not None:
            log.error("release %d is not good: %s", one.release, verdict)
            write_atomically(self._inbox.over(one.attempt), f"{verdict}\n".encode())
            self.on_leave()

    def _be_good(self, one: Record) -> None:
        if one.attempt is not None:
            write_atomically(self._inbox.over(one.attempt), f"{GOOD}\n".encode())
            self._verdict = Verdict(one.attempt, GOOD)
        log.info("release %d is good", one.release)
        self._end(one, UpdateState.GOOD, None)

    def _be_returned(self, one: Record, why: str) -> None:
        self._verdict = Verdict(one.attempt or "", why)
        self._end(one, UpdateState.RETURNED, why if why.replace("_", "").isalpha() else CRASHED)

    def _refuse(self, one: Record, code: str, detail: str) -> None:
        log.error("update refused: %s", detail)
        self._end(msgspec.structs.replace(one, detail=detail[:300]), UpdateState.REFUSED, code)

    def _end(self, one: Record, state: UpdateState, reason: str | None) -> None:
        self._gate = None
        self._put(msgspec.structs.replace(one, state=state, reason=reason, ended_at=self._now()))

    # Small things.

    def _opened(self, one: Record) -> Release | None:
        """Read it again: keys may have changed since."""
        try:
            return self._belief.opened(one.token)
        except ProtocolError as error:
            self._refuse(one, error.code, str(error))
            return None

    def _not_brought(self, code: str) -> None:
        if self._record is not None and self._record.state is UpdateState.FETCHING:
            self._put(msgspec.structs.replace(self._record, reason=code))

    def _before(self) -> Before:
        signs, linked_s = self._signs(), self._linked_s
        linked = linked_s is not None and self._monotonic_s() - linked_s < LINKED_S
        return Before(linked=linked, sounded=signs.output, held=tuple(sorted(signs.held)))

    @staticmethod
    def _is_ready(one: Record, told: Told) -> bool:
        return told.ready is not None and told.ready_sha256 == hashlib.sha256(one.token.encode()).hexdigest()

    def _is_quiet(self) -> bool:
        return not self._is_busy() and not self._is_near(QUIET)

    def _put(self, record: Record) -> None:
        if record == self._record:
            return
        self._record = record
        record.show(self._faults, self._now())
        self._store.put_meta(_META, msgspec.json.encode(record))
        if record.state in {UpdateState.GOOD, UpdateState.RETURNED, UpdateState.REFUSED}:
            fetch.tidy(self._inbox, keep=self._verdict.attempt if self._verdict else None)
        self.on_change()

    def _ask(self) -> None:
        """Say what is wanted of the one who writes, when it has changed, and again while it is not there."""
        told, one = self._opt.told(), self._record
        if self._verdict is not None and self._opt.on_trial() != self._verdict.attempt:
            if self._verdict.word == NOT_QUIET:
                self._inbox.later(self._verdict.attempt).unlink(missing_ok=True)
            else:
                fetch.tidy(self._inbox, keep=None)
            self._verdict = None
        here = one is not None and one.state in {UpdateState.FETCHING, UpdateState.WAITING}
        release = self._opened(one) if here and one is not None else None
        lies = release is not None and self._inbox.bundle(release.sha256).exists()
        ask = Ask(
            keys=self._belief.keys if not told.pins else (),
            wish=one.command_id if lies and one else "",
            release=one.token if lies and one else None,
            limit_s=int(self._trial_s) + OVER_S,
            go=one.attempt if lies and one and self._verdict is None else None,
            verdict=self._verdict,
        )
        waits = bool(ask.keys or ask.verdict) or (
            ask.release is not None and one is not None and self._lacks(one, told)
        )
        self._asking.say(ask, waits=waits)

    def _lacks(self, one: Record, told: Told) -> bool:
        """Tell whether something is still to be done of what was asked."""
        if one.attempt is not None:
            return self._opt.on_trial() != one.attempt
        return not self._is_ready(one, told)
