"""Tells what becomes of plays before anything of them sounds: received, cached, withdrawn, left out after a loss.

What may sound and when is not decided here; the player asks the timeline for that.
"""

from datetime import datetime
from typing import Protocol

from edge_agent.clock import Clock
from edge_agent.keeper import Keeper
from edge_agent.ledger import Ledger, Play, new_play
from edge_agent.protocol.listings import Listing
from edge_agent.protocol.states import Level, Outcome, PlayState, Reason
from edge_agent.protocol.timeline import Conclusion
from edge_agent.reset import Reset
from edge_agent.shelf import Shelf
from edge_agent.store import Store

NOTE_AT_ONCE = 50
"""Broadcasts reported as received in one go: 10 ms on a PC, so that sound does not wait for a plan of a week."""


class Report(Protocol):
    """Writes an outcome down, for good; the stage's."""

    def __call__(self, play: Play, conclusion: Conclusion, *, missing: Reason) -> None:
        """``missing`` is the reason when evidence is wanting."""


class Register:
    """The plays of what is ordered, as far as orders and files alone bring them."""

    def __init__(
        self, clock: Clock, store: Store, ledger: Ledger, keeper: Keeper, shelf: Shelf, *, report: Report
    ) -> None:
        self._clock, self._store, self._ledger, self._keeper = clock, store, ledger, keeper
        self._shelf, self._report = shelf, report
        self._reset = Reset(store, clock)
        self.has_more = False
        """There are broadcasts that have not been reported as received."""

    def note_orders(self) -> None:
        """Report what has been received, nearest first and some at a time, and what was withdrawn before it began."""
        if self._keeper.settings is None:
            return
        now, listings = self._clock.now(), self._keeper.listings
        new = [listing for key, listing in listings.items() if key not in self._ledger.plays]
        new.sort(key=lambda listing: listing.broadcast.start_at)
        self.has_more = len(new) > NOTE_AT_ONCE
        with self._store.writing():
            for listing in new[:NOTE_AT_ONCE]:
                self._receive(listing, now)
            for key, play in list(self._ledger.plays.items()):
                waits = play.progress.began_at is None and play.progress.outcome is None
                if waits and key not in listings and self._is_known_gone(play):
                    self._withdraw(play)
            for listing in new[:NOTE_AT_ONCE]:
                self.note_cached(listing)

    def note_files(self, sha256: str) -> None:
        """Report broadcasts for which this recording was the last that they lacked."""
        with self._store.writing():
            for listing in self._keeper.listings.values():
                voices = [voice for item in listing.broadcast.items for voice in item.voices]
                if any(voice.sha256 == sha256 for voice in voices):
                    self.note_cached(listing)

    def note_cached(self, listing: Listing) -> None:
        """Report, once, that all its audio is here."""
        settings, play = self._keeper.settings, self._ledger.plays.get(listing.broadcast.broadcast_id)
        if settings is None or play is None or play.said is not PlayState.RECEIVED or play.reported:
            return
        if all(self._shelf.has(voice.sha256) for voice in listing.broadcast.voices_for(settings.languages)):
            self._ledger.advance(play, PlayState.CACHED, self._clock.now())

    def judge_reset(self) -> None:
        """Leave out what came before it was known when the store was lost: nothing of it has begun since."""
        if not self._reset.is_open:
            return
        with self._store.writing():
            lost_at = self._reset.work_out()
            for key, listing in self._keeper.listings.items():
                play = self._ledger.plays.get(key)
                if play is not None and play.progress.began_at is None and play.progress.outcome is None:
                    self._leave_out(play, listing, lost_at)

    def _receive(self, listing: Listing, now: datetime) -> None:
        play = new_play(listing)
        self._ledger.put(play)
        play = self._ledger.advance(play, PlayState.RECEIVED, now)
        self._leave_out(play, listing, self._reset.at)

    def _leave_out(self, play: Play, listing: Listing, lost_at: datetime | None) -> None:
        """The store was lost: at most once means that routine of before is not begun again."""
        if lost_at is None or listing.broadcast.start_at > lost_at or listing.broadcast.level is Level.EMERGENCY:
            return
        conclusion = Conclusion(play.broadcast_id, Outcome.MISSED, Reason.OFF, None)
        self._report(play, conclusion, missing=Reason.OFF)

    def _is_known_gone(self, play: Play) -> bool:
        """Tell whether nobody can list it any more; a document that is left out might, and comes again."""
        over = play.latest_end_at <= self._clock.surely()
        return over or self._keeper.knows_all or play.broadcast_id in self._keeper.stops

    def _withdraw(self, play: Play) -> None:
        outcome, reason = Outcome.CANCELLED, Reason.WITHDRAWN
        if play.broadcast_id in self._keeper.stops:
            reason = Reason.STOPPED
        elif play.latest_end_at <= self._clock.surely():
            outcome, reason = self._slept_through(play)
        self._report(play, Conclusion(play.broadcast_id, outcome, reason, None), missing=reason)

    def _slept_through(self, play: Play) -> tuple[Outcome, Reason]:
        """Say why what has passed was not begun, in the timeline's words and order."""
        good_since_at = self._clock.good_since_at
        if self._clock.up_since_at > play.latest_end_at:
            return Outcome.MISSED, Reason.OFF
        if good_since_at is not None and good_since_at > play.latest_end_at:
            return Outcome.MISSED, Reason.CLOCK_UNTRUSTED
        return Outcome.EXPIRED, Reason.LATE
