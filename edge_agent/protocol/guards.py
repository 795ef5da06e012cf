"""What keeps a broadcast from sounding, taken alone: the node's last guard. Who goes first is ``timeline``'s."""

from datetime import datetime, timedelta

from .content import Voice
from .documents import Settings
from .moment import Progress, View
from .quiet import in_window, next_edge, touches, within
from .rules import RuleName
from .standing import INSTANT, Standing, has_node
from .states import Reason

HOUR = timedelta(hours=1)


def guard(one: Standing) -> Reason | None:
    """Give the guard that no waiting will change."""
    settings = one.view.settings
    cap_ms = settings.max_emergency_ms if one.is_emergency else settings.max_broadcast_ms
    if not one.broadcast.approved_for(one.listing.scopes):
        return one.blocks(RuleName.APPROVED, Reason.NOT_APPROVED)
    one.passes(RuleName.APPROVED)
    if one.broadcast.length_ms > cap_ms:
        return one.blocks(RuleName.LENGTH, Reason.TOO_LONG)
    one.passes(RuleName.LENGTH)
    return None


def blocker(one: Standing) -> Reason | None:
    """Give the first rule that keeps it from sounding now."""
    if one.view.holds:
        return held(one)
    one.passes(RuleName.NOT_HELD)
    if not one.clock_serves and not (one.is_urgent_emergency and one.under_way):
        return one.blocks(RuleName.CLOCK, Reason.CLOCK_UNTRUSTED)
    one.passes(RuleName.CLOCK)
    if not one.is_emergency and (reason := _routine_blocker(one)):
        return reason
    if one.is_heard_drill and (reason := _drill_blocker(one)):
        return reason
    one.passes(RuleName.LEASE, RuleName.WINDOWS, RuleName.QUIET_HOURS, RuleName.PLAYS_PER_HOUR)
    if _lacks_file(one):
        return one.blocks(RuleName.FILE, Reason.NO_FILE)
    one.passes(RuleName.FILE)
    return None


def held(one: Standing) -> Reason:
    """Say that it is silenced; of several holds the first by name is told."""
    return one.blocks(RuleName.NOT_HELD, Reason.HELD, min(one.view.holds))


def why_late(one: Standing) -> Reason:
    """Say what kept it from beginning in time when nothing keeps it now."""
    last_at, view = one.broadcast.latest_start_at, one.view
    if view.up_since_at is not None and view.up_since_at > last_at:
        return Reason.OFF
    if view.clock_good_since_at is not None and view.clock_good_since_at > last_at:
        return Reason.CLOCK_UNTRUSTED
    return Reason.BUSY if _others_have_node(one) else Reason.LATE


def volume(one: Standing, voice: Voice) -> int:
    """Give the gain at which a voice that begins now sounds here, in hundredths of a decibel."""
    return gain_at(one.view.settings, voice, one.at, emergency=one.is_emergency)


def gain_at(settings: Settings, voice: Voice, at: datetime, *, emergency: bool) -> int:
    """Give the gain of a voice that begins at an instant, by volume, trim and caps."""
    night = settings.night_cap
    gain_mb = min(voice.gain_mb + settings.volume_mb + settings.trim_mb, settings.cap_mb)
    if night and not emergency and in_window(night.window, settings.zone, at):
        gain_mb = min(gain_mb, night.cap_mb)
    return gain_mb


def _lacks_file(one: Standing) -> bool:
    """Tell whether it waits for the audio of its next item; routine that has begun leaves the item out instead."""
    may_skip = one.has_begun and not one.is_emergency
    item, _ = one.next_slot()
    if one.under_way or may_skip or item is None:
        return False
    voice = one.voice(item)
    return voice is not None and voice.sha256 in one.view.absent


def _routine_blocker(one: Standing) -> Reason | None:
    listing = one.listing
    if listing.lease_until is not None:
        one.wake_ups.append(listing.lease_until)
        if one.at >= listing.lease_until and one.under_way is None:
            return one.blocks(RuleName.LEASE, Reason.LEASE_ENDED)
    one.passes(RuleName.LEASE)
    if (reason := _hours_blocker(one)) is not None:
        return reason
    if not one.has_begun and _plays_in_last_hour(one) >= one.view.settings.plays_per_hour:
        return one.blocks(RuleName.PLAYS_PER_HOUR, Reason.PLAYS_PER_HOUR)
    return None


def _drill_blocker(one: Standing) -> Reason | None:
    """Of the rules of routine, only its hours: the rest would drill something else than the real thing."""
    one.passes(RuleName.LEASE)
    return _hours_blocker(one)


def _hours_blocker(one: Standing) -> Reason | None:
    """Judge what sounds, else the next item from its begin to its end, by the wall clock."""
    edge = next_edge(one.view.settings, one.at)
    if edge is not None:
        one.wake_ups.append(edge)
    if one.under_way:
        return _out_of_hours(one, one.at, one.under_way.ends_at)
    item, begins_at = one.next_slot()
    if item is None or one.voice(item) is None:
        return None
    ends_at = begins_at + one.length(item)
    if edge is not None:
        one.wake_ups.append(edge - one.length(item) + INSTANT)
    return _out_of_hours(one, begins_at, ends_at)


def _out_of_hours(one: Standing, begins_at: datetime, ends_at: datetime) -> Reason | None:
    if not within(one.view.settings, begins_at, ends_at):
        return one.blocks(RuleName.WINDOWS, Reason.OUTSIDE_WINDOW)
    one.passes(RuleName.WINDOWS)
    if touches(one.view.settings, begins_at, ends_at):
        return one.blocks(RuleName.QUIET_HOURS, Reason.QUIET_HOURS)
    return None


def _plays_in_last_hour(one: Standing) -> int:
    recent = [began_at for began_at in _begins(one.view) if one.at - HOUR < began_at <= one.at]
    one.wake_ups.extend(began_at + HOUR for began_at in recent)
    return len(recent)


def _begins(view: View) -> list[datetime]:
    return [progress.began_at for progress in view.progress.values() if progress.began_at is not None]


def _others_have_node(one: Standing) -> bool:
    def holds_it(key: str, progress: Progress) -> bool:
        return key != one.broadcast.broadcast_id and progress.outcome is None and has_node(progress)

    return any(holds_it(key, progress) for key, progress in one.view.progress.items())
