"""Sessions fitted into their time: fixed end, back-timing, overrun, filler."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.schedules.states import Overrun
from controller.schedules.timing import Frame, OverrunError, Session, fit, fixed_end
from edge_agent.protocol.content import Broadcast, Item, Voice
from edge_agent.protocol.states import Level

START = datetime(2026, 3, 9, 10, 0, tzinfo=UTC)
END = START + timedelta(minutes=45)
MINUTE_MS = 60_000


def voice(minutes: float) -> Voice:
    return Voice(language="vi", sha256="a" * 64, bytes=1000, length_ms=int(minutes * MINUTE_MS))


def items(*minutes: float, gap_ms: int = 0) -> tuple[Item, ...]:
    found, free_ms = [], 0
    for each in minutes:
        found.append(Item(offset_ms=free_ms, voices=(voice(each),)))
        free_ms += found[-1].slot_ms + gap_ms
    return tuple(found)


def minutes(session: Session) -> list[float]:
    return [item.slot_ms / MINUTE_MS for item in session.items]


def frame(overrun: Overrun = Overrun.REFUSE, *, late_minutes: float = 5, **given: object) -> Frame:
    return Frame(int(late_minutes * MINUTE_MS), overrun=overrun, **given)  # type: ignore[arg-type]  # by name


def test_without_a_fixed_end_it_ends_when_it_has_been_said() -> None:
    found = fit(START, None, items(10, 5), frame())
    assert found.start_at == START
    assert found.latest_start_at == START + timedelta(minutes=5)
    assert found.latest_end_at == START + timedelta(minutes=21)


def test_what_is_longer_than_its_time_is_refused_with_the_seconds_it_is_over() -> None:
    with pytest.raises(OverrunError, match="5 min 30 s") as found:
        fit(START, END, items(30, 20.5), frame())
    assert found.value.fields["over_s"] == 330


def test_items_that_do_not_fit_are_left_out_the_last_first() -> None:
    found = fit(START, END, items(20, 20, 10, 1), frame(Overrun.DROP))
    assert (minutes(found), found.left_out, found.latest_end_at) == ([20, 20], 2, END)


def test_the_item_under_way_at_the_end_is_finished_and_later_ones_are_left_out() -> None:
    found = fit(START, END, items(40, 10, 5), frame(Overrun.FINISH))
    assert (minutes(found), found.left_out) == ([40, 10], 1)
    assert found.latest_end_at == START + timedelta(minutes=55)  # begun 5 minutes late, it is finished too


def test_nothing_is_left_of_a_first_item_that_is_too_long() -> None:
    with pytest.raises(OverrunError):
        fit(START, END, items(46), frame(Overrun.DROP))


def test_back_timed_it_ends_at_its_fixed_end() -> None:
    found = fit(START, END, items(20, 10), frame(back_timed=True))
    assert found.start_at == START + timedelta(minutes=15)
    assert found.latest_end_at == END


def test_back_timed_what_is_too_long_is_cut_and_still_ends_at_its_end() -> None:
    found = fit(START, END, items(40, 10), frame(Overrun.DROP, back_timed=True))
    assert (found.start_at, minutes(found)) == (START + timedelta(minutes=5), [40])


def test_filler_reaches_the_end_after_it_and_before_it_when_back_timed() -> None:
    after = fit(START, END, items(20), frame(filler=voice(10)))
    assert (minutes(after), after.fillers, after.start_at) == ([20, 10, 10], 2, START)
    before = fit(START, END, items(20), frame(filler=voice(10), back_timed=True))
    assert (minutes(before), before.start_at) == ([10, 10, 20], START + timedelta(minutes=5))


def ends(rule: str, end: str, local: str) -> str:
    """Say when a session of the evening of the 9th ends that was moved to a wall time."""
    found = fixed_end(on(local), "Asia/Ho_Chi_Minh", f"{end}:00", rule=on(rule))
    assert found is not None
    return f"{found + timedelta(hours=7):%d %H:%M}"


def on(said: str) -> datetime:
    return datetime.strptime(f"2026-03-{said}", "%Y-%m-%d %H:%M")  # noqa: DTZ007 - wall time


def test_an_end_after_midnight_belongs_to_the_evening_before() -> None:
    assert ends("09 23:30", "00:15", "09 23:30") == "10 00:15"
    assert ends("09 23:30", "23:45", "09 23:30") == "09 23:45"


@pytest.mark.parametrize(
    ("local", "end"),
    [
        ("09 17:20", "09 17:45"),  # within its own time: it ends when it always does
        ("11 17:00", "11 17:45"),
        ("09 17:45", "09 18:30"),  # behind it
        ("09 20:00", "09 20:45"),
        ("10 19:00", "10 19:45"),
        ("09 16:50", "09 17:35"),  # before it
        ("09 05:00", "09 05:45"),
    ],
)
def test_what_is_moved_ends_when_it_always_does_or_takes_its_length_along(local: str, end: str) -> None:
    assert ends("09 17:00", "17:45", local) == end


def test_what_is_moved_over_midnight_ends_when_it_always_does_or_takes_its_length_along() -> None:
    assert ends("09 23:30", "00:15", "10 00:05") == "10 00:15"
    assert ends("09 23:30", "00:15", "10 01:00") == "10 01:45"
    assert ends("09 23:30", "00:15", "09 21:00") == "09 21:45"


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    span=st.integers(1, 120),
    overrun=st.sampled_from(list(Overrun)),
    back_timed=st.booleans(),
    filler=st.none() | st.integers(1, 20),
    late=st.integers(0, 20),
    gap_ms=st.sampled_from([0, 500, 3000]),
)
def test_whatever_is_fitted_can_be_sent_and_keeps_its_time(
    lengths: list[int],
    span: int,
    overrun: Overrun,
    back_timed: bool,  # noqa: FBT001  by name, from hypothesis
    filler: int | None,
    late: int,
    gap_ms: int,
) -> None:
    end = START + timedelta(minutes=span)
    filling = None if filler is None else voice(filler)
    asked = items(*lengths, gap_ms=gap_ms)
    try:
        found = fit(START, end, asked, frame(overrun, late_minutes=late, back_timed=back_timed, filler=filling))
    except OverrunError:
        assert overrun is not Overrun.FINISH
        return
    sent = Broadcast(  # refuses what the wire does not take
        broadcast_id="a" * 32,
        level=Level.NORMAL,
        start_at=found.start_at,
        latest_start_at=found.latest_start_at,
        latest_end_at=found.latest_end_at,
        items=found.items,
    )
    ends_at = found.start_at + timedelta(milliseconds=sent.length_ms)
    assert found.start_at >= START
    assert overrun is Overrun.FINISH or ends_at <= end
    assert len(found.items) == len(asked) - found.left_out + found.fillers
    if back_timed and found.left_out == 0 and ends_at <= end:
        assert ends_at == end
    if filling is not None and ends_at <= end and not found.left_out and not back_timed:
        assert end - ends_at < timedelta(minutes=filler or 0)
