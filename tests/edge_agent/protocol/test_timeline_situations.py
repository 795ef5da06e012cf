"""Named situations of a commune's day, in the wall-clock times of Hanoi."""

from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from edge_agent.protocol.content import Broadcast, Item
from edge_agent.protocol.documents import NightCap, QuietHours
from edge_agent.protocol.states import ClockState, Drill, Level, StartMode
from tests.edge_agent.protocol.factories import COMMUNE, HAMLET, T0, after, broadcast, settings, sha, voice
from tests.edge_agent.protocol.walks import (
    Act,
    ClockBecomes,
    Crashes,
    Event,
    Fetches,
    Holds,
    Lists,
    Loses,
    Releases,
    Scenario,
    Stops,
    Walk,
    Withdraws,
    walk,
)

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
NIGHT = QuietHours(start="22:00", until="05:00")
QUITE_ALL_DAY = QuietHours(start="00:00", until="23:59")
WEEK = 7 * 86_400


def clock(wall: str) -> float:
    """Seconds from ``T0`` (21:00) to the next time the wall clock shows this; ``05:00`` is the morning after."""
    hours, minutes, seconds = (*(int(part) for part in wall.split(":")), 0)[:3]
    return ((hours - 21) % 24) * 3600 + minutes * 60 + seconds


def aired(name: str, at: str, lengths: tuple[float, ...] = (60,), **fields: Any) -> Broadcast:
    """Build a broadcast by its wall-clock start."""
    return broadcast(name, second=clock(at), lengths=lengths, **fields)


def plan(*broadcasts: Broadcast, since: str = "21:00") -> list[Event]:
    return [Event(clock(since), Lists(HAMLET, False, one)) for one in broadcasts]


def urgent(one: Broadcast, since: str) -> list[Event]:
    return [Event(clock(since), Lists(HAMLET, True, one))]


def at(wall: str, act: Act) -> list[Event]:
    return [Event(clock(wall), act)]


def lived(*events: list[Event], lease: float = WEEK, **fields: Any) -> Walk:
    happened = tuple(event for group in events for event in group)
    return walk(Scenario(settings(**fields), happened, after(lease)))


def shown(instant: datetime) -> str:
    return instant.astimezone(HANOI).strftime("%H:%M:%S")


class Heard(NamedTuple):
    """A line of what a person in the hamlet would note down."""

    at: str
    what: str
    seconds: float


def heard(found: Walk) -> list[Heard]:
    return [
        Heard(shown(one.begins_at), f"{one.broadcast_id} {one.item}", (one.until_at - one.begins_at).total_seconds())
        for one in found.heard
    ]


def ended(found: Walk) -> dict[str, str]:
    return {end.broadcast_id: " ".join(filter(None, (end.outcome, end.reason, end.by))) for _, end in found.conclusions}


def test_the_relay_set_to_0315_by_mistake_wakes_nobody() -> None:
    """Trung Lộc, 5 December 2025: a mis-set automatic relay sounded at 03:15. The node refuses it, and says why."""
    night = lived(plan(aired("relay", "03:15", (1200,))), quiet_hours=(NIGHT,))

    assert heard(night) == []
    assert ended(night) == {"relay": "refused quiet_hours"}


def test_a_bulletin_that_would_run_into_the_night_stops_before_it() -> None:
    evening = lived(plan(aired("news", "21:57", (60, 60, 120, 30))), quiet_hours=(NIGHT,))

    assert heard(evening) == [("21:57:00", "news 0", 60), ("21:58:00", "news 1", 60)]
    assert ended(evening) == {"news": "interrupted quiet_hours"}


DAY = (QuietHours(start="05:00", until="21:30"),)


def test_outside_its_hours_routine_is_refused_by_the_name_of_that_rule() -> None:
    evening = lived(plan(aired("early", "21:20"), aired("gym", "21:35")), windows=DAY)

    assert heard(evening) == [("21:20:00", "early 0", 60)]
    assert ended(evening) == {"early": "played", "gym": "refused outside_window"}


def test_an_item_that_would_run_out_of_the_hours_does_not_begin() -> None:
    evening = lived(plan(aired("news", "21:28", (60, 60, 1))), windows=DAY)

    assert heard(evening) == [("21:28:00", "news 0", 60), ("21:29:00", "news 1", 60)]
    assert ended(evening) == {"news": "interrupted outside_window"}


def test_hours_that_follow_without_a_gap_are_one() -> None:
    two = (QuietHours(start="05:00", until="21:30"), QuietHours(start="21:30", until="22:00"))
    evening = lived(plan(aired("news", "21:29", (120,))), windows=two)

    assert ended(evening) == {"news": "played"}


def test_an_emergency_passes_the_hours_of_routine() -> None:
    night = lived(urgent(aired("flood", "03:15", level=Level.EMERGENCY), "03:15"), windows=DAY)

    assert ended(night) == {"flood": "played"}


def test_what_waits_for_the_hours_of_routine_begins_with_them() -> None:
    night = lived(plan(aired("gym", "04:50", late=900)), windows=DAY)

    assert heard(night) == [("05:00:00", "gym 0", 60)]


def test_quiet_hours_within_the_hours_of_routine_are_quiet() -> None:
    night = lived(plan(aired("relay", "03:15", (1200,))), quiet_hours=(NIGHT,), windows=(QUITE_ALL_DAY,))

    assert ended(night) == {"relay": "refused quiet_hours"}


def test_the_last_second_before_quiet_hours_is_still_day() -> None:
    evening = lived(plan(aired("news", "21:58", (120,))), quiet_hours=(NIGHT,))

    assert heard(evening) == [("21:58:00", "news 0", 120)]


def test_what_waits_for_the_end_of_the_night_begins_with_the_morning() -> None:
    night = lived(plan(aired("gym", "04:50", (60,), late=900)), quiet_hours=(NIGHT,))

    assert heard(night) == [("05:00:00", "gym 0", 60)]
    assert ended(night) == {"gym": "played"}


def test_a_drill_that_is_heard_wakes_nobody_and_a_silent_one_is_drilled_at_any_hour() -> None:
    rules: tuple[tuple[dict[str, Any], str], ...] = (
        ({"quiet_hours": (NIGHT,)}, "quiet_hours"),
        ({"windows": DAY}, "outside_window"),
    )
    for hours, reason in rules:
        kinds = {"marked": Drill.MARKED, "silent": Drill.SILENT, "real": None}
        drills = [aired(name, "03:15", level=Level.EMERGENCY, drill=kind) for name, kind in kinds.items()]
        night = lived(*(urgent(one, "03:15") for one in drills), **hours)

        assert ended(night) == {"marked": f"refused {reason}", "silent": "played", "real": "played"}


def test_an_emergency_passes_the_night_and_its_cap_but_never_the_absolute_cap() -> None:
    night = NightCap(window=NIGHT, cap_mb=-2000)
    found = lived(
        urgent(aired("flood", "03:15", level=Level.EMERGENCY), "03:15"),
        plan(aired("news", "21:10"), aired("late", "22:10")),
        night_cap=night,
        cap_mb=-300,
        volume_mb=600,
    )

    assert [(one.broadcast_id, one.gain_mb) for one in found.heard] == [
        ("news", -300),
        ("late", -2000),
        ("flood", -300),
    ]


def test_an_emergency_cuts_a_bulletin_which_goes_on_with_its_next_item() -> None:
    evening = lived(
        plan(aired("news", "21:10", (60, 60, 60))),
        urgent(aired("flood", "21:10:30", (20,), level=Level.EMERGENCY), "21:10:30"),
    )

    assert heard(evening) == [
        ("21:10:00", "news 0", 30),
        ("21:10:30", "flood 0", 20),
        ("21:11:00", "news 1", 60),  # at its slot, with ten seconds of silence before
        ("21:12:00", "news 2", 60),
    ]
    assert ended(evening) == {"flood": "played", "news": "interrupted preempted flood"}


def test_a_long_emergency_moves_the_rest_of_the_bulletin() -> None:
    evening = lived(
        plan(aired("news", "21:10", (60, 60, 60))),
        urgent(aired("flood", "21:10:30", (100,), level=Level.EMERGENCY), "21:10:30"),
    )

    assert heard(evening)[2:] == [("21:12:10", "news 1", 60), ("21:13:10", "news 2", 60)]


def test_a_bulletin_that_does_not_resume_ends_when_it_is_cut() -> None:
    evening = lived(
        plan(aired("news", "21:10", (60, 60), resumes=False)),
        urgent(aired("flood", "21:10:30", (20,), level=Level.EMERGENCY), "21:10:30"),
    )

    assert heard(evening) == [("21:10:00", "news 0", 30), ("21:10:30", "flood 0", 20)]
    assert ended(evening)["news"] == "interrupted preempted flood"


def test_a_power_flicker_loses_one_item_of_routine_and_no_more() -> None:
    """P3: the node was away 20 s; it rejoins at the next slot, in step with its neighbours."""
    evening = lived(plan(aired("news", "21:10", (60, 60, 60))), at("21:10:30", Crashes(20)))

    assert heard(evening) == [("21:10:00", "news 0", 30), ("21:11:00", "news 1", 60), ("21:12:00", "news 2", 60)]
    assert ended(evening) == {"news": "interrupted power"}


def test_after_a_long_power_cut_routine_joins_in_the_middle() -> None:
    evening = lived(plan(aired("news", "21:10", (60, 60, 60))), at("21:10:30", Crashes(75)))

    assert heard(evening) == [("21:10:00", "news 0", 30), ("21:12:00", "news 2", 60)]
    assert ended(evening) == {"news": "interrupted power"}


@pytest.mark.parametrize("away", [5, 75], ids=["shorter than the item", "longer than the item"])
def test_after_a_power_cut_an_emergency_repeats_the_item_that_was_cut(away: int) -> None:
    evening = lived(
        urgent(aired("flood", "21:10", (60, 60), level=Level.EMERGENCY), "21:10"), at("21:10:30", Crashes(away))
    )

    back = 21 * 3600 + 10 * 60 + 30 + away
    again = f"21:{back // 60 % 60:02}:{back % 60:02}"
    assert heard(evening)[:2] == [("21:10:00", "flood 0", 30), (again, "flood 0", 60)]
    assert [line.what for line in heard(evening)] == ["flood 0", "flood 0", "flood 1"]
    assert ended(evening) == {"flood": "played"}


def test_an_emergency_that_goes_down_with_every_play_is_not_repeated_for_ever() -> None:
    """A supply that breaks under the load: the same item sounds twice, then the next one."""
    evening = lived(
        urgent(aired("flood", "21:10", (60, 60), level=Level.EMERGENCY), "21:10"),
        at("21:10:30", Crashes(1)),
        at("21:10:40", Crashes(1)),
    )

    assert [line.what for line in heard(evening)] == ["flood 0", "flood 0", "flood 1"]
    assert ended(evening) == {"flood": "interrupted power"}


def test_of_two_emergencies_the_second_waits_for_the_end_of_the_item() -> None:
    evening = lived(
        urgent(aired("flood", "21:10", (60, 60), level=Level.EMERGENCY), "21:10"),
        urgent(aired("dam", "21:10:30", (30,), level=Level.EMERGENCY), "21:10:30"),
    )

    assert heard(evening) == [("21:10:00", "flood 0", 60), ("21:11:00", "flood 1", 60), ("21:12:00", "dam 0", 30)]
    assert ended(evening) == {"flood": "played", "dam": "played"}


def test_an_emergency_that_was_due_earlier_comes_between_the_items_of_a_later_one() -> None:
    evening = lived(
        urgent(aired("flood", "21:10", (60, 60), level=Level.EMERGENCY), "21:10"),
        urgent(aired("dam", "21:09:30", (30,), level=Level.EMERGENCY), "21:10:30"),
    )

    assert heard(evening) == [("21:10:00", "flood 0", 60), ("21:11:00", "dam 0", 30), ("21:11:30", "flood 1", 60)]
    assert ended(evening) == {"flood": "played", "dam": "played"}


def test_a_hard_start_cuts_what_began_before_it_and_a_soft_one_waits() -> None:
    hard = lived(plan(aired("news", "21:10", (60, 60)), aired("relay", "21:10:30", (30,), start=StartMode.HARD)))
    soft = lived(plan(aired("news", "21:10", (60, 60)), aired("relay", "21:10:30", (30,))))

    assert heard(hard) == [("21:10:00", "news 0", 30), ("21:10:30", "relay 0", 30), ("21:11:00", "news 1", 60)]
    assert heard(soft) == [("21:10:00", "news 0", 60), ("21:11:00", "news 1", 60), ("21:12:00", "relay 0", 30)]


def test_a_hard_start_does_not_cut_a_higher_level() -> None:
    first = aired("warning", "21:10", (60,), level=Level.PRIORITY)
    evening = lived(plan(first, aired("relay", "21:10:30", (30,), start=StartMode.HARD)))

    assert heard(evening) == [("21:10:00", "warning 0", 60), ("21:11:00", "relay 0", 30)]


def test_the_queue_goes_by_level_then_order_then_name() -> None:
    evening = lived(
        plan(
            aired("now", "21:10", (60,)),
            aired("d-last", "21:10:10", (10,), order=5),
            aired("c-third", "21:10:10", (10,)),
            aired("b-second", "21:10:10", (10,), order=-1),
            aired("z-first", "21:10:20", (10,), level=Level.PRIORITY, order=9),
        )
    )

    assert [line.what for line in heard(evening)] == ["now 0", "z-first 0", "b-second 0", "c-third 0", "d-last 0"]


def test_a_stop_silences_an_emergency_and_its_release_brings_nothing_back() -> None:
    evening = lived(
        plan(aired("news", "21:20", (60,), late=600)),
        urgent(aired("flood", "21:10", (60, 60), level=Level.EMERGENCY), "21:10"),
        at("21:10:30", Holds("h1")),
        at("21:25", Releases("h1")),
    )

    assert heard(evening) == [("21:10:00", "flood 0", 30), ("21:25:00", "news 0", 60)]
    assert ended(evening) == {"flood": "interrupted held h1", "news": "played"}


def test_a_second_hold_keeps_the_silence_when_the_first_is_released() -> None:
    evening = lived(
        plan(aired("news", "21:10", (60,), late=120)),
        at("21:05", Holds("h1")),
        at("21:06", Holds("h2")),
        at("21:10:30", Releases("h1")),
    )

    assert heard(evening) == []
    assert ended(evening) == {"news": "missed held h2"}


def test_an_explicit_stop_ends_one_broadcast_only() -> None:
    evening = lived(
        plan(aired("news", "21:10", (60,)), aired("music", "21:10:10", (30,)), aired("never", "21:20")),
        at("21:10:30", Stops("news")),
        at("21:10:30", Stops("never")),
    )

    assert heard(evening) == [("21:10:00", "news 0", 30), ("21:10:30", "music 0", 30)]
    assert ended(evening) == {"news": "interrupted stopped", "music": "played", "never": "cancelled stopped"}


@pytest.mark.parametrize(
    ("learns_at", "begins", "outcome"),
    [
        ("21:12", ["21:12:00"], "played"),
        ("21:15", ["21:15:00"], "played"),
        ("21:15:01", [], "missed late"),
        ("21:20", [], "expired late"),
    ],
)
def test_a_node_that_learns_late_begins_late_or_not_at_all(learns_at: str, begins: list[str], outcome: str) -> None:
    news = aired("news", "21:10", (60,), until=clock("21:20"))
    evening = lived(plan(news, since=learns_at))

    assert [line.at for line in heard(evening)] == begins
    assert ended(evening) == {"news": outcome}


def test_a_node_that_was_off_at_the_time_says_so() -> None:
    evening = lived(plan(aired("news", "21:10", (60,), late=60)), at("21:05", Crashes(370)))

    assert heard(evening) == []
    assert ended(evening) == {"news": "missed off"}


def test_what_an_untrusted_clock_kept_back_is_explained_when_the_clock_is_good_again() -> None:
    evening = lived(
        plan(aired("news", "21:10", (60,), late=60), aired("later", "21:30", (60,))),
        at("21:05", ClockBecomes(ClockState.UNTRUSTED)),
        at("21:12", ClockBecomes(ClockState.TRUSTED)),
    )

    assert heard(evening) == [("21:30:00", "later 0", 60)]
    assert ended(evening) == {"news": "missed clock_untrusted", "later": "played"}


def test_on_an_untrusted_clock_only_an_urgent_emergency_sounds() -> None:
    evening = lived(
        at("21:00", ClockBecomes(ClockState.UNTRUSTED)),
        urgent(aired("flood", "21:10", level=Level.EMERGENCY), "21:10"),
        urgent(aired("say-now", "21:10"), "21:10"),
        plan(aired("drill", "21:10", level=Level.EMERGENCY), aired("news", "21:10")),
    )

    assert heard(evening) == [("21:10:00", "flood 0", 60)]


def test_an_emergency_of_before_waits_on_an_untrusted_clock_until_the_centre_has_told_the_time() -> None:
    """Nobody knows whether it is an hour old: a clock without a battery shows the time of the power cut."""
    flood = aired("flood", "21:10", level=Level.EMERGENCY)
    before = ClockBecomes(ClockState.UNTRUSTED, answered=False)

    evening = lived(urgent(flood, "21:00"), at("21:05", before), at("21:12", ClockBecomes(ClockState.UNTRUSTED)))
    over = lived(urgent(flood, "21:00"), at("21:05", before), at("21:30", ClockBecomes(ClockState.UNTRUSTED)))

    assert heard(evening) == [("21:12:00", "flood 0", 60)]
    assert heard(over) == []


def test_an_emergency_is_not_cut_by_a_clock_that_jumps_but_its_next_item_waits_for_the_time() -> None:
    flood = aired("flood", "21:10", (60, 60), level=Level.EMERGENCY)
    jump = at("21:10:30", ClockBecomes(ClockState.UNTRUSTED, answered=False))
    evening = lived(urgent(flood, "21:00"), jump, at("21:12", ClockBecomes(ClockState.UNTRUSTED)))

    assert heard(evening) == [("21:10:00", "flood 0", 60), ("21:12:00", "flood 1", 60)]
    assert ended(evening) == {"flood": "played"}


def test_a_clock_held_from_before_is_good_enough() -> None:
    evening = lived(plan(aired("news", "21:10")), at("21:05", ClockBecomes(ClockState.HELD)))

    assert heard(evening) == [("21:10:00", "news 0", 60)]


def test_a_node_cut_off_falls_silent_when_its_lease_ends_and_says_why() -> None:
    evening = lived(plan(aired("first", "21:10", (60, 60)), aired("second", "21:30")), lease=clock("21:10:30"))

    assert heard(evening) == [("21:10:00", "first 0", 60)]  # an item that sounds is not cut by the lease
    assert ended(evening) == {"first": "interrupted lease_ended", "second": "missed lease_ended"}


def test_a_missing_first_file_is_waited_for_and_a_later_one_left_out() -> None:
    news = aired("news", "21:10", (60, 60, 60))
    first, second = (sha(f"news-{index}") for index in (0, 1))
    waits = lived(plan(news), at("21:00", Loses(first)), at("21:12", Fetches(first)))
    skips = lived(plan(news), at("21:00", Loses(second)))
    never = lived(plan(news), at("21:00", Loses(first)))

    assert [line.at for line in heard(waits)] == ["21:12:00", "21:13:00", "21:14:00"]
    assert heard(skips) == [("21:10:00", "news 0", 60), ("21:12:00", "news 2", 60)]
    assert (ended(waits), ended(skips)) == ({"news": "played"}, {"news": "interrupted no_file"})
    assert ended(never) == {"news": "missed no_file"}


def test_routine_goes_on_while_an_emergency_waits_for_its_file() -> None:
    flood = aired("flood", "21:10:30", (30,), level=Level.EMERGENCY)
    evening = lived(
        plan(aired("news", "21:10", (60, 60))),
        at("21:00", Loses(sha("flood-0"))),
        urgent(flood, "21:10:30"),
        at("21:11:20", Fetches(sha("flood-0"))),
    )

    assert heard(evening) == [("21:10:00", "news 0", 60), ("21:11:00", "news 1", 20), ("21:11:20", "flood 0", 30)]


def test_an_approval_for_the_commune_does_not_cover_the_hamlet_that_lists_it_alone() -> None:
    elsewhere = aired("news", "21:10", scopes=(COMMUNE,))
    evening = lived(plan(elsewhere))
    both = lived(plan(elsewhere), [Event(0, Lists(COMMUNE, False, elsewhere))])

    assert (heard(evening), ended(evening)) == ([], {"news": "refused not_approved"})
    assert len(heard(both)) == 1


def test_an_approval_that_comes_before_the_start_is_in_time() -> None:
    news = aired("news", "21:10")
    bare = Broadcast(**{**{name: getattr(news, name) for name in news.__struct_fields__}, "approvals": ()})
    evening = lived(plan(bare), plan(news, since="21:05"))

    assert ended(evening) == {"news": "played"}


def test_a_plan_that_no_longer_lists_it_cancels_only_what_has_not_begun() -> None:
    evening = lived(
        plan(aired("news", "21:10", (60, 60)), aired("music", "21:20")),
        at("21:10:30", Withdraws("news")),
        at("21:10:30", Withdraws("music")),
    )

    assert [line.what for line in heard(evening)] == ["news 0", "news 1"]


def test_a_node_that_did_not_hear_of_an_edit_in_time_does_not_say_the_same_twice() -> None:
    """Out of reach while 21:10 was made 21:20 with other words: it has begun the old one when it hears of the new."""
    evening = lived(
        plan(aired("news", "21:10")),
        plan(aired("newer", "21:20", run="news"), since="21:15"),
        plan(aired("newest", "21:30", run="news"), since="21:25"),
        at("21:15", Withdraws("news")),
    )

    assert heard(evening) == [("21:10:00", "news 0", 60)]
    assert ended(evening) == {
        "news": "played",
        "newer": "cancelled already_begun news",
        "newest": "cancelled already_begun news",
    }


def test_an_edited_broadcast_sounds_in_the_place_of_the_old_one() -> None:
    evening = lived(
        plan(aired("news", "21:10")),
        plan(aired("newer", "21:20", run="news"), since="21:05"),
        at("21:05", Withdraws("news")),
    )

    assert heard(evening) == [("21:20:00", "newer 0", 60)]


@pytest.mark.parametrize("level", Level)
def test_of_two_versions_that_are_due_at_once_one_begins_and_the_other_is_over_then(level: Level) -> None:
    """The plans of two areas may come minutes apart. What was cut begins no other version either."""
    evening = lived(
        plan(aired("b-1", "21:10", level=level), aired("b-2", "21:10", run="b-1", level=level, late=900)),
        at("21:10:20", Holds("stop")),
        at("21:12", Releases("stop")),
    )

    assert heard(evening) == [("21:10:00", "b-1 0", 20)]
    assert ended(evening) == {"b-1": "interrupted held stop", "b-2": "cancelled already_begun b-1"}
    assert [shown(when) for when, end in evening.conclusions if end.broadcast_id == "b-2"] == ["21:10:00"]


def test_a_version_that_was_missed_keeps_no_other_from_sounding() -> None:
    """Held over its latest start, it has not begun: the edit that made it later is heard."""
    evening = lived(
        plan(aired("news", "21:10", late=60), aired("newer", "21:20", run="news")),
        at("21:09", Holds("stop")),
        at("21:15", Releases("stop")),
    )

    assert ended(evening) == {"news": "missed held stop", "newer": "played"}


def test_a_broadcast_too_long_for_the_node_is_refused() -> None:
    evening = lived(plan(aired("speech", "21:10", (3000, 601))), max_broadcast_ms=3_600_000)

    assert ended(evening) == {"speech": "refused too_long"}


def test_as_many_as_the_settings_allow_begin_within_an_hour() -> None:
    ads = [aired(f"ad-{index}", f"21:{10 + index}", (10,), late=5) for index in range(3)]
    evening = lived(
        plan(*ads),
        urgent(aired("flood", "21:20", level=Level.EMERGENCY), "21:20"),
        plan(aired("next", "22:15")),
        plays_per_hour=2,
    )

    assert [line.what for line in heard(evening)] == ["ad-0 0", "ad-1 0", "flood 0", "next 0"]
    assert ended(evening)["ad-2"] == "refused plays_per_hour"


def test_neighbours_with_other_languages_stay_in_step() -> None:
    """A slot is as long as its longest voice; the shorter one leaves silence."""
    slot = Item(offset_ms=0, voices=(voice("vi", 30), voice("hmn", 50, language="hmn")))
    following = Item(offset_ms=50_000, voices=(voice("music", 10),))
    events = plan(broadcast("news", second=clock("21:10"), items=(slot, following)), aired("after", "21:10:10", (5,)))

    viet, hmong = lived(events), lived(events, languages=("hmn", "vi"))

    assert heard(viet)[1:] == heard(hmong)[1:] == [("21:10:50", "news 1", 10), ("21:11:00", "after 0", 5)]
    assert (heard(viet)[0].seconds, heard(hmong)[0].seconds) == (30, 50)


def bulletin_in_two_languages() -> list[Event]:
    voices = (voice("vi", 30), voice("hmn", 50, language="hmn"))
    slots = [
        Item(offset_ms=0, voices=(voice("tune", 10),)),
        Item(offset_ms=10_000, voices=voices),
        Item(offset_ms=60_000, choice=1, voices=voices),
    ]
    return plan(aired("news", "21:10", items=tuple(slots)), aired("then", "21:10:01"))


def test_a_bulletin_sounds_in_each_language_that_the_area_asks_for_in_its_order() -> None:
    both, one, other = (
        lived(bulletin_in_two_languages(), languages=languages) for languages in (("hmn", "vi"), ("vi",), ("tyz",))
    )

    assert [(spoken.at, spoken.seconds) for spoken in heard(both)[:3]] == [
        ("21:10:00", 10),
        ("21:10:10", 50),
        ("21:11:00", 30),
    ]
    assert [spoken.what for spoken in heard(one)] == ["news 0", "news 1", "then 0"]
    assert heard(one) == heard(other)
    assert ended(both) == ended(one) == {"news": "played", "then": "played"}


def test_the_slot_of_a_language_that_nobody_asks_for_is_kept_free() -> None:
    """What follows begins everywhere at the same instant, however many languages a hamlet hears."""
    evenings = [lived(bulletin_in_two_languages(), languages=wish) for wish in (("hmn", "vi"), ("vi",), ("tyz",))]

    assert {heard(found)[-1] for found in evenings} == {Heard("21:11:50", "then 0", 60)}


def test_a_cut_while_only_a_slot_without_a_voice_is_left_takes_nothing_away() -> None:
    flood = aired("flood", "21:11:10", (20,), level=Level.EMERGENCY)
    cut = lived(bulletin_in_two_languages(), urgent(flood, "21:11:10"))

    assert ended(cut)["news"] == "played"
    assert [spoken.what for spoken in heard(cut)] == ["news 0", "news 1", "flood 0", "then 0"]


def test_quiet_hours_are_those_of_the_node_s_zone() -> None:
    abroad = lived(plan(aired("news", "03:15", (60,))), quiet_hours=(NIGHT,), zone="UTC")

    assert heard(abroad) == [("03:15:00", "news 0", 60)]  # 20:15 UTC
    assert shown(T0) == "21:00:00"
