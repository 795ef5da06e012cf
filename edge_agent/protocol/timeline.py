"""What sounds on a node, from where, what waits, what is refused and why. One pure function, ``step``.

The node plays by it and the centre previews by it. It reads no clock and keeps nothing: what the node has already
done comes in as ``Progress`` and goes out as changes to it.
``standing`` says how one broadcast stands, ``guards`` what keeps it from sounding; here is what follows from both, and
who goes first.

Rules, in the order in which they block (``Reason`` names each):

1. A broadcast that has its outcome is done. An explicit stop ends it.
2. Start, latest start, latest end; from its start on, approval and length cap. A guard's no is final only then. Of the
   versions of one run only the first to begin is heard; it goes before all that follows.
3. A hold silences all; what it cuts does not come back.
4. An untrusted clock stops all but emergencies that stand in an urgent, and those too until the centre has told the
   time. What it calls over is not over.
5. Lease, windows, quiet hours and plays per hour stop routine; an item that would run out of the windows or into
   quiet hours does not begin. Of a drill that is heard the same hours hold, whatever its level.
6. Emergency cuts routine at once, and waits for the end of another emergency's item. Routine waits for routine,
   unless it has a hard start. Among the waiting: level, the operator's order, ``broadcast_id``; among emergencies:
   start, then ``broadcast_id``.
7. What another broadcast cut goes on with its next item, never before that item's slot. What waits for a file or
   the clock gives the node away meanwhile. After a power cut routine joins at the next slot that has not begun; an
   emergency leaves nothing out, and repeats the item that was cut, once.
8. The slot of an item that has no voice for this node passes in silence, and is kept free like any other.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from .ahead import Ahead
from .content import Broadcast, Voice
from .guards import blocker, guard, held, volume, why_late
from .listings import Listing
from .moment import Conclusion, Progress, Sound, Step, View, Waiting, runs_begun
from .rules import RuleName, Trace
from .standing import INSTANT, Standing, has_node, ms, noted
from .states import REFUSALS, ClockState, Level, Outcome, Reason, StartMode

__all__ = ["Conclusion", "Progress", "Sound", "Step", "View", "Waiting", "after_restart", "project", "step", "walk"]


def step(view: View, at: datetime, trace: Trace | None = None) -> Step:
    """Say what sounds at ``at``, what changes, and when to ask again; ``trace`` is told why of its broadcast."""
    return _Moment(view, at, trace).resolve()


def project(view: View, from_at: datetime, until_at: datetime) -> Iterator[Step]:
    """Walk through time as a node would if nothing else happened; gives every step.

    This is the preview of a day, and how a node looks ahead. What is far off or over does not stand among ``waiting``.
    """
    return (found for _, found in walk(view, from_at, until_at))


def walk(view: View, from_at: datetime, until_at: datetime) -> Iterator[tuple[View, Step]]:
    """Give every step with the view that it was found in, which holds only what counts then."""
    ahead = Ahead(view)
    at: datetime | None = from_at
    while at is not None and at < until_at:
        near = ahead.near(at)
        found = step(near, at)
        found = found._replace(next_at=ahead.next_after(found))
        yield near, found
        ahead.keep(found)
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
    again = cut and emergency and progress.may_repeat(progress.next_item - 1)
    if cut and not again:
        progress = noted(progress, Reason.POWER)
    return msgspec.structs.replace(
        progress,
        sounding=None,
        rejoins=not emergency,
        next_item=progress.next_item - 1 if again or early else progress.next_item,
        repeated=progress.next_item - 1 if again else progress.repeated,
    )


class _Moment:
    """One evaluation: the view, the instant, and what has been found so far."""

    def __init__(self, view: View, at: datetime, trace: Trace | None = None) -> None:
        self.view, self.at, self.trace = view, at, trace
        self.changes: dict[str, Progress] = {}
        self.conclusions: list[Conclusion] = []
        self.cut: Sound | None = None
        self.waiting: list[Waiting] = []
        self.wake_ups: list[datetime] = []
        self.begun_runs = runs_begun(view.begun_runs, view.listings, view.progress)
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
        if self.trace is not None:
            self.trace.begin()
        ready = [listing.broadcast for listing in self.view.listings.values() if self._may_sound(listing)]
        chosen = self._choose(ready)
        sound = self._sound(chosen) if chosen is not None else None
        for broadcast in ready:
            if broadcast is not chosen and self._progress(broadcast).outcome is None:
                by = chosen.broadcast_id if chosen is not None else None
                self._wait(broadcast, self._standing(broadcast).blocks(RuleName.NODE_FREE, Reason.BUSY, by))
        return sound

    # What a broadcast may do, taken alone.

    def _may_sound(self, listing: Listing) -> bool:
        """Tell whether nothing but another broadcast keeps it from the node; note waiting and endings."""
        broadcast = listing.broadcast
        if self._is_far(broadcast):
            self.wake_ups.append(broadcast.start_at)
            self._wait_for_start(self._standing(broadcast))
            return False
        self._let_ended_sound_go(broadcast)
        one = self._standing(broadcast)
        one.passes(RuleName.LISTED)
        if one.progress.outcome is not None:
            self._trace_end(broadcast, one.progress.cut_by, one.progress.by)
            return False
        one.passes(RuleName.OPEN)
        self.wake_ups.append(broadcast.latest_end_at)
        if not one.has_begun:
            return self._may_begin(one)
        if one.is_over():
            self._finish(broadcast)
            return False
        return self._may_go_on(one)

    def _is_far(self, broadcast: Broadcast) -> bool:
        """Tell whether nothing of interest can happen before its start: most of a week's plan, at most steps."""
        key, view = broadcast.broadcast_id, self.view
        untouched = key not in view.progress and key not in view.stops
        return self.at < broadcast.start_at and untouched and view.clock is not ClockState.UNTRUSTED

    def _may_begin(self, one: Standing) -> bool:
        broadcast = one.broadcast
        if broadcast.broadcast_id in self.view.stops:
            self._conclude(broadcast, Outcome.CANCELLED, one.blocks(RuleName.NOT_STOPPED, Reason.STOPPED))
            return False
        one.passes(RuleName.NOT_STOPPED)
        if not one.clock_serves:
            self._wait(broadcast, held(one) if self.view.holds else one.blocks(RuleName.CLOCK, Reason.CLOCK_UNTRUSTED))
            return False
        self.wake_ups += [broadcast.start_at, broadcast.latest_start_at + INSTANT]
        if self.at < broadcast.start_at:
            self._wait_for_start(one)
            return False
        one.passes(RuleName.CLOCK, RuleName.STARTED)
        if self._is_over_unbegun(one):
            return False
        reason = blocker(one)
        if self.at > broadcast.latest_start_at or not one.has_more():
            reason = reason or one.blocks(RuleName.IN_TIME, why_late(one))
            self._conclude(broadcast, Outcome.REFUSED if reason in REFUSALS else Outcome.MISSED, reason)
        elif reason is not None:
            self._wait(broadcast, reason)
        one.passes(RuleName.IN_TIME)
        return reason is None

    def _is_over_unbegun(self, one: Standing) -> bool:
        """Conclude what no waiting will change: another version has begun, its time is up, or a guard says no."""
        broadcast = one.broadcast
        if (other := self.begun_runs.get(broadcast.run_id)) is not None:
            why = one.blocks(RuleName.NOT_BEGUN, Reason.ALREADY_BEGUN, other)
            self._conclude(broadcast, Outcome.CANCELLED, why, other)
            return True
        one.passes(RuleName.NOT_BEGUN)
        if self.at >= broadcast.latest_end_at:
            why = one.blocks(RuleName.NOT_OVER, why_late(one))
            self._conclude(broadcast, Outcome.EXPIRED if why is Reason.LATE else Outcome.MISSED, why)
            return True
        one.passes(RuleName.NOT_OVER)
        if (no := guard(one)) is not None:
            self._conclude(broadcast, Outcome.REFUSED, no)
            return True
        return False

    def _wait_for_start(self, one: Standing) -> None:
        one.passes(RuleName.LISTED, RuleName.OPEN, RuleName.NOT_STOPPED, RuleName.CLOCK)
        self._wait(one.broadcast, one.blocks(RuleName.STARTED, Reason.NOT_YET))

    def _may_go_on(self, one: Standing) -> bool:
        broadcast = one.broadcast
        one.passes(RuleName.STARTED, RuleName.NOT_BEGUN, RuleName.NOT_OVER)
        one.passes(RuleName.APPROVED, RuleName.LENGTH, RuleName.IN_TIME)
        reason = self._stopped(one) or blocker(one)
        if reason is None:
            return True
        if one.under_way is None and not one.has_sound_left:
            self._finish(broadcast)  # only the rest of its slots was still kept free
        elif one.under_way is not None or reason not in {Reason.NO_FILE, Reason.CLOCK_UNTRUSTED}:
            self._conclude(broadcast, Outcome.INTERRUPTED, reason)
        else:
            if not one.progress.suspended:
                self.changes[broadcast.broadcast_id] = msgspec.structs.replace(one.progress, suspended=True)
            self._wait(broadcast, reason)
        return False

    def _stopped(self, one: Standing) -> Reason | None:
        if one.broadcast.broadcast_id in self.view.stops:
            return one.blocks(RuleName.NOT_STOPPED, Reason.STOPPED)
        one.passes(RuleName.NOT_STOPPED)
        return None

    # Who has the node.

    def _choose(self, ready: list[Broadcast]) -> Broadcast | None:
        holder = next((broadcast for broadcast in ready if has_node(self._progress(broadcast))), None)
        chosen = self._prefer(ready, holder)
        if holder is not None and chosen is not None and chosen is not holder:
            self._suspend(holder, chosen)
        return chosen

    def _prefer(self, ready: list[Broadcast], holder: Broadcast | None) -> Broadcast | None:
        emergencies = [broadcast for broadcast in ready if _emergency(broadcast)]
        if emergencies:
            if holder is not None and _emergency(holder) and self._standing(holder).under_way:
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
        progress, cut = self._progress(holder), self._standing(holder).under_way
        if cut is not None:
            self.cut = cut
            progress = noted(progress, Reason.PREEMPTED, chosen.broadcast_id)
        progress = msgspec.structs.replace(progress, sounding=None, suspended=True)
        self.changes[holder.broadcast_id] = progress
        self.unsettled = True
        one = self._standing(holder)
        is_over = one.is_over()
        if cut is not None or not is_over:
            one.blocks(RuleName.NODE_FREE, Reason.PREEMPTED, chosen.broadcast_id)
        if is_over:
            self._finish(holder)
        elif not holder.resumes:
            self._conclude(holder, Outcome.INTERRUPTED, Reason.PREEMPTED, chosen.broadcast_id)

    # What sounds, once a broadcast has the node.

    def _sound(self, broadcast: Broadcast) -> Sound | None:
        one = self._standing(broadcast)
        one.passes(RuleName.NODE_FREE)
        if one.under_way is not None:
            one.passes(RuleName.SLOT)
            self.wake_ups += [one.under_way.ends_at, one.slot_end]
            return one.under_way
        item, begins_at = one.next_slot()
        if item is None or begins_at > self.at:
            # Between two items, or in the rest of a slot whose longer voice sounds elsewhere.
            self.wake_ups.append(begins_at if item is not None else one.slot_end)
            one.blocks(RuleName.SLOT, Reason.NOT_YET)
            return None
        one.passes(RuleName.SLOT)
        voice = one.voice(item)
        if voice is None:
            self.unsettled = True
            self._take_slot(one, item, None)
            return None
        if voice.sha256 in self.view.absent:
            self.unsettled = True
            progress = noted(one.progress, Reason.NO_FILE)
            self.changes[broadcast.broadcast_id] = msgspec.structs.replace(progress, next_item=item + 1)
            return None
        return self._begin(one, item, voice)

    def _begin(self, one: Standing, item: int, voice: Voice) -> Sound:
        sound = Sound(
            broadcast_id=one.broadcast.broadcast_id,
            item=item,
            voice=voice,
            begins_at=self.at,
            ends_at=self.at + ms(voice.length_ms),
            gain_mb=volume(one, voice),
        )
        self._take_slot(one, item, sound)
        self.wake_ups += [sound.ends_at, self._standing(one.broadcast).slot_end]
        return sound

    def _take_slot(self, one: Standing, item: int, sound: Sound | None) -> None:
        """Begin an item: with its sound, or in silence where it has no voice for this node."""
        broadcast, progress = one.broadcast, one.progress
        if not one.has_begun:
            self._begin_run(broadcast)
        if one.is_heard(progress.next_item, item):
            progress = noted(progress, Reason.POWER)
        self.changes[broadcast.broadcast_id] = msgspec.structs.replace(
            progress,
            began_at=progress.began_at or self.at,
            anchor_at=self.at - ms(broadcast.items[item].offset_ms),
            next_item=item + 1,
            sounding=sound,
            suspended=False,
            rejoins=False,
        )

    def _begin_run(self, broadcast: Broadcast) -> None:
        """From now on no other version of it can begin."""
        key, run_id = broadcast.broadcast_id, broadcast.run_id
        self.begun_runs[run_id] = key
        if any(one.broadcast.run_id == run_id and other != key for other, one in self.view.listings.items()):
            self.unsettled = True

    # Reading and writing progress.

    def _progress(self, broadcast: Broadcast) -> Progress:
        key = broadcast.broadcast_id
        return self.changes.get(key) or self.view.progress.get(key) or Progress()

    def _standing(self, broadcast: Broadcast) -> Standing:
        listing = self.view.listings[broadcast.broadcast_id]
        traced = self.trace is not None and self.trace.broadcast_id == broadcast.broadcast_id
        trace = self.trace if traced else None
        return Standing(listing, self._progress(broadcast), self.view, self.at, self.wake_ups, trace)

    def _trace_end(self, broadcast: Broadcast, reason: Reason | None, by: str | None) -> None:
        if self.trace is not None and self.trace.broadcast_id == broadcast.broadcast_id:
            self.trace.ends(reason, by)

    def _let_ended_sound_go(self, broadcast: Broadcast) -> None:
        """A sound that has reached its end was heard, and a crash can no longer cut it."""
        one = self._standing(broadcast)
        if one.progress.sounding is not None and one.under_way is None:
            self.changes[broadcast.broadcast_id] = msgspec.structs.replace(one.progress, sounding=None)

    def _finish(self, broadcast: Broadcast) -> None:
        """End what has had its time: it was played unless something took part of it away."""
        progress = self._progress(broadcast)
        if self._standing(broadcast).has_sound_left:
            progress = noted(progress, Reason.POWER if progress.rejoins else Reason.LATEST_END)
        outcome = Outcome.INTERRUPTED if progress.cut_by else Outcome.PLAYED
        self._conclude(broadcast, outcome, progress.cut_by, progress.by)

    def _wait(self, broadcast: Broadcast, reason: Reason) -> None:
        self.waiting.append(Waiting(broadcast.broadcast_id, reason))

    def _conclude(
        self, broadcast: Broadcast, outcome: Outcome, reason: Reason | None = None, by: str | None = None
    ) -> None:
        progress, under_way = self._progress(broadcast), self._standing(broadcast).under_way
        if under_way is not None:
            self.cut = under_way
        if reason is Reason.HELD:
            by = min(self.view.holds)
        if outcome is not Outcome.PLAYED:
            progress = noted(progress, reason, by)
            reason, by = progress.cut_by, progress.by
        self.changes[broadcast.broadcast_id] = msgspec.structs.replace(
            progress, outcome=outcome, sounding=None, suspended=False
        )
        self._trace_end(broadcast, reason, by)
        self.conclusions.append(Conclusion(broadcast.broadcast_id, outcome, reason, by))


def _emergency(broadcast: Broadcast) -> bool:
    return broadcast.level is Level.EMERGENCY


def _place_in_queue(broadcast: Broadcast) -> tuple[int, int, str]:
    return -broadcast.level.rank, broadcast.order, broadcast.broadcast_id
