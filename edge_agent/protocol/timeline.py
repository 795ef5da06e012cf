"""What sounds on a node, from where, what waits, what is refused and why. One pure function, ``step``.

The node plays by it and the centre previews by it. It reads no clock and keeps nothing: what the node has already
done comes in as ``Progress`` and goes out as changes to it.

Rules, in the order in which they block (``Reason`` names each):

1. A broadcast that has its outcome is done. An explicit stop ends it.
2. Start, latest start, latest end; from its start on, approval and length cap. A guard's no is final only then.
3. A hold silences all; what it cuts does not come back.
4. An untrusted clock stops all but emergencies that stand in an urgent. What it calls over is not over.
5. Lease, quiet hours and plays per hour stop routine; an item that would run into quiet hours does not begin.
6. Emergency cuts routine at once, and waits for the end of another emergency's item. Routine waits for routine,
   unless it has a hard start. Among the waiting: level, the operator's order, ``broadcast_id``; among emergencies:
   start, then ``broadcast_id``.
7. What another broadcast cut goes on with its next item, never before that item's slot. What waits for a file or
   the clock gives the node away meanwhile. After a power cut routine joins at the next slot that has not begun; an
   emergency leaves nothing out, and repeats the item that was cut, once.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from . import quiet
from .content import Broadcast, Voice
from .listings import Listing
from .moment import Conclusion, Progress, Sound, Step, View, Waiting
from .states import REFUSALS, ClockState, Level, Outcome, Reason, StartMode

__all__ = ["Conclusion", "Progress", "Sound", "Step", "View", "Waiting", "after_restart", "project", "step"]

_HOUR = timedelta(hours=1)
_INSTANT = timedelta(microseconds=1)


def step(view: View, at: datetime) -> Step:
    """Say what sounds at ``at``, what changes, and when to ask again."""
    return _Moment(view, at).resolve()


def project(view: View, from_at: datetime, until_at: datetime) -> Iterator[Step]:
    """Walk through time as a node would if nothing else happened; gives every step.

    This is the preview of a day, and how a node looks ahead.
    """
    at: datetime | None = from_at
    while at is not None and at < until_at:
        found = step(view, at)
        yield found
        view = msgspec.structs.replace(view, progress={**view.progress, **found.changes})
        at = found.next_at


def after_restart(progress: Progress, level: Level, at: datetime) -> Progress:
    """Say how a broadcast stands when the node comes back at ``at`` after going down without a word.

    Routine: an item that was sounding is lost. Emergency: it sounds once more. An item placed ahead of its instant,
    with that instant still to come, has not sounded.
    """
    sounding, emergency = progress.sounding, level is Level.EMERGENCY
    if progress.outcome is not None or progress.began_at is None:
        return progress
    early = sounding is not None and at < sounding.begins_at
    cut = sounding is not None and not early
    again = cut and emergency and progress.repeated != progress.next_item - 1
    if cut and not again:
        progress = _noted(progress, Reason.POWER, None)
    return msgspec.structs.replace(
        progress,
        sounding=None,
        rejoins=not emergency,
        next_item=progress.next_item - 1 if again or early else progress.next_item,
        repeated=progress.next_item - 1 if again else progress.repeated,
    )


class _Moment:
    """One evaluation: the view, the instant, and what has been found so far."""

    def __init__(self, view: View, at: datetime) -> None:
        self.view, self.at = view, at
        self.settings = view.settings
        self.changes: dict[str, Progress] = {}
        self.conclusions: list[Conclusion] = []
        self.cut: Sound | None = None
        self.waiting: list[Waiting] = []
        self.wake_ups: list[datetime] = []
        self.unsettled = False
        """An item was left out, or a broadcast cut: what follows from that belongs to the same instant."""

    def resolve(self) -> Step:
        sound = self._evaluate()
        while self.unsettled:
            self.unsettled = False
            sound = self._evaluate()
        next_at = min((wake_up for wake_up in self.wake_ups if wake_up > self.at), default=None)
        return Step(self.at, sound, self.changes, tuple(self.conclusions), self.cut, tuple(self.waiting), next_at)

    def _evaluate(self) -> Sound | None:
        self.waiting = []
        ready = [listing.broadcast for listing in self.view.listings.values() if self._may_sound(listing)]
        chosen = self._choose(ready)
        sound = self._sound(chosen) if chosen is not None else None
        for broadcast in ready:
            if broadcast is not chosen and self._progress(broadcast).outcome is None:
                self._wait(broadcast, Reason.BUSY)
        return sound

    # What a broadcast may do, taken alone.

    def _may_sound(self, listing: Listing) -> bool:
        """Tell whether nothing but another broadcast keeps it from the node; note waiting and endings."""
        broadcast = listing.broadcast
        if self._is_far(broadcast):
            self.wake_ups.append(broadcast.start_at)
            self._wait(broadcast, Reason.NOT_YET)
            return False
        progress = self._without_ended_sound(broadcast)
        if progress.outcome is not None:
            return False
        self.wake_ups.append(broadcast.latest_end_at)
        if progress.began_at is not None and self._is_over(listing, progress):
            self._finish(broadcast)
        elif progress.began_at is None:
            return self._may_begin(listing)
        else:
            return self._may_go_on(listing, progress)
        return False

    def _is_far(self, broadcast: Broadcast) -> bool:
        """Tell whether nothing of interest can happen before its start: most of a week's plan, at most steps."""
        key, view = broadcast.broadcast_id, self.view
        untouched = key not in view.progress and key not in view.stops
        return self.at < broadcast.start_at and untouched and view.clock is not ClockState.UNTRUSTED

    def _may_begin(self, listing: Listing) -> bool:
        broadcast = listing.broadcast
        if broadcast.broadcast_id in self.view.stops:
            self._conclude(broadcast, Outcome.CANCELLED, Reason.STOPPED)
            return False
        if not self._clock_serves(listing):
            self._wait(broadcast, Reason.HELD if self.view.holds else Reason.CLOCK_UNTRUSTED)
            return False
        self.wake_ups += [broadcast.start_at, broadcast.latest_start_at + _INSTANT]
        if self.at < broadcast.start_at:
            self._wait(broadcast, Reason.NOT_YET)
            return False
        if self.at >= broadcast.latest_end_at:
            why = self._why_late(broadcast)
            self._conclude(broadcast, Outcome.EXPIRED if why is Reason.LATE else Outcome.MISSED, why)
            return False
        if (guard := self._guard(listing)) is not None:
            self._conclude(broadcast, Outcome.REFUSED, guard)
            return False
        reason = self._blocker(listing, Progress())
        if self.at > broadcast.latest_start_at or not self._has_more(broadcast, Progress()):
            reason = reason or self._why_late(broadcast)
            self._conclude(broadcast, Outcome.REFUSED if reason in REFUSALS else Outcome.MISSED, reason)
        elif reason is not None:
            self._wait(broadcast, reason)
        return reason is None

    def _guard(self, listing: Listing) -> Reason | None:
        """Give the guard that no waiting will change."""
        broadcast = listing.broadcast
        cap_ms = self.settings.max_emergency_ms if _emergency(broadcast) else self.settings.max_broadcast_ms
        if not broadcast.approved_for(listing.scopes):
            return Reason.NOT_APPROVED
        return Reason.TOO_LONG if broadcast.length_ms > cap_ms else None

    def _why_late(self, broadcast: Broadcast) -> Reason:
        """Say what kept it from beginning in time when nothing keeps it now."""
        last_at, good_at, up_at = broadcast.latest_start_at, self.view.clock_good_since_at, self.view.up_since_at
        if up_at is not None and up_at > last_at:
            return Reason.OFF
        if good_at is not None and good_at > last_at:
            return Reason.CLOCK_UNTRUSTED
        return Reason.BUSY if self._others_have_node(broadcast) else Reason.LATE

    def _may_go_on(self, listing: Listing, progress: Progress) -> bool:
        broadcast, under_way = listing.broadcast, self._under_way(progress)
        stopped = broadcast.broadcast_id in self.view.stops
        reason = Reason.STOPPED if stopped else self._blocker(listing, progress)
        if reason is None:
            return True
        if under_way is None and progress.next_item == len(broadcast.items):
            self._finish(broadcast)  # only the rest of its last slot was still kept free
            return False
        if under_way is not None or reason not in {Reason.NO_FILE, Reason.CLOCK_UNTRUSTED}:
            self._conclude(broadcast, Outcome.INTERRUPTED, reason)
            return False
        if not progress.suspended:
            self.changes[broadcast.broadcast_id] = msgspec.structs.replace(progress, suspended=True)
        self._wait(broadcast, reason)
        return False

    def _clock_serves(self, listing: Listing) -> bool:
        """An untrusted clock serves only what must sound now."""
        return self.view.clock is not ClockState.UNTRUSTED or (_emergency(listing.broadcast) and listing.urgent)

    def _blocker(self, listing: Listing, progress: Progress) -> Reason | None:
        """Give the first rule that keeps it from sounding now."""
        broadcast, emergency = listing.broadcast, _emergency(listing.broadcast)
        if self.view.holds:
            return Reason.HELD
        if not self._clock_serves(listing):
            return Reason.CLOCK_UNTRUSTED
        if not emergency and (reason := self._routine_blocker(listing, progress)):
            return reason
        may_skip = progress.began_at is not None and not emergency
        item, _ = self._next_slot(broadcast, progress)
        if self._under_way(progress) or may_skip or item is None:
            return None
        return Reason.NO_FILE if self._voice(broadcast, item).sha256 in self.view.absent else None

    def _routine_blocker(self, listing: Listing, progress: Progress) -> Reason | None:
        under_way = self._under_way(progress)
        if listing.lease_until is not None:
            self.wake_ups.append(listing.lease_until)
            if self.at >= listing.lease_until and under_way is None:
                return Reason.LEASE_ENDED
        if self._would_be_heard_in_quiet_hours(listing.broadcast, progress):
            return Reason.QUIET_HOURS
        if progress.began_at is None and self._plays_in_last_hour() >= self.settings.plays_per_hour:
            return Reason.PLAYS_PER_HOUR
        return None

    def _would_be_heard_in_quiet_hours(self, broadcast: Broadcast, progress: Progress) -> bool:
        edge = quiet.next_edge(self.settings, self.at)
        if edge:
            self.wake_ups.append(edge)
        if under_way := self._under_way(progress):
            return quiet.touches(self.settings, self.at, under_way.ends_at)
        item, begins_at = self._next_slot(broadcast, progress)
        if item is None:
            return False
        length = _ms(self._voice(broadcast, item).length_ms)
        if edge:
            self.wake_ups.append(edge - length + _INSTANT)
        return quiet.touches(self.settings, begins_at, begins_at + length)

    def _plays_in_last_hour(self) -> int:
        began = [progress.began_at for progress in self.view.progress.values() if progress.began_at is not None]
        recent = [began_at for began_at in began if self.at - _HOUR < began_at <= self.at]
        self.wake_ups += [began_at + _HOUR for began_at in recent]
        return len(recent)

    # Who has the node.

    def _choose(self, ready: list[Broadcast]) -> Broadcast | None:
        holder = next((broadcast for broadcast in ready if self._has_node(self._progress(broadcast))), None)
        chosen = self._prefer(ready, holder)
        if holder is not None and chosen is not None and chosen is not holder:
            self._suspend(holder, chosen)
        return chosen

    def _prefer(self, ready: list[Broadcast], holder: Broadcast | None) -> Broadcast | None:
        emergencies = [broadcast for broadcast in ready if _emergency(broadcast)]
        if emergencies:
            if holder is not None and _emergency(holder) and self._under_way(self._progress(holder)):
                return holder
            return min(emergencies, key=lambda broadcast: (broadcast.start_at, broadcast.broadcast_id))
        first = holder or min(ready, key=_place_in_queue, default=None)
        if first is None:
            return None
        cutting = [broadcast for broadcast in ready if self._cuts_in(broadcast, first)]
        return min(cutting, key=_place_in_queue, default=first)

    def _cuts_in(self, broadcast: Broadcast, other: Broadcast) -> bool:
        """A hard start cuts, or goes ahead of, what began before it, unless that is of a higher level."""
        began_at = self._progress(other).began_at
        return (
            broadcast.start is StartMode.HARD
            and self._progress(broadcast).began_at is None
            and broadcast.level.rank >= other.level.rank
            and began_at is not None
            and began_at < broadcast.start_at
        )

    def _suspend(self, holder: Broadcast, chosen: Broadcast) -> None:
        progress = self._progress(holder)
        cut = self._under_way(progress)
        if cut is not None:
            self.cut = cut
            progress = _noted(progress, Reason.PREEMPTED, chosen.broadcast_id)
        progress = msgspec.structs.replace(progress, sounding=None, suspended=True)
        self.changes[holder.broadcast_id] = progress
        self.unsettled = True
        if self._is_over(self.view.listings[holder.broadcast_id], progress):
            self._finish(holder)
        elif not holder.resumes:
            self._conclude(holder, Outcome.INTERRUPTED, Reason.PREEMPTED, chosen.broadcast_id)

    # What sounds, once a broadcast has the node.

    def _sound(self, broadcast: Broadcast) -> Sound | None:
        progress = self._progress(broadcast)
        under_way = self._under_way(progress)
        if under_way is not None:
            self.wake_ups += [under_way.ends_at, self._slot_end(broadcast, progress)]
            return under_way
        item, begins_at = self._next_slot(broadcast, progress)
        if item is None or begins_at > self.at:
            # Between two items, or in the rest of a slot whose longer voice sounds elsewhere.
            self.wake_ups.append(begins_at if item is not None else self._slot_end(broadcast, progress))
            return None
        voice = self._voice(broadcast, item)
        if voice.sha256 in self.view.absent:
            self.unsettled = True
            progress = _noted(progress, Reason.NO_FILE, None)
            self.changes[broadcast.broadcast_id] = msgspec.structs.replace(progress, next_item=item + 1)
            return None
        return self._begin(broadcast, progress, item, voice)

    def _begin(self, broadcast: Broadcast, progress: Progress, item: int, voice: Voice) -> Sound:
        sound = Sound(
            broadcast_id=broadcast.broadcast_id,
            item=item,
            voice=voice,
            begins_at=self.at,
            ends_at=self.at + _ms(voice.length_ms),
            gain_mb=self._gain(broadcast, voice),
        )
        if item > progress.next_item:
            progress = _noted(progress, Reason.POWER, None)
        begun = msgspec.structs.replace(
            progress,
            began_at=progress.began_at or self.at,
            anchor_at=self.at - _ms(broadcast.items[item].offset_ms),
            next_item=item + 1,
            sounding=sound,
            suspended=False,
            rejoins=False,
        )
        self.changes[broadcast.broadcast_id] = begun
        self.wake_ups += [sound.ends_at, self._slot_end(broadcast, begun)]
        return sound

    def _gain(self, broadcast: Broadcast, voice: Voice) -> int:
        settings = self.settings
        gain_mb = min(voice.gain_mb + settings.volume_mb + settings.trim_mb, settings.cap_mb)
        night = settings.night_cap
        if night and not _emergency(broadcast) and quiet.in_window(night.window, settings.zone, self.at):
            gain_mb = min(gain_mb, night.cap_mb)
        return gain_mb

    # Reading and writing progress.

    def _progress(self, broadcast: Broadcast) -> Progress:
        key = broadcast.broadcast_id
        return self.changes.get(key) or self.view.progress.get(key) or Progress()

    def _under_way(self, progress: Progress) -> Sound | None:
        """Give the sound that has not reached its end."""
        sounding = progress.sounding
        return sounding if sounding is not None and self.at < sounding.ends_at else None

    def _without_ended_sound(self, broadcast: Broadcast) -> Progress:
        """Give its progress; a sound that has reached its end was heard, and a crash can no longer cut it."""
        progress = self._progress(broadcast)
        if progress.sounding is not None and self._under_way(progress) is None:
            progress = msgspec.structs.replace(progress, sounding=None)
            self.changes[broadcast.broadcast_id] = progress
        return progress

    def _next_slot(self, broadcast: Broadcast, progress: Progress) -> tuple[int | None, datetime]:
        """Give the next item and when it may begin; None when there is none left."""
        anchor_at = progress.anchor_at or max(broadcast.start_at, self.at)
        for item in range(progress.next_item, len(broadcast.items)):
            slot_at = anchor_at + _ms(broadcast.items[item].offset_ms)
            if slot_at >= self.at or not progress.rejoins:
                return item, max(slot_at, self.at)
        return None, self.at

    def _has_more(self, broadcast: Broadcast, progress: Progress) -> bool:
        """Tell whether there is a next item that would end in time."""
        item, begins_at = self._next_slot(broadcast, progress)
        if item is None:
            return False
        last_at = broadcast.latest_end_at - _ms(self._voice(broadcast, item).length_ms)
        self.wake_ups.append(last_at + _INSTANT)
        return begins_at <= last_at

    def _is_over(self, listing: Listing, progress: Progress) -> bool:
        """Tell whether nothing of it is to come, nor the rest of a slot that it keeps free for its neighbours."""
        broadcast = listing.broadcast
        if self._under_way(progress):
            return False
        if progress.next_item < len(broadcast.items):
            return self._clock_serves(listing) and not self._has_more(broadcast, progress)
        given_up = progress.suspended or progress.rejoins
        return given_up or self.at >= min(self._slot_end(broadcast, progress), broadcast.latest_end_at)

    def _finish(self, broadcast: Broadcast) -> None:
        """End what has had its time: it was played unless something took part of it away."""
        progress = self._progress(broadcast)
        if progress.next_item < len(broadcast.items):
            progress = _noted(progress, Reason.POWER if progress.rejoins else Reason.LATEST_END, None)
        outcome = Outcome.INTERRUPTED if progress.cut_by else Outcome.PLAYED
        self._conclude(broadcast, outcome, progress.cut_by, progress.by)

    def _slot_end(self, broadcast: Broadcast, progress: Progress) -> datetime:
        if progress.anchor_at is None or progress.next_item == 0:
            return self.at
        item = broadcast.items[progress.next_item - 1]
        return progress.anchor_at + _ms(item.offset_ms + item.slot_ms)

    def _has_node(self, progress: Progress) -> bool:
        return progress.began_at is not None and not progress.suspended

    def _others_have_node(self, broadcast: Broadcast) -> bool:
        return any(
            key != broadcast.broadcast_id and progress.outcome is None and self._has_node(progress)
            for key, progress in self.view.progress.items()
        )

    def _voice(self, broadcast: Broadcast, item: int) -> Voice:
        return broadcast.items[item].voice_for(self.settings.languages)

    def _wait(self, broadcast: Broadcast, reason: Reason) -> None:
        self.waiting.append(Waiting(broadcast.broadcast_id, reason))

    def _conclude(
        self, broadcast: Broadcast, outcome: Outcome, reason: Reason | None = None, by: str | None = None
    ) -> None:
        progress = self._progress(broadcast)
        under_way = self._under_way(progress)
        if under_way is not None:
            self.cut = under_way
        if reason is Reason.HELD:
            by = min(self.view.holds)
        if outcome is not Outcome.PLAYED:
            progress = _noted(progress, reason, by)
            reason, by = progress.cut_by, progress.by
        self.changes[broadcast.broadcast_id] = msgspec.structs.replace(
            progress, outcome=outcome, sounding=None, suspended=False
        )
        self.conclusions.append(Conclusion(broadcast.broadcast_id, outcome, reason, by))


def _noted(progress: Progress, reason: Reason | None, by: str | None) -> Progress:
    """Keep the first thing that took something away."""
    return progress if progress.cut_by else msgspec.structs.replace(progress, cut_by=reason, by=by)


def _emergency(broadcast: Broadcast) -> bool:
    return broadcast.level is Level.EMERGENCY


def _place_in_queue(broadcast: Broadcast) -> tuple[int, int, str]:
    return -broadcast.level.rank, broadcast.order, broadcast.broadcast_id


def _ms(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)
