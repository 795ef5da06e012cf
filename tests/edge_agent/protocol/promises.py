"""The promises of DESIGN, as checks on what a node let sound. Written anew, with nothing of the timeline's own code."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.protocol.content import Broadcast, Item, Voice
from edge_agent.protocol.documents import QuietHours, Settings
from edge_agent.protocol.states import ClockState, Drill, Level, Outcome, Reason, StartMode
from tests.edge_agent.protocol.factories import after
from tests.edge_agent.protocol.walks import Heard, Walk

HOUR = timedelta(hours=1)
RANK = {Level.NORMAL: 0, Level.PRIORITY: 1, Level.EMERGENCY: 2}
NOTHING_SOUNDED = {Outcome.MISSED, Outcome.REFUSED, Outcome.EXPIRED, Outcome.CANCELLED}


# What the rules speak of, in the plainest words.


def ms(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)


def is_emergency(broadcast: Broadcast) -> bool:
    return broadcast.level is Level.EMERGENCY


def wished(item: Item, languages: tuple[str, ...]) -> Voice | None:
    """Give what is heard of an item: of the languages that it has, the one at its place in the node's order."""
    found = []
    for language in languages:
        spoken = [voice for voice in item.voices if voice.language == language]
        if spoken and spoken[0] not in found:
            found.append(spoken[0])
    if item.choice == 0 and not found:
        return item.voices[0]
    return found[item.choice] if item.choice < len(found) else None


def is_quiet(window: QuietHours, zone: str, at: datetime) -> bool:
    minutes = at.astimezone(ZoneInfo(zone)).hour * 60 + at.astimezone(ZoneInfo(zone)).minute
    start, until = (int(clock[:2]) * 60 + int(clock[3:]) for clock in (window.start, window.until))
    return (minutes - start) % 1440 < (until - start) % 1440


def meets_quiet(rules: Settings, begins_at: datetime, ends_at: datetime) -> bool:
    """Look at the begin and at every full minute until the end."""
    looks, minute = [begins_at], begins_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while minute < ends_at:
        looks.append(minute)
        minute += timedelta(minutes=1)
    return any(is_quiet(window, rules.zone, look) for window in rules.quiet_hours for look in looks)


def leaves_windows(rules: Settings, begins_at: datetime, ends_at: datetime) -> bool:
    """Look at the begin and at every full minute until the end."""
    looks, minute = [begins_at], begins_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while minute < ends_at:
        looks.append(minute)
        minute += timedelta(minutes=1)
    inside = [any(is_quiet(window, rules.zone, look) for window in rules.windows) for look in looks]
    return bool(rules.windows) and not all(inside)


def is_approved(broadcast: Broadcast, scopes: frozenset[str]) -> bool:
    lines = ""
    for index, item in enumerate(broadcast.items):
        for voice in item.voices:
            parts = (index, item.offset_ms, voice.language, voice.sha256, voice.length_ms, voice.gain_mb)
            lines += "\t".join(map(str, parts)) + (f"\t{item.choice}\n" if item.choice else "\n")
    if broadcast.drill:
        lines += f"drill\t{broadcast.drill.value}\n"
    content = hashlib.sha256(lines.encode()).hexdigest()
    for approval in broadcast.approvals:
        here = set(approval.scopes) & scopes
        window = approval.not_before_at <= broadcast.start_at and broadcast.latest_end_at <= approval.not_after_at
        if here and window and approval.content_sha256 == content:
            return True
    return False


def clock_serves(view: Any, listing: Any) -> bool:
    told = listing.urgent and is_emergency(listing.broadcast) and view.answered
    return view.clock is not ClockState.UNTRUSTED or told


def begun_version(view: Any, broadcast: Broadcast) -> str | None:
    """Give the version of its run that has begun, this one or another."""
    run = broadcast.run or broadcast.broadcast_id
    for key, one in view.progress.items():
        listed = view.listings.get(key)
        if one.began_at is not None and listed is not None and run in {key, listed.broadcast.run}:
            return str(key)
    return None


def begun_in_last_hour(view: Any, at: datetime) -> int:
    return sum(1 for one in view.progress.values() if one.began_at is not None and at - HOUR < one.began_at <= at)


def keeps_hours(broadcast: Broadcast) -> bool:
    """Only the real thing, and what nobody hears, sounds at any hour."""
    return not is_emergency(broadcast) or broadcast.drill is Drill.MARKED


def may_begin(view: Any, broadcast_id: str, at: datetime) -> bool:
    """Say whether no rule but the wish of another broadcast keeps its first item from sounding now."""
    listing, progress = view.listings[broadcast_id], view.progress.get(broadcast_id)
    broadcast, rules = listing.broadcast, view.settings
    first = wished(broadcast.items[0], rules.languages)
    assert first is not None, "the first slot is heard on every node"
    ends_at, cap_ms = at + ms(first.length_ms), rules.max_broadcast_ms
    if is_emergency(broadcast):
        cap_ms = rules.max_emergency_ms
    allowed = (
        (progress is None or (progress.began_at is None and progress.outcome is None))
        and broadcast_id not in view.stops
        and begun_version(view, broadcast) is None
        and broadcast.start_at <= at <= broadcast.latest_start_at
        and ends_at <= broadcast.latest_end_at
        and is_approved(broadcast, listing.scopes)
        and broadcast.length_ms <= cap_ms
        and not view.holds
        and clock_serves(view, listing)
        and first.sha256 not in view.absent
    )
    if keeps_hours(broadcast):
        allowed = allowed and not (meets_quiet(rules, at, ends_at) or leaves_windows(rules, at, ends_at))
    if not allowed or is_emergency(broadcast):
        return bool(allowed)
    leased = listing.lease_until is None or at < listing.lease_until
    return bool(leased and begun_in_last_hour(view, at) < rules.plays_per_hour)


def under_way(view: Any) -> list[str]:
    """Give the broadcasts that have begun and not ended."""
    return [key for key, one in view.progress.items() if one.began_at is not None and one.outcome is None]


def begins(walk: Walk) -> Iterator[tuple[Any, Any, Any, bool]]:
    """Give ``(view, sound, listing, first)`` for every sound that begins."""
    seen = set()
    for view, _, sound in walk.moments:
        if sound is not None:
            yield view, sound, view.listings[sound.broadcast_id], sound.broadcast_id not in seen
            seen.add(sound.broadcast_id)


def level_of(walk: Walk, heard: Heard) -> Level:
    return walk.begun[heard.broadcast_id][0].level


# The promises.


def nothing_sounds_unapproved(walk: Walk) -> None:
    """P1: an approval covers this audio, this place and this time when it begins."""
    for _, sound, listing, first in begins(walk):
        if first:
            assert is_approved(listing.broadcast, listing.scopes), sound


def nothing_unlisted_begins(walk: Walk) -> None:
    """A broadcast that was withdrawn or stopped before it began never begins."""
    for view, sound, listing, first in begins(walk):
        assert sound.broadcast_id not in view.stops, sound
        assert listing.scopes or not first, sound


def what_has_begun_does_not_change(walk: Walk) -> None:
    """Every item is taken from the broadcast as it was when it began, in the wished language."""
    for view, sound, _, _ in begins(walk):
        broadcast, _ = walk.begun[sound.broadcast_id]
        assert sound.voice == wished(broadcast.items[sound.item], view.settings.languages), sound


def routine_keeps_its_times(walk: Walk) -> None:
    """P2: not before its start, not begun after its latest start, nor past its latest end or the lease."""
    for heard in walk.heard:
        broadcast, _ = walk.begun[heard.broadcast_id]
        assert broadcast.start_at <= heard.begins_at, heard
        assert heard.until_at <= broadcast.latest_end_at, heard
    for _, sound, listing, first in begins(walk):
        assert not first or sound.begins_at <= listing.broadcast.latest_start_at, sound
        leased = listing.lease_until is not None and not is_emergency(listing.broadcast)
        assert not leased or sound.begins_at < listing.lease_until, sound


def quiet_hours_are_quiet(walk: Walk) -> None:
    """P2: no routine sound and no marked drill begins that would, at its full length, be heard in quiet hours."""
    for heard in walk.heard:
        if keeps_hours(walk.begun[heard.broadcast_id][0]):
            ends_at = heard.begins_at + ms(heard.voice.length_ms)
            assert not meets_quiet(walk.scenario.settings, heard.begins_at, ends_at), heard


def routine_stays_within_windows(walk: Walk) -> None:
    """P2: nothing that keeps the hours of routine begins that would, at its full length, be heard outside of them."""
    for heard in walk.heard:
        if keeps_hours(walk.begun[heard.broadcast_id][0]):
            ends_at = heard.begins_at + ms(heard.voice.length_ms)
            assert not leaves_windows(walk.scenario.settings, heard.begins_at, ends_at), heard


def untrusted_clocks_play_no_plan(walk: Walk) -> None:
    """P2: on an untrusted clock nothing begins, or goes on, but emergencies of urgents by the centre's time."""
    for view, step, began in walk.moments:
        if step.sound is None:
            continue
        listing = view.listings[step.sound.broadcast_id]
        under_way = began is None and listing.urgent and is_emergency(listing.broadcast)
        assert under_way or clock_serves(view, listing), step.sound


def emergencies_are_not_cut_by_a_clock(walk: Walk) -> None:
    """What sounds of an emergency in an urgent sounds to its end, whatever becomes of the clock meanwhile."""
    for view, step, _ in walk.moments:
        if step.cut is not None:
            listing = view.listings[step.cut.broadcast_id]
            clock = any(
                end == (step.cut.broadcast_id, Outcome.INTERRUPTED, Reason.CLOCK_UNTRUSTED, None)
                for end in step.conclusions
            )
            assert not (clock and listing.urgent and is_emergency(listing.broadcast)), step.cut


def untrusted_clocks_decide_nothing(walk: Walk) -> None:
    """What an untrusted clock calls over is not over: only stops and holds end what is listed in a plan."""
    for view, step, _ in walk.moments:
        for found in step.conclusions:
            begun = view.progress.get(found.broadcast_id)
            if not clock_serves(view, view.listings[found.broadcast_id]) and (begun is None or begun.began_at is None):
                assert found.reason is Reason.STOPPED, found


def routine_items_begin_once(walk: Walk) -> None:
    """P3: each item at most once, in order; an emergency's at most once more for each crash that cut it."""
    for (broadcast_id, item), times in Counter((one.broadcast_id, one.item) for one in walk.heard).items():
        cuts = sum(
            1
            for one in walk.heard
            if (one.broadcast_id, one.item) == (broadcast_id, item)
            and any(one.until_at == crashed_at for crashed_at, _ in walk.crashes)
        )
        extra = min(cuts, 1) if is_emergency(walk.begun[broadcast_id][0]) else 0
        assert times <= 1 + extra, (broadcast_id, item, times)
    for broadcast_id in walk.begun:
        order = [one.item for one in walk.heard if one.broadcast_id == broadcast_id]
        assert order == sorted(order), (broadcast_id, order)


def a_run_begins_once(walk: Walk) -> None:
    """P3: of the versions of one run, whatever their level, one begins, and the others are told by its name."""
    runs = {key: broadcast.run or key for key, (broadcast, _) in walk.begun.items()}
    assert len(set(runs.values())) == len(runs), runs
    for view, step, _ in walk.moments:
        for found in step.conclusions:
            if found.reason is Reason.ALREADY_BEGUN:
                other = view.listings[found.broadcast_id].broadcast
                assert (found.outcome, runs[found.by]) == (Outcome.CANCELLED, other.run or other.broadcast_id), found


def emergencies_sound_at_least_once(walk: Walk) -> None:
    """P3: an item of an emergency that a crash cut sounds again, if the same crash is the only one and time allows."""
    for heard in walk.heard:
        crash = next((crash for crash in walk.crashes if crash[0] == heard.until_at), None)
        if heard.complete or crash is None or level_of(walk, heard) is not Level.EMERGENCY:
            continue
        broadcast, _ = walk.begun[heard.broadcast_id]
        twice = sum(1 for one in walk.heard if (one.broadcast_id, one.item) == (heard.broadcast_id, heard.item)) > 1
        view = next(view for view, step, _ in walk.moments if step.at == crash[1])
        listing = view.listings[heard.broadcast_id]
        free = (
            not view.holds
            and heard.broadcast_id not in view.stops
            and heard.voice.sha256 not in view.absent
            and clock_serves(view, listing)
            and crash[1] + ms(heard.voice.length_ms) <= broadcast.latest_end_at
        )
        alone = not any(is_emergency(one) for key, (one, _) in walk.begun.items() if key != heard.broadcast_id)
        assert twice or not free or not alone, heard


def holds_are_silent(walk: Walk) -> None:
    """P7: while a hold stands nothing sounds, emergencies included, and nothing that it cut comes back."""
    for view, step, _ in walk.moments:
        if view.holds:
            assert step.sound is None, step.sound
    for at, found in walk.conclusions:
        if found.reason is Reason.HELD:
            assert not [one for one in walk.heard if one.broadcast_id == found.broadcast_id and one.until_at > at], (
                found
            )


def one_sound_at_a_time(walk: Walk) -> None:
    """Progress never says that two things sound, nor another thing than what leaves the output."""
    for before, after_ in zip(walk.moments, walk.moments[1:], strict=False):
        sounding = {key: one.sounding for key, one in after_.view.progress.items() if one.sounding is not None}
        heard = before.step.sound
        crashed = any(before.step.at <= crashed_at <= after_.step.at for crashed_at, _ in walk.crashes)
        if crashed:
            assert not sounding
        else:
            assert list(sounding.values()) == ([heard] if heard is not None else []), sounding
    for one, following in zip(walk.heard, walk.heard[1:], strict=False):
        assert one.until_at <= following.begins_at, (one, following)


def what_falls_silent_is_named(walk: Walk) -> None:
    """A step that ends a sound before its time names it as cut."""
    for before, now in zip(walk.moments, walk.moments[1:], strict=False):
        heard = before.step.sound
        crashed = any(before.step.at <= crashed_at <= now.step.at for crashed_at, _ in walk.crashes)
        cut_now = heard is not None and now.step.at < heard.ends_at and now.step.sound != heard
        if not crashed:
            assert now.step.cut == (heard if cut_now else None), now.step


def emergencies_come_first(walk: Walk) -> None:
    """An emergency that may sound sounds at once: at no step is there silence or routine in its place."""
    for view, step, _ in walk.moments:
        ready = [
            key for key, one in view.listings.items() if is_emergency(one.broadcast) and may_begin(view, key, step.at)
        ]
        if ready:
            heard = None if step.sound is None else step.sound.broadcast_id
            waits_for = [key for key in under_way(view) if is_emergency(view.listings[key].broadcast)]
            assert heard is not None or waits_for, ready
            assert heard is None or is_emergency(view.listings[heard].broadcast), (ready, heard)


def emergencies_do_not_cut_each_other(walk: Walk) -> None:
    """The second waits for the end of the item."""
    for view, step, began in walk.moments:
        ended = {found.broadcast_id for found in step.conclusions if found.reason is not Reason.PREEMPTED}
        if step.cut is not None and began is not None and step.cut.broadcast_id not in ended:
            cut, beginning = (view.listings[sound.broadcast_id].broadcast for sound in (step.cut, began))
            assert not is_emergency(cut), (step.cut, began)
            hard = beginning.start is StartMode.HARD and RANK[beginning.level] >= RANK[cut.level]
            assert is_emergency(beginning) or hard, (step.cut, began)


def nothing_comes_ahead_of_its_slot(walk: Walk) -> None:
    """An item never begins before its slot; a late one moves the rest, never closer together than planned."""
    last: dict[str, Heard] = {}
    for heard in walk.heard:
        broadcast, _ = walk.begun[heard.broadcast_id]
        offset = ms(broadcast.items[heard.item].offset_ms)
        assert heard.begins_at >= broadcast.start_at + offset, heard
        before = last.get(heard.broadcast_id)
        if before is not None and before.item < heard.item:
            apart = offset - ms(broadcast.items[before.item].offset_ms)
            assert heard.begins_at - before.begins_at >= apart, (before, heard)
        last[heard.broadcast_id] = heard


def power_cuts_leave_neighbours_in_step(walk: Walk) -> None:
    """Routine that comes back after a power cut joins exactly at a slot, as if it had been there all along."""
    last: dict[str, Heard] = {}
    for heard in walk.heard:
        before, broadcast = last.get(heard.broadcast_id), walk.begun[heard.broadcast_id][0]
        last[heard.broadcast_id] = heard
        if before is None or is_emergency(broadcast):
            continue
        if any(before.begins_at <= crashed_at <= heard.begins_at for crashed_at, _ in walk.crashes):
            apart = broadcast.items[heard.item].offset_ms - broadcast.items[before.item].offset_ms
            assert heard.begins_at - before.begins_at == ms(apart), (before, heard)


def slots_are_kept(walk: Walk) -> None:
    """Undisturbed, items follow at exactly their offsets, so that neighbours stay in step."""
    if len(walk.begun) != 1 or any(view.holds or view.absent or view.stops for view, _, _ in walk.moments):
        return
    if any(view.clock is ClockState.UNTRUSTED for view, _, _ in walk.moments) or walk.crashes:
        return
    for heard in walk.heard:
        broadcast, _ = walk.begun[heard.broadcast_id]
        assert heard.begins_at == walk.heard[0].begins_at + ms(broadcast.items[heard.item].offset_ms), heard


def every_play_has_one_outcome(walk: Walk) -> None:
    """Exactly one outcome, which never changes, and no sound after it."""
    ends = {found.broadcast_id: at for at, found in walk.conclusions}
    assert len(ends) == len(walk.conclusions), walk.conclusions
    assert set(walk.left) <= set(ends), "left without an outcome"
    for heard in walk.heard:
        assert heard.until_at <= ends[heard.broadcast_id], heard
    said = {found.broadcast_id: found.outcome for _, found in walk.conclusions}
    for view, _, _ in walk.moments:
        for key, progress in view.progress.items():
            assert progress.outcome is None or progress.outcome is said[key], (key, progress.outcome)


def outcomes_are_true(walk: Walk) -> None:
    """``played`` is every item to its end; ``interrupted`` began and lost something; the rest made no sound."""
    for _, found in walk.conclusions:
        heard = [one for one in walk.heard if one.broadcast_id == found.broadcast_id]
        if found.outcome in NOTHING_SOUNDED:
            assert not heard, found
            assert found.reason is not None, found
            continue
        broadcast, _ = walk.begun[found.broadcast_id]
        languages = walk.scenario.settings.languages
        asked = {index for index, item in enumerate(broadcast.items) if wished(item, languages) is not None}
        whole = {one.item for one in heard if one.complete} == asked
        assert (found.outcome is Outcome.PLAYED) is whole, (found, heard)
        assert (found.reason is None) is whole, found


def the_cap_is_kept(walk: Walk) -> None:
    """Volume, trim and the voice's gain, never above the cap; routine at night never above the night cap."""
    rules = walk.scenario.settings
    for heard in walk.heard:
        asked = heard.voice.gain_mb + rules.volume_mb + rules.trim_mb
        caps = [asked, rules.cap_mb]
        night = rules.night_cap
        if night and level_of(walk, heard) is not Level.EMERGENCY:
            caps += [night.cap_mb] if is_quiet(night.window, rules.zone, heard.begins_at) else []
        assert heard.gain_mb == min(caps), heard


def plays_per_hour_are_bounded(walk: Walk) -> None:
    """No routine broadcast begins when as many as the settings allow began within the hour."""
    for view, sound, listing, first in begins(walk):
        if first and not is_emergency(listing.broadcast):
            assert begun_in_last_hour(view, sound.begins_at) < view.settings.plays_per_hour, sound


def nothing_is_kept_without_reason(walk: Walk) -> None:
    """When all is free the first in the queue sounds: highest level, lowest order, lowest id."""
    for view, step, began in walk.moments:
        if under_way(view):
            continue
        ready = [view.listings[key].broadcast for key in view.listings if may_begin(view, key, step.at)]
        emergencies = [one for one in ready if is_emergency(one)]
        first = min(
            emergencies or ready,
            key=lambda one: (
                (one.start_at, one.broadcast_id)
                if is_emergency(one)
                else (-RANK[one.level], one.order, one.broadcast_id)
            ),
            default=None,
        )
        assert (began.broadcast_id if began else None) == (first.broadcast_id if first else None), (step, ready)


def waiting_is_explained(walk: Walk) -> None:
    """Whatever is listed and neither sounds nor is over waits for a named reason, once."""
    for view, step, _ in walk.moments:
        over = {key for key, one in view.progress.items() if one.outcome is not None}
        over |= {found.broadcast_id for found in step.conclusions}
        told = [waiting.broadcast_id for waiting in step.waiting]
        assert len(told) == len(set(told)), told
        sounding = {step.sound.broadcast_id} if step.sound is not None else set()
        assert not set(told) & (over | sounding), told
        silent = set(view.listings) - over - sounding - set(told)
        assert all(view.progress[key].began_at for key in silent if key in view.progress), silent
        assert len(silent) <= 1, silent
        for key in silent:
            assert key in view.progress, key


def a_lone_broadcast_begins_on_time(walk: Walk) -> None:
    """Undisturbed and allowed at its start, it begins at exactly its start."""
    if len(walk.moments[0].view.listings) != 1 or len(walk.scenario.events) != 1:
        return
    ((key, listing),) = walk.moments[0].view.listings.items()
    start_at = max(listing.broadcast.start_at, after(0))
    if may_begin(walk.moments[0].view, key, start_at):
        assert walk.heard, key
        assert walk.heard[0].begins_at == start_at, walk.heard[0]


PROMISES: tuple[Callable[[Walk], None], ...] = (
    nothing_sounds_unapproved,
    nothing_unlisted_begins,
    what_has_begun_does_not_change,
    routine_keeps_its_times,
    quiet_hours_are_quiet,
    routine_stays_within_windows,
    untrusted_clocks_play_no_plan,
    emergencies_are_not_cut_by_a_clock,
    untrusted_clocks_decide_nothing,
    routine_items_begin_once,
    a_run_begins_once,
    emergencies_sound_at_least_once,
    holds_are_silent,
    one_sound_at_a_time,
    what_falls_silent_is_named,
    emergencies_come_first,
    emergencies_do_not_cut_each_other,
    nothing_comes_ahead_of_its_slot,
    power_cuts_leave_neighbours_in_step,
    slots_are_kept,
    every_play_has_one_outcome,
    outcomes_are_true,
    the_cap_is_kept,
    plays_per_hour_are_bounded,
    nothing_is_kept_without_reason,
    waiting_is_explained,
    a_lone_broadcast_begins_on_time,
)
