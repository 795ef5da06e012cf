"""Why a broadcast sounds or does not: told by the timeline itself, so that it is what the node does."""

import msgspec
import pytest

from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.documents import QuietHours
from edge_agent.protocol.listings import merge
from edge_agent.protocol.states import ClockState, Level, Outcome, Reason, StartMode
from edge_agent.protocol.timeline import Progress, View, step
from edge_agent.protocol.why import Rule, RuleName, Verdict, blocker_of, explain, foresee
from tests.edge_agent.protocol import promises
from tests.edge_agent.protocol.factories import HAMLET, after, broadcast, settings
from tests.edge_agent.protocol.scenarios import evening
from tests.edge_agent.protocol.walks import Moment, walk

EVENINGS = range(300)
BEFORE_A_SOUND = {Outcome.MISSED, Outcome.REFUSED, Outcome.EXPIRED, Outcome.CANCELLED}
WEEK = 7 * 86_400.0


def moments() -> list[Moment]:
    return [moment for seed in EVENINGS for moment in walk(evening(seed)).moments]


@pytest.fixture(scope="module")
def asked() -> list[tuple[Moment, str, tuple[Rule, ...]]]:
    """Every broadcast at every step of all the evenings, explained."""
    return [
        (moment, key, explain(moment.view, key, moment.step.at)) for moment in moments() for key in moment.view.listings
    ]


Asked = list[tuple[Moment, str, tuple[Rule, ...]]]


def test_every_rule_is_told_in_order_and_none_behind_the_first_that_blocks(asked: Asked) -> None:
    for _, _, rules in asked:
        verdicts = [rule.verdict for rule in rules]

        assert [rule.name for rule in rules] == list(RuleName)
        assert verdicts.count(Verdict.BLOCKS) <= 1
        if Verdict.BLOCKS in verdicts:
            assert set(verdicts[verdicts.index(Verdict.BLOCKS) + 1 :]) <= {Verdict.NOT_REACHED}


def test_nothing_blocks_exactly_what_sounds(asked: Asked) -> None:
    for moment, key, rules in asked:
        sounds = moment.step.sound is not None and moment.step.sound.broadcast_id == key

        assert sounds is all(rule.verdict is Verdict.PASSED for rule in rules), (moment.step, key, rules)
        assert sounds is (blocker_of(rules) is None)


def test_what_blocks_is_what_the_step_says(asked: Asked) -> None:
    """There is no second truth: waiting, refusal and outcome have the same reason in both."""
    met = set()
    for moment, key, rules in asked:
        found = blocker_of(rules)
        told = [one.reason for one in moment.step.waiting if one.broadcast_id == key]
        ends = [one for one in moment.step.conclusions if one.broadcast_id == key]
        told += [one.reason for one in ends if one.outcome in BEFORE_A_SOUND]
        if told:
            assert found is not None
            assert told == [found.reason], (moment.step, key, rules)
            met.add(found.name)
        if ends:
            assert found is not None
    assert met == set(RuleName) - {RuleName.LISTED, RuleName.OPEN, RuleName.SLOT}


def test_the_explanation_of_a_look_changes_nothing_in_it() -> None:
    for moment in moments()[:500]:
        for key in moment.view.listings:
            explain(moment.view, key, moment.step.at)

        assert step(moment.view, moment.step.at) == moment.step


def test_a_passed_rule_did_pass(asked: Asked) -> None:
    """Held against the promises, which know nothing of the timeline's code."""
    for moment, key, rules in asked:
        view, at = moment.view, moment.step.at
        listing, begun = view.listings[key], key in view.progress and view.progress[key].began_at is not None
        passed = {rule.name for rule in rules if rule.verdict is Verdict.PASSED}
        if RuleName.NOT_HELD in passed:
            assert not view.holds
        if RuleName.NOT_STOPPED in passed:
            assert key not in view.stops
        if RuleName.STARTED in passed:
            assert at >= listing.broadcast.start_at
        if RuleName.APPROVED in passed and not begun:
            assert promises.is_approved(listing.broadcast, listing.scopes)
        if RuleName.CLOCK in passed and not begun:
            assert promises.clock_serves(view, listing)


def test_what_is_over_says_by_what(asked: Asked) -> None:
    over = 0
    for moment, key, rules in asked:
        progress = moment.view.progress.get(key)
        if progress is not None and progress.outcome is not None:
            over += 1
            first = blocker_of(rules)
            assert first == Rule(RuleName.OPEN, Verdict.BLOCKS, progress.cut_by, progress.by)
    assert over > 300


def seen(*broadcasts: Broadcast, urgent: tuple[Broadcast, ...] = (), **fields: object) -> View:
    listings = merge([(HAMLET, after(WEEK), broadcasts)], [(HAMLET, urgent)])
    return msgspec.structs.replace(View(listings=listings, settings=settings()), **fields)


def why(view: View, key: str, second: float) -> tuple[str, str | None, str | None] | None:
    found = blocker_of(explain(view, key, after(second)))
    return found and (found.name.value, found.reason.value if found.reason else None, found.by)


NIGHT = settings(quiet_hours=(QuietHours(start="22:00", until="05:00"),))
MORNING = settings(windows=(QuietHours(start="05:00", until="08:00"),))


def test_why_in_the_words_of_a_person_who_asks() -> None:
    news = broadcast("news", second=100)
    plain = seen(news)

    assert why(plain, "news", 50) == ("started", "not_yet", None)
    assert why(plain, "news", 100) is None
    assert why(plain, "other", 100) == ("listed", "withdrawn", None)
    assert why(seen(news, holds=frozenset({"h2", "h1"})), "news", 100) == ("not_held", "held", "h1")
    assert why(seen(news, stops=frozenset({"news"})), "news", 100) == ("not_stopped", "stopped", None)
    assert why(seen(news, clock=ClockState.UNTRUSTED), "news", 100) == ("clock", "clock_untrusted", None)
    assert why(seen(news, settings=MORNING), "news", 100) == ("windows", "outside_window", None)
    assert why(seen(news, absent=frozenset({news.items[0].voices[0].sha256})), "news", 100) == ("file", "no_file", None)
    assert why(plain, "news", 401) == ("in_time", "late", None)
    assert why(seen(news, up_since_at=after(402)), "news", 402) == ("in_time", "off", None)
    assert why(plain, "news", 500) == ("not_over", "late", None)
    assert why(seen(broadcast("news", approvals=())), "news", 0) == ("approved", "not_approved", None)
    late = seen(broadcast("late", second=3700), settings=NIGHT)
    assert why(late, "late", 3700) == ("quiet_hours", "quiet_hours", None)


def test_the_version_that_has_begun_is_named_though_it_is_listed_no_more() -> None:
    newer = broadcast("newer", second=100, run="news")
    view = seen(newer, begun_runs={"news": "news"})

    assert why(view, "newer", 50) == ("started", "not_yet", None)
    assert why(view, "newer", 100) == ("not_begun", "already_begun", "news")
    assert why(seen(newer, begun_runs={"other": "other"}), "newer", 100) is None
    tomorrow = broadcast("tomorrow", second=86_400, run="news")
    found = foresee(seen(broadcast("news"), tomorrow), "tomorrow", after(-60), after(WEEK))
    assert blocker_of(found.rules) == Rule(RuleName.NOT_BEGUN, Verdict.BLOCKS, Reason.ALREADY_BEGUN, "news")


def test_who_has_the_node_is_named() -> None:
    flood = broadcast("flood", second=100, level=Level.EMERGENCY)
    news, hard = broadcast("news", second=100), broadcast("hard", second=105, start=StartMode.HARD)
    view = seen(news, hard, urgent=(flood,))

    assert why(view, "news", 100) == ("node_free", "busy", "flood")
    begun = msgspec.structs.replace(seen(broadcast("news", second=100, resumes=False), hard))
    begun = msgspec.structs.replace(begun, progress=step(begun, after(100)).changes)
    assert why(begun, "news", 105) == ("node_free", "preempted", "hard")


def test_between_two_items_the_slot_is_what_is_waited_for() -> None:
    first, second = broadcast("a", lengths=(10, 10)).items
    gap = broadcast("news", items=(first, msgspec.structs.replace(second, offset_ms=60_000)))
    view = seen(gap)
    view = msgspec.structs.replace(view, progress=step(view, after(0)).changes)

    assert why(view, "news", 30) == ("slot", "not_yet", None)


def test_a_play_of_the_past_says_how_it_ended() -> None:
    over = {"news": Progress(outcome=Outcome.REFUSED, cut_by=Reason.QUIET_HOURS)}

    assert why(seen(broadcast("news"), progress=over), "news", 5) == ("open", "quiet_hours", None)


def test_a_play_to_come_is_explained_at_the_instant_that_decides() -> None:
    long, news = broadcast("long", lengths=(600,)), broadcast("news", second=100, late=60)
    night = broadcast("night", second=3700, late=0)
    view = seen(long, news, night, settings=NIGHT)

    found = {key: foresee(view, key, after(-60), after(WEEK)) for key in ("long", "news", "night")}

    assert (found["long"].at, blocker_of(found["long"].rules)) == (after(0), None)
    late = blocker_of(found["news"].rules)
    assert late is not None
    assert (late.name, late.reason) == (RuleName.IN_TIME, Reason.BUSY)
    assert found["news"].at > after(160)
    quiet = blocker_of(found["night"].rules)
    assert quiet is not None
    assert quiet.reason is Reason.QUIET_HOURS
    assert after(3700) <= found["night"].at < after(3701)


def test_what_is_foreseen_is_what_is_played() -> None:
    """P10: of an evening without disturbance every play is explained as it then comes."""
    explained = 0
    for seed in EVENINGS:
        lived = walk(evening(seed)._replace(events=tuple(event for event in evening(seed).events if event.second == 0)))
        view = lived.moments[0].view
        begun = {one.broadcast_id: one.begins_at for one in reversed(lived.heard)}
        for key in view.listings:
            explained += 1
            found = foresee(view, key, after(0), after(WEEK))
            assert (blocker_of(found.rules) is None) is (begun.get(key) == found.at), (seed, key, found)
            assert (key in begun) is (begun.get(key) == found.at), (seed, key, found)
    assert explained > 100
