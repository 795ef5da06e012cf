"""The timeline keeps the promises, whatever happens; and some thirty ways of getting it wrong are caught."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from edge_agent.protocol import ahead, guards, listings, moment, quiet, standing, timeline
from edge_agent.protocol.moment import View
from edge_agent.protocol.states import CENTRE_OUTCOMES, Outcome, Reason
from tests.edge_agent.protocol import promises
from tests.edge_agent.protocol.factories import COMMUNE, HAMLET, T0, after, broadcast
from tests.edge_agent.protocol.factories import settings as node_settings
from tests.edge_agent.protocol.mutants import Bug
from tests.edge_agent.protocol.promises import PROMISES
from tests.edge_agent.protocol.scenarios import EVENING, SCOPES, evening, scenarios
from tests.edge_agent.protocol.walks import Act, Event, Holds, Lists, Rules, Scenario, Stops, Walk, Withdraws, walk

ELSEWHERE = {
    Reason.NOT_YET,
    Reason.CORRUPT_FILE,
    Reason.NO_SPACE,
    Reason.WITHDRAWN,
    Reason.OUTPUT_LOST,
    Reason.SHUTDOWN,
    Reason.LOCAL_STOP,
}
"""Reasons that end no play, or that the agent gives and not the timeline."""

QUICK = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
"""The same examples on every run and machine."""

EVENINGS = range(2000)
"""Seeds of evenings that chance makes up: many and long, where hypothesis looks for the few and short."""

HUNT = range(10_000, 16_000)
"""Seeds within which each planted bug must be met."""


@dataclass
class Lived:
    """What became of all the evenings, each lived once."""

    broken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: set[Reason | None] = field(default_factory=set)
    cuts: int = 0
    crashes: int = 0

    def add(self, seed: int) -> None:
        lived = walk(evening(seed))
        for promise in PROMISES:
            try:
                promise(lived)
            except AssertionError as error:
                self.broken[promise.__name__].append(f"evening({seed}): {error}")
        self.outcomes.update(found.outcome for _, found in lived.conclusions)
        self.reasons |= {found.reason for _, found in lived.conclusions}
        self.cuts += sum(1 for moment in lived.moments if moment.step.cut and moment.began)
        self.crashes += sum(1 for heard in lived.heard for crash in lived.crashes if heard.until_at == crash[0])


@pytest.fixture(scope="module")
def lived() -> Lived:
    found = Lived()
    for seed in EVENINGS:
        found.add(seed)
    return found


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_in_thousands_of_evenings(promise: Callable[[Walk], None], lived: Lived) -> None:
    assert lived.broken[promise.__name__] == []


def test_the_evenings_are_eventful(lived: Lived) -> None:
    """What the promises are about does happen, often, and every reason is met: else they would prove nothing."""
    assert all(lived.outcomes[outcome] > 30 for outcome in set(Outcome) - CENTRE_OUTCOMES), lived.outcomes
    assert min(lived.cuts, lived.crashes) > 30, (lived.cuts, lived.crashes)
    assert lived.reasons >= set(Reason) - ELSEWHERE


@QUICK
@given(scenarios())
def test_every_promise_holds_whatever_hypothesis_thinks_of(scenario: Scenario) -> None:
    lived = walk(scenario)
    for promise in PROMISES:
        promise(lived)


def sounds(found: Walk) -> list[tuple[Any, ...]]:
    """Give what was heard, to compare two walks."""
    return [tuple(heard) for heard in found.heard]


def outcomes(found: Walk) -> dict[str, tuple[Any, ...]]:
    """Give how each play ended, to compare two walks."""
    return {end.broadcast_id: (end.outcome, end.reason, end.by) for _, end in found.conclusions}


def expect_same(one: Walk, other: Walk) -> None:
    """Expect that a node heard the same, and said the same of it, in both walks."""
    assert sounds(one) == sounds(other)
    assert outcomes(one) == outcomes(other)


LOOKS = st.lists(st.integers(0, 4 * 3600).map(lambda second: second + 0.37), min_size=1, max_size=60)


@QUICK
@given(scenarios(), LOOKS)
def test_looking_more_often_changes_nothing(scenario: Scenario, looks: list[float]) -> None:
    """``next_at`` misses nothing: between two of them a node may sleep."""
    expect_same(walk(scenario), walk(scenario, extra=looks))


def test_asking_twice_gives_the_same_answer() -> None:
    """A step leaves nothing to be decided at its own instant."""
    for seed in EVENINGS[:500]:
        for view, step, _ in walk(evening(seed)).moments:
            again = timeline.step(msgspec.structs.replace(view, progress={**view.progress, **step.changes}), step.at)

            assert (again.sound, again.changes, again.conclusions) == (step.sound, {}, ()), seed


@QUICK
@given(scenarios(), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_listed_does_not_matter(scenario: Scenario, chance: Random) -> None:
    shuffled = list(scenario.events)
    chance.shuffle(shuffled)
    # What happens at one instant keeps its order where that is meant: a change after the listing it changes.
    at_once: dict[float, list[Act]] = defaultdict(list)
    for event in scenario.events:
        at_once[event.second].append(event.act)
    for acts in at_once.values():
        names = [(act.scope, act.urgent, act.broadcast.broadcast_id) for act in acts if isinstance(act, Lists)]
        assume(len(set(names)) == len(names))
        assume(len(names) == len(acts) or len(acts) == 1)

    expect_same(walk(scenario), walk(scenario._replace(events=tuple(shuffled))))


def test_a_broadcast_counts_once_wherever_it_is_listed() -> None:
    """Listed by the hamlet, the commune and the node alike, it sounds as if one of them listed it."""
    evenings = [scenario for scenario in map(evening, EVENINGS) if lists_each_once(scenario)]

    assert len(evenings) > 300
    for scenario in evenings:
        expect_same(walk(scenario), walk(listed_everywhere(scenario)))


def test_a_hold_that_comes_at_the_instant_of_a_start_wins() -> None:
    """P7: STOP races with whatever begins, routine or emergency, and is never too late by an instant."""
    races = 0
    for seed in EVENINGS[:600]:
        for heard in walk(evening(seed)).heard:
            races += 1
            held = and_then(evening(seed), heard.begins_at, Holds("race"))

            assert [one for one in walk(held).heard if one.until_at > heard.begins_at] == [], (seed, heard)

    assert races > 500


def test_a_stop_that_comes_at_the_instant_of_a_start_wins() -> None:
    for seed in EVENINGS[:600]:
        for heard in walk(evening(seed)).heard:
            stopped = walk(and_then(evening(seed), heard.begins_at, Stops(heard.broadcast_id)))

            late = [one for one in stopped.heard if one.until_at > heard.begins_at]
            assert heard.broadcast_id not in {one.broadcast_id for one in late}, (seed, heard)


def and_then(scenario: Scenario, at: datetime, act: Act) -> Scenario:
    """Let one more thing happen."""
    return scenario._replace(events=(*scenario.events, Event((at - T0).total_seconds(), act)))


def lists_each_once(scenario: Scenario) -> bool:
    """Tell whether no broadcast is changed, withdrawn or listed again."""
    names = [event.act.broadcast.broadcast_id for event in scenario.events if isinstance(event.act, Lists)]
    return len(set(names)) == len(names) and not any(isinstance(event.act, Withdraws) for event in scenario.events)


def listed_everywhere(scenario: Scenario) -> Scenario:
    """Let every area and the node list what one of them lists, at the same time."""
    lists = [(event.second, event.act) for event in scenario.events if isinstance(event.act, Lists)]
    copies = [Event(second, act._replace(scope=scope)) for second, act in lists for scope in SCOPES]
    return scenario._replace(events=(*scenario.events, *copies))


@QUICK
@given(scenarios(disturbed=False))
def test_the_preview_is_what_the_node_plays(scenario: Scenario) -> None:
    """P10: looked at beforehand or lived through, the evening is the same."""
    scenario = scenario._replace(events=tuple(event._replace(second=0) for event in scenario.events))
    lived = walk(scenario)
    view = lived.moments[0].view

    preview = list(timeline.project(view, T0, T0 + timedelta(days=2)))
    begun = list(dict.fromkeys((step.sound.broadcast_id, step.sound.item) for step in preview if step.sound))
    begun_at = [step.sound.begins_at for step in preview if step.sound and step.sound.begins_at == step.at]
    ends = {end.broadcast_id: (end.outcome, end.reason, end.by) for step in preview for end in step.conclusions}

    assert begun == [(one.broadcast_id, one.item) for one in lived.heard]
    assert begun_at == [one.begins_at for one in lived.heard]
    assert ends == outcomes(lived)


def test_a_preview_that_leaves_out_what_is_far_and_over_is_the_whole_one() -> None:
    """From any moment of any evening: it looks at a broadcast or two where each step could look at a month."""
    for seed in EVENINGS[:150]:
        for view, step, _ in walk(evening(seed)).moments[::3]:
            short = list(timeline.project(view, step.at, T0 + timedelta(days=2)))

            assert list(map(what_matters, short)) == list(map(what_matters, looked_at_in_full(view, step.at))), seed


def what_matters(step: timeline.Step) -> tuple[Any, ...]:
    return step.at, step.sound, step.changes, set(step.conclusions), step.cut, step.next_at


def looked_at_in_full(view: timeline.View, at: datetime | None) -> Iterator[timeline.Step]:
    while at is not None and at < T0 + timedelta(days=2):
        found = timeline.step(view, at)
        yield found
        view = msgspec.structs.replace(view, progress={**view.progress, **found.changes})
        at = found.next_at


# Planted bugs. Each names the promise that catches it.


def is_caught(bug: Bug, promise: Callable[[Walk], None], *, first: int = HUNT.start) -> None:
    """Expect that walks by the wrong rules break the promise, where walks by the right ones keep it.

    ``first`` is looked at before all others: where a rare bug was met the last time.
    """
    wrong = bug.planted()
    seed = next((seed for seed in (first, *HUNT) if is_broken(promise, seed, wrong)), None)

    assert seed is not None, f"{promise.__name__} does not notice: {bug.wrong}"
    promise(walk(evening(seed)))


def is_broken(promise: Callable[[Walk], None], seed: int, rules: Rules) -> bool:
    """Tell whether an evening lived by these rules breaks the promise."""
    try:
        promise(walk(evening(seed), rules))
    except AssertionError:
        return True
    except IndexError:  # the mutant tripped over itself, which proves nothing
        return False
    return False


def test_planted_bug_quiet_hours_ignored_at_item_end_is_caught() -> None:
    bug = Bug(quiet, "_turns(quiet, zone, begins_at, ends_at)", "[begins_at]")
    is_caught(bug, promises.quiet_hours_are_quiet)


def test_planted_bug_quiet_hours_end_at_midnight_is_caught() -> None:
    bug = Bug(quiet, "now >= start or now < until", "now >= start and now < until")
    is_caught(bug, promises.quiet_hours_are_quiet)


def test_planted_bug_windows_looked_at_only_when_an_item_begins_is_caught() -> None:
    bug = Bug(quiet, "_turns(hours, zone, begins_at, ends_at)", "[begins_at]")
    is_caught(bug, promises.routine_stays_within_windows)


def test_planted_bug_the_first_window_alone_counts_is_caught() -> None:
    """Of two windows that follow without a gap, a sound may pass from one into the other."""
    bug = Bug(quiet, "_inside(hours, zone, at) for", "_inside(hours[:1], zone, at) for")
    is_caught(bug, promises.nothing_is_kept_without_reason)


def test_planted_bug_the_gap_between_windows_is_jumped_is_caught() -> None:
    bug = Bug(quiet, "_turns(hours, zone, begins_at, ends_at)", "(begins_at, ends_at)")
    is_caught(bug, promises.routine_stays_within_windows)


def test_planted_bug_no_windows_means_no_hour_at_all_is_caught() -> None:
    bug = Bug(quiet, "if not hours:\n        return True", "if False:\n        return True")
    is_caught(bug, promises.nothing_is_kept_without_reason)


def test_planted_bug_hours_of_routine_stop_emergencies_is_caught() -> None:
    bug = Bug(guards, "if not one.is_emergency and (reason := _routine", "if (reason := _routine")
    is_caught(bug, promises.emergencies_come_first)


def test_planted_bug_a_drill_that_is_heard_wakes_people_is_caught() -> None:
    bug = Bug(standing, "return self.is_emergency and self.broadcast.drill is Drill.MARKED", "return False")
    is_caught(bug, promises.quiet_hours_are_quiet)


def test_planted_bug_a_silent_drill_keeps_the_hours_of_routine_is_caught() -> None:
    bug = Bug(standing, "self.broadcast.drill is Drill.MARKED", "self.broadcast.drill is not None")
    is_caught(bug, promises.emergencies_come_first)


def test_planted_bug_a_language_sounds_twice_where_one_is_asked_is_caught() -> None:
    wrong = "(self.view.settings.languages) or self.broadcast.items[item].voices[0]"
    bug = Bug(standing, "(self.view.settings.languages)", wrong)
    is_caught(bug, promises.what_has_begun_does_not_change)


def test_planted_bug_a_slot_without_a_voice_counts_as_lost_is_caught() -> None:
    bug = Bug(timeline, "if self._standing(broadcast).has_sound_left:", "if self._standing(broadcast).has_items_left:")
    is_caught(bug, promises.outcomes_are_true)


def test_planted_bug_a_yes_to_a_drill_serves_for_the_real_thing_is_caught() -> None:
    wrong = "__import__('msgspec').structs.replace(one.broadcast, drill='marked').approved_for("
    bug = Bug(guards, "one.broadcast.approved_for(", wrong)
    is_caught(bug, promises.nothing_sounds_unapproved)


def test_planted_bug_latest_start_ignored_is_caught() -> None:
    bug = Bug(timeline, "if self.at > broadcast.latest_start_at or", "if")
    is_caught(bug, promises.routine_keeps_its_times)


def test_planted_bug_hold_forgets_emergencies_is_caught() -> None:
    bug = Bug(guards, "if one.view.holds:", "if one.view.holds and not one.is_emergency:")
    is_caught(bug, promises.holds_are_silent)


def test_planted_bug_second_emergency_cuts_the_first_is_caught() -> None:
    bug = Bug(timeline, "if holder is not None and _emergency(holder) and", "if holder is not None and not ready and")
    is_caught(bug, promises.emergencies_do_not_cut_each_other, first=14_540)


def test_planted_bug_emergency_waits_for_routine_is_caught() -> None:
    bug = Bug(timeline, "        if emergencies:\n", "        if emergencies and holder is None:\n")
    is_caught(bug, promises.emergencies_come_first)


def test_planted_bug_resume_replays_the_cut_item_is_caught() -> None:
    bug = Bug(
        timeline,
        "replace(progress, sounding=None, suspended=True)",
        "replace(progress, sounding=None, suspended=True, next_item=progress.next_item - (cut is not None))",
    )
    is_caught(bug, promises.routine_items_begin_once)


def test_planted_bug_resume_comes_ahead_of_its_slot_is_caught() -> None:
    bug = Bug(standing, "return item, max(slot_at, self.at)", "return item, self.at")
    is_caught(bug, promises.nothing_comes_ahead_of_its_slot)


def test_planted_bug_restart_replays_a_routine_item_is_caught() -> None:
    bug = Bug(timeline, "progress.sounding, level is Level.EMERGENCY", "progress.sounding, True")
    is_caught(bug, promises.routine_items_begin_once)


def test_planted_bug_a_later_version_is_heard_too_is_caught() -> None:
    bug = Bug(timeline, "self.begun_runs.get(broadcast.run_id)", "None")
    is_caught(bug, promises.a_run_begins_once)


def test_planted_bug_only_what_is_under_way_counts_as_begun_is_caught() -> None:
    """Versions listed until their latest end are asked about when the first has long been heard."""
    bug = Bug(moment, "return {**{listings[key].broadcast.run_id: key for key in begun}, **known}", "return {}")
    is_caught(bug, promises.a_run_begins_once)


def test_planted_bug_a_run_is_known_by_its_edits_alone_is_caught() -> None:
    """The first version has no ``run``: it goes by its own id."""
    bug = Bug(timeline, "self.begun_runs.get(broadcast.run_id)", "self.begun_runs.get(broadcast.run)")
    is_caught(bug, promises.a_run_begins_once)


def test_planted_bug_a_version_that_only_waited_keeps_others_silent_is_caught() -> None:
    bug = Bug(
        moment, "for key, one in progress.items() if one.began_at is not None and key", "for key in progress if key"
    )
    is_caught(bug, promises.nothing_is_kept_without_reason)


def test_planted_bug_a_preview_forgets_runs_with_the_hour_is_caught() -> None:
    bug = Bug(ahead, "self.begun_runs = runs_begun(self.begun_runs, self.view.listings, found.changes)", "pass")
    view = View(
        listings=listings.merge([(HAMLET, after(7 * 86_400), (broadcast("b-1"), LATER))], []), settings=node_settings()
    )

    assert heard_of(bug.planted().timeline.project(view, T0, after(86_400))) == ["b-1", "b-2"]
    assert heard_of(timeline.project(view, T0, after(86_400))) == ["b-1"]


LATER = broadcast("b-2", second=2 * 3600, run="b-1")


def heard_of(steps: Iterator[Any]) -> list[str]:
    """Give the broadcasts that sound, in their order."""
    return list(dict.fromkeys(step.sound.broadcast_id for step in steps if step.sound is not None))


def test_planted_bug_restart_falls_out_of_step_is_caught() -> None:
    bug = Bug(timeline, "rejoins=not emergency", "rejoins=False")
    is_caught(bug, promises.power_cuts_leave_neighbours_in_step)


def test_planted_bug_emergency_forgotten_after_a_long_power_cut_is_caught() -> None:
    bug = Bug(
        timeline, "cut = sounding is not None and not early", "cut = sounding is not None and at < sounding.ends_at"
    )
    is_caught(bug, promises.emergencies_sound_at_least_once)


def test_planted_bug_approval_for_another_place_accepted_is_caught() -> None:
    bug = Bug(
        guards,
        "approved_for(one.listing.scopes)",
        "approved_for(frozenset(scope for approval in one.broadcast.approvals for scope in approval.scopes))",
    )
    is_caught(bug, promises.nothing_sounds_unapproved)


def test_planted_bug_absolute_cap_skipped_is_caught() -> None:
    bug = Bug(guards, "settings.trim_mb, settings.cap_mb)", "settings.trim_mb, 1200)")
    is_caught(bug, promises.the_cap_is_kept)


def test_planted_bug_untrusted_clock_lets_plan_emergencies_through_is_caught() -> None:
    bug = Bug(standing, "(self.is_urgent_emergency and", "(self.is_emergency and")
    is_caught(bug, promises.untrusted_clocks_play_no_plan)


def test_planted_bug_stored_emergency_sounds_before_the_centre_has_told_the_time_is_caught() -> None:
    bug = Bug(standing, "self.is_urgent_emergency and self.view.answered", "self.is_urgent_emergency")
    is_caught(bug, promises.untrusted_clocks_play_no_plan)


def test_planted_bug_clock_cuts_an_emergency_is_caught() -> None:
    bug = Bug(guards, "not (one.is_urgent_emergency and one.under_way)", "True")
    is_caught(bug, promises.emergencies_are_not_cut_by_a_clock)


def test_planted_bug_begun_broadcast_follows_a_changed_plan_is_caught() -> None:
    bug = Bug(listings, "broadcast=broadcast, scopes=listed.scopes", "broadcast=listed.broadcast, scopes=listed.scopes")
    is_caught(bug, promises.what_has_begun_does_not_change)


def test_planted_bug_plan_outlives_its_lease_is_caught() -> None:
    bug = Bug(guards, "if one.at >= listing.lease_until and", "if one.at < listing.lease_until and")
    is_caught(bug, promises.routine_keeps_its_times)


def test_planted_bug_left_out_items_called_played_is_caught() -> None:
    bug = Bug(timeline, "Reason.POWER if progress.rejoins else Reason.LATEST_END", "None")
    is_caught(bug, promises.outcomes_are_true)


def test_planted_bug_plays_per_hour_counted_one_short_is_caught() -> None:
    bug = Bug(guards, ">= one.view.settings.plays_per_hour", "> one.view.settings.plays_per_hour")
    is_caught(bug, promises.plays_per_hour_are_bounded)


def test_planted_bug_next_at_too_late_is_caught() -> None:
    right = "[broadcast.start_at, broadcast.latest_start_at + INSTANT]"
    rules = Bug(timeline, right, "[broadcast.latest_end_at]").planted()
    looks = range(0, EVENING, 61)

    assert any(
        sounds(walk(evening(seed), rules)) != sounds(walk(evening(seed), rules, extra=looks))
        for seed in (580, *EVENINGS)  # where it was met the last time, then everywhere
    )


def test_planted_bug_only_the_first_scope_counts_is_caught() -> None:
    rules = Bug(listings, "scopes=old.scopes | new.scopes", "scopes=old.scopes").planted()
    evenings = [scenario for scenario in map(evening, EVENINGS) if lists_each_once(scenario)]

    assert any(
        sounds(walk(scenario, rules)) != sounds(walk(listed_everywhere(scenario), rules)) for scenario in evenings
    )


def test_planted_bug_whoever_comes_first_rules_is_caught() -> None:
    rules = Bug(listings, "in sorted(plans, key=itemgetter(0))", "in plans").planted()
    first, other = (broadcast("news", lengths=(length,), scopes=SCOPES) for length in (30, 60))
    lists = (Event(0, Lists(COMMUNE, False, first)), Event(0, Lists(HAMLET, False, other)))
    one = Scenario(node_settings(), lists, after(EVENING))
    turned = one._replace(events=lists[::-1])

    expect_same(walk(one), walk(turned))
    assert sounds(walk(one, rules)) != sounds(walk(turned, rules))
