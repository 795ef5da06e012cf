"""Which dates are versions of one run, whatever was edited before."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.broadcasts.models import Broadcast
from controller.schedules.runs import Runs, successors

FIRST = datetime(2026, 3, 10)
times = st.builds(
    lambda day, hour: FIRST + timedelta(days=day, hours=hour), st.integers(0, 2), st.sampled_from([5, 6, 11, 17, 18])
)


def row(number: int, recurrence: datetime, run_id: str | None = None) -> Broadcast:
    return Broadcast(id=f"b{number}", recurrence_local=recurrence.isoformat(), run_id=run_id)


@given(st.lists(st.sets(times, max_size=5), min_size=2, max_size=6))
def test_no_two_that_stand_are_of_one_run_and_a_run_stays_on_its_day(edits: list[set[datetime]]) -> None:
    """A rule gives other dates again and again; what it no longer gives, or gives anew, is superseded."""
    standing: dict[datetime, Broadcast] = {}
    gone: list[Broadcast] = []
    day_of: dict[str, datetime] = {}
    number = 0
    for turn, wanted in enumerate(edits):
        runs = Runs(gone, standing.values())
        for recurrence in sorted(standing):
            if recurrence not in wanted or turn % 2:
                old = standing.pop(recurrence)
                runs.supersede(old)
                gone.append(old)
        new = sorted(wanted - standing.keys())
        runs.give_way({each.isoformat() for each in wanted}, new)
        for recurrence in new:
            number += 1
            made = standing[recurrence] = row(number, recurrence, runs.of(recurrence))
            run = made.run_id or made.id
            assert day_of.setdefault(run, recurrence).date() == recurrence.date()
        named = [each.run_id or each.id for each in standing.values()]
        assert len(set(named)) == len(named)


@given(st.lists(times, unique=True, min_size=1, max_size=5), times)
def test_a_date_made_anew_is_a_version_of_what_it_was(dates: list[datetime], edited: datetime) -> None:
    """However many stand around it, and whether or not its hour is among them."""
    known = [row(number, each) for number, each in enumerate(dates)]
    runs = Runs([], known)
    for each in known:
        runs.supersede(each)
    kept = {each.isoformat(): each for each in (*dates, edited)}
    runs.give_way(kept, [edited])
    for each in known:
        assert each.recurrence_local is not None
        assert runs.of(kept[each.recurrence_local]) == each.id


def test_the_nearest_hour_of_the_same_day_stands_for_the_one_that_went() -> None:
    morning, evening, tomorrow = FIRST.replace(hour=5), FIRST.replace(hour=17), FIRST + timedelta(days=1, hours=5)
    later = [FIRST.replace(hour=18), FIRST.replace(hour=6)]
    assert successors([evening, morning, tomorrow], later) == {later[1]: morning, later[0]: evening}
