"""How one broadcast stands at one instant: what of it sounds, what comes next, whether it is over.

It knows nothing of other broadcasts, and of the guards only the clock: ``guards`` and ``timeline`` ask it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from .content import Broadcast, Voice
from .listings import Listing
from .moment import Progress, Sound, View
from .rules import RuleName, Trace
from .states import ClockState, Drill, Level, Reason

INSTANT = timedelta(microseconds=1)
"""The finest that an instant on the wire tells."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One broadcast, its progress, and the instant that is asked about."""

    listing: Listing
    progress: Progress
    view: View
    at: datetime
    wake_ups: list[datetime]
    """Filled by those who ask: instants at which an answer changes by itself."""
    trace: Trace | None = None
    """Filled by those who ask, when someone wants to know why."""

    def passes(self, *names: RuleName) -> None:
        """Note rules that do not keep it from sounding."""
        if self.trace is not None:
            self.trace.passes(*names)

    def blocks(self, name: RuleName, reason: Reason, by: str | None = None) -> Reason:
        """Note the rule that keeps it from sounding; gives the reason."""
        if self.trace is not None:
            self.trace.blocks(name, reason, by)
        return reason

    @property
    def broadcast(self) -> Broadcast:
        """What is to sound."""
        return self.listing.broadcast

    @property
    def is_emergency(self) -> bool:
        """Whether it is of the highest level."""
        return self.broadcast.level is Level.EMERGENCY

    @property
    def is_heard_drill(self) -> bool:
        """Whether it is an emergency in all but this: whoever sleeps would be woken for nothing."""
        return self.is_emergency and self.broadcast.drill is Drill.MARKED

    @property
    def is_urgent_emergency(self) -> bool:
        """Whether it must sound now, even by another's clock."""
        return self.is_emergency and self.listing.urgent

    @property
    def clock_serves(self) -> bool:
        """Whether its times can be judged; by the centre's clock what must sound now, else by a good one only."""
        return self.view.clock is not ClockState.UNTRUSTED or (self.is_urgent_emergency and self.view.answered)

    @property
    def under_way(self) -> Sound | None:
        """The sound that has not reached its end."""
        sounding = self.progress.sounding
        return sounding if sounding is not None and self.at < sounding.ends_at else None

    @property
    def has_begun(self) -> bool:
        """Whether anything of it sounded here."""
        return self.progress.began_at is not None

    @property
    def has_items_left(self) -> bool:
        """Whether an item has not begun."""
        return self.progress.next_item < len(self.broadcast.items)

    @property
    def has_sound_left(self) -> bool:
        """Whether an item that is heard here has not begun."""
        return self.is_heard(self.progress.next_item, len(self.broadcast.items))

    def is_heard(self, start: int, stop: int) -> bool:
        """Tell whether any of these items has a voice for this node."""
        return any(self.voice(item) is not None for item in range(start, stop))

    def length(self, item: int) -> timedelta:
        """Give for how long an item sounds here: not at all without a voice for this node."""
        voice = self.voice(item)
        return ms(voice.length_ms) if voice is not None else timedelta(0)

    @property
    def slot_end(self) -> datetime:
        """Until when the slot of the item that began last is kept free for neighbours with longer voices."""
        if self.progress.anchor_at is None or self.progress.next_item == 0:
            return self.at
        item = self.broadcast.items[self.progress.next_item - 1]
        return self.progress.anchor_at + ms(item.offset_ms + item.slot_ms)

    def voice(self, item: int) -> Voice | None:
        """Give the voice of an item that is heard here; None when its slot passes in silence."""
        return self.broadcast.items[item].voice_for(self.view.settings.languages)

    def next_slot(self) -> tuple[int | None, datetime]:
        """Give the next item and when it may begin; None when there is none left."""
        anchor_at = self.progress.anchor_at or max(self.broadcast.start_at, self.at)
        for item in range(self.progress.next_item, len(self.broadcast.items)):
            slot_at = anchor_at + ms(self.broadcast.items[item].offset_ms)
            if slot_at >= self.at or not self.progress.rejoins:
                return item, max(slot_at, self.at)
        return None, self.at

    def has_more(self) -> bool:
        """Tell whether there is a next item that would end in time."""
        item, begins_at = self.next_slot()
        if item is None:
            return False
        last_at = self.broadcast.latest_end_at - self.length(item)
        self.wake_ups.append(last_at + INSTANT)
        return begins_at <= last_at

    def is_over(self) -> bool:
        """Tell whether nothing of it is to come, nor the rest of a slot that it keeps free for its neighbours."""
        if self.under_way:
            return False
        given_up = self.progress.suspended or self.progress.rejoins
        if self.has_sound_left or (self.has_items_left and not given_up):
            return self.clock_serves and not self.has_more()
        return given_up or self.at >= min(self.slot_end, self.broadcast.latest_end_at)


def has_node(progress: Progress) -> bool:
    """Tell whether routine must wait for it."""
    return progress.began_at is not None and not progress.suspended


def noted(progress: Progress, reason: Reason | None, by: str | None = None) -> Progress:
    """Keep the first thing that took something away."""
    return progress if progress.cut_by else msgspec.structs.replace(progress, cut_by=reason, by=by)


def ms(milliseconds: int) -> timedelta:
    """Turn a duration of the wire into one to reckon with."""
    return timedelta(milliseconds=milliseconds)
