"""A rule that began long ago gives the dates that it always gave."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

from datetime import datetime, timedelta

from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.schedules.expand import _dates

RULES = st.builds(
    lambda *parts: ";".join(part for part in parts if part),
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY", "freq=weekly", "FREQ=MONTHLY", "FREQ=YEARLY"]),
    st.sampled_from(["", "INTERVAL=2", "INTERVAL=3", "INTERVAL=5"]),
    st.sampled_from(["", "BYDAY=MO,TH", "BYDAY=SU", "BYMONTH=2,8", "BYHOUR=5,17", "BYYEARDAY=60,-1"]),
    st.sampled_from(["", "BYMONTHDAY=-1,31", "BYSETPOS=-1", "BYMONTHDAY=1,2,3;BYSETPOS=-1"]),
    st.sampled_from(["", "WKST=SU", "WKST=WE"]),
    st.sampled_from(["", "UNTIL=20270401T000000", "COUNT=60"]),
)


@settings(deadline=None, max_examples=60)  # a rule that never comes is followed to the year 9999
@given(
    rule=RULES,
    first=st.datetimes(datetime(2020, 1, 1), datetime(2026, 12, 31)).map(lambda at: at.replace(microsecond=0)),
    after=st.integers(-400, 2500),
    days=st.integers(0, 60),
)
def test_the_start_from_which_it_is_counted_makes_no_difference(
    rule: str, first: datetime, after: int, days: int
) -> None:
    begin = first + timedelta(days=after, hours=after % 24)
    end = begin + timedelta(days=days)
    slowly = rrule.rrulestr(rule, dtstart=first).between(begin, end, inc=True)
    assert list(_dates(rule, first, begin, end)) == slowly
